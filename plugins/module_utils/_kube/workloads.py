# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads and pods as the domain knows them. Nothing beyond this file sees their JSON."""

from __future__ import annotations

import json
import math
import re
import typing as t
from collections.abc import Collection, Mapping
from datetime import datetime

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Kind
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, before, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import (
    RESTARTED,
    SIDECAR,
    Gateway,
    Owner,
    Pod,
    Proxy,
    Restarted,
    Workload,
)

PODS = "/api/v1/pods"
POD_HASH = "pod-template-hash"
KINDS = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
}
"""What is always listed; other owners are found through their pods."""
MAKERS = {"ReplicaSet": "/apis/apps/v1/replicasets", "ReplicationController": "/api/v1/replicationcontrollers"}
"""What makes pods for itself, or in the name of something else. A user who may not list these sees their pods only."""

STATUS = "sidecar.istio.io/status"
TEMPLATES = "inject.istio.io/templates"
MANAGED_GATEWAY = "gateway.istio.io/managed"
PROXY = "istio-proxy"
PROXY_IMAGE = "sidecar.istio.io/proxyImage"
_DISCOVERY = re.compile(r'"(?:discoveryAddress)"\s*:\s*"istiod(?:-([a-z0-9-]+))?\.')
_ISTIOD = re.compile(r"istiod(?:-([a-z0-9-]+))?\.")
_SLOW = frozenset({"ContainerCreating", "PodInitializing"})
_AT_ONCE = 2.0
"""Seconds between the start of a pod and its first conditions, whose times are in whole seconds."""
KUBERNETES = frozenset({"", "apps", "batch"})
"""The API groups of what makes pods in every cluster."""


def makers(hashes: Collection[str]) -> dict[str, Kind]:
    """Lists of what makes pods, without the ReplicaSets of Deployments: there are ten for each of these, and nothing is in them.

    Deployments leave a label on them. ``hashes`` are its values where the Deployment itself is gone.
    """
    found = {
        "ReplicaSet": Kind(MAKERS["ReplicaSet"], workload("ReplicaSet"), f"!{POD_HASH}"),
        "ReplicationController": Kind(MAKERS["ReplicationController"], workload("ReplicationController")),
    }
    left = Kind(MAKERS["ReplicaSet"], workload("ReplicaSet"), f"{POD_HASH} in ({','.join(sorted(hashes))})")
    return found | ({"ReplicaSet without its Deployment": left} if hashes else {})


def workload(kind: str) -> t.Callable[[Json], Workload]:
    """A parser for one kind; list items do not say their own."""
    return lambda item: _workload(kind, item)


def _workload(kind: str, item: Json) -> Workload:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    template, annotations = spec.get("template") or {}, metadata.get("annotations") or {}
    daemon = kind == "DaemonSet"
    strategy = spec.get("strategy") or spec.get("updateStrategy") or {}
    replicas = status.get("desiredNumberScheduled", 0) if daemon else spec.get("replicas", 1)
    total = status.get("currentNumberScheduled" if daemon else "replicas", 0)
    owner = _controller(metadata) or {}
    return Workload(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        template=shape(template),
        replicas=replicas,
        generation=metadata.get("generation", 0),
        observed=status.get("observedGeneration", 0),
        total=total,
        updated=total if kind in MAKERS else status.get("updatedNumberScheduled" if daemon else "updatedReplicas", 0),
        available=status.get("numberAvailable" if daemon else "availableReplicas", 0),
        paused=bool(spec.get("paused")),
        failure=_failure(status),
        proxy_image_set=PROXY_IMAGE in ((template.get("metadata") or {}).get("annotations") or {}),
        gateway=_gateway(metadata.get("labels") or {}, template),
        on_delete=strategy.get("type") == "OnDelete",
        partition=(strategy.get("rollingUpdate") or {}).get("partition", 0) if kind == "StatefulSet" else 0,
        ordered=kind == "StatefulSet" and spec.get("podManagementPolicy", "OrderedReady") == "OrderedReady",
        newest=status.get("updateRevision", ""),
        restarted=_restarted(annotations.get(RESTARTED)),
        part_of=_reference(owner) if owner and kind in MAKERS else None,
        part_of_uid=owner.get("uid", ""),
        strategy=json.dumps(strategy, sort_keys=True) if strategy else "",
        at_once=_at_once(kind, strategy, replicas),
    )


def _at_once(kind: str, strategy: Json, replicas: int) -> int:
    """What is new beside all that is wanted, and what may be missing of it: surge is rounded up, the other down."""
    rolling = strategy.get("rollingUpdate") or {}
    if strategy.get("type") == "Recreate":
        return max(replicas, 1)
    usual = ("25%", "25%") if kind == "Deployment" else (0, 1)
    surge, missing = (rolling.get(name, share) for name, share in zip(("maxSurge", "maxUnavailable"), usual, strict=True))
    return max(_share(surge, replicas, math.ceil) + _share(missing, replicas, math.floor), 1)


def _share(value: int | str, replicas: int, rounded: t.Callable[[float], int]) -> int:
    """A number, or a percentage of the replicas; 0 for anything else."""
    text = str(value)
    if text.endswith("%") and text[:-1].isdigit():
        return rounded(replicas * int(text[:-1]) / 100)
    return int(text) if text.isdigit() else 0


def _restarted(recorded: str | None) -> Restarted | None:
    """None for what is absent or not ours to understand."""
    try:
        found = json.loads(recorded) if recorded else None
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("stamp"), str):
        return None
    prior = found.get("prior")
    return Restarted(found["stamp"], prior if isinstance(prior, str) else None, str(found.get("home", "")))


def _gateway(labels: Mapping[str, str], template: Json) -> Gateway:
    """One that Gateway API manages, one that injection makes (``image: auto``), or one that is rendered whole.

    Source: Istio 1.30, deploymentcontroller.go, chart ``gateway``, charts/gateways. A template that ``kube-inject`` has written has
    the proxy beside the application, and says so in its status annotation.
    """
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    containers = {one["name"] for one in (template.get("spec") or {}).get("containers") or []}
    if MANAGED_GATEWAY in labels:
        return Gateway.MANAGED
    if "gateway" in {name.strip() for name in annotations.get(TEMPLATES, "").split(",")}:
        return Gateway.INJECTED
    return Gateway.RENDERED if containers == {PROXY} and STATUS not in annotations else Gateway.NONE


def _failure(status: Json) -> str:
    for condition in status.get("conditions") or []:
        failed = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
        late = condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded"
        if failed or late:
            return f"{condition.get('reason')}: {condition.get('message')}"
    return ""


def shape(item: Json) -> PodShape:
    """A pod or a pod template."""
    metadata = item.get("metadata") or {}
    return PodShape(metadata.get("labels") or {}, metadata.get("annotations") or {}, bool((item.get("spec") or {}).get("hostNetwork")))


def image_of(template: Json, container: str) -> str:
    return next((c.get("image", "") for c in template["spec"].get("containers") or [] if c["name"] == container), "")


def pod(item: Json) -> Pod:
    metadata, status = item["metadata"], item.get("status") or {}
    waiting, container = _waiting(status)
    owner = _controller(metadata)
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner=_owner(metadata, owner),
        shape=shape(item),
        proxy=proxy(item),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []),
        finished=status.get("phase") in ("Succeeded", "Failed"),
        deleting="deletionTimestamp" in metadata,
        waiting=waiting,
        container=container,
        maker=_reference(owner) if owner else None,
        maker_uid=(owner or {}).get("uid", ""),
        never_ready=_never_ready(status),
        seconds=_seconds_until_ready(status),
    )


def _controller(metadata: Json) -> Json | None:
    return next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)


def _reference(reference: Json) -> Owner:
    group = reference.get("apiVersion", "").rpartition("/")[0]
    return Owner(reference["kind"], reference["name"], "" if group in KUBERNETES else group)


def _owner(metadata: Json, reference: Json | None) -> Owner:
    """A Deployment's ReplicaSet is named after it and the pod-template-hash, so that ReplicaSets need no list of their own."""
    if reference is None:
        return Owner("Pod", metadata["name"])
    template_hash = (metadata.get("labels") or {}).get(POD_HASH)
    if reference["kind"] == "ReplicaSet" and template_hash and reference["name"].endswith(f"-{template_hash}"):
        return Owner("Deployment", reference["name"].removesuffix(f"-{template_hash}"))
    return _reference(reference)


def _never_ready(status: Json) -> bool:
    """A condition keeps the time at which its status changed last: one that is False since the start was never True."""
    ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), None)
    if ready is None:
        return True
    if ready["status"] == "True":
        return False
    began, since = status.get("startTime") or "", ready.get("lastTransitionTime") or ""
    return bool(began and since) and _seconds(since) - _seconds(began) <= _AT_ONCE


def _seconds_until_ready(status: Json) -> int | None:
    ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready" and c["status"] == "True"), None)
    began, since = status.get("startTime") or "", (ready or {}).get("lastTransitionTime") or ""
    return max(int(_seconds(since) - _seconds(began)), 1) if began and since else None


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def proxy(item: Json) -> Proxy | None:
    """The sidecar as container or native (restartable init container); its status is in the list that matches."""
    spec, status = item["spec"], item.get("status") or {}
    for containers, statuses, native in (
        (spec.get("containers"), status.get("containerStatuses"), False),
        (spec.get("initContainers"), status.get("initContainerStatuses"), True),
    ):
        for container in containers or []:
            if container["name"] == PROXY:
                ready = any(s["name"] == PROXY and s.get("ready") for s in statuses or [])
                image = container.get("image", "")
                version = version_of_image(image)
                revision, status_says = _revision(item, container, version)
                return Proxy(revision, version, native, ready, image, status_says)
    return None


def _revision(item: Json, container: Json, version: str | None) -> tuple[str | None, str | None]:
    """Annotation (1.18 and later), then the status annotation (1.11 and later), then where the proxy connects to, then its label.

    The second is what the status annotation says beside an annotation that says something else. A label holds a tag where a user has
    set it: it is the revision only where injection writes it, up to 1.10, and on what is rendered whole.
    """
    annotations, labels = item["metadata"].get("annotations") or {}, item["metadata"].get("labels") or {}
    annotated, status = annotations.get(REVISION), annotations.get(STATUS) or ""
    if annotated:
        return annotated, None if f'"revision":"{annotated}"' in status else _other(status, annotated)
    told = _status_revision(status) or _connects_to(container)
    if told is None and (before(version, 1, 11) or len(item["spec"].get("containers") or []) == 1):
        told = labels.get(REVISION)
    return told, None


def _other(status: str, annotated: str) -> str | None:
    told = _status_revision(status)
    return None if told == annotated else told


def _status_revision(status: str) -> str | None:
    """None for what is absent or not ours to understand."""
    try:
        found = json.loads(status or "{}")
    except ValueError:
        return None
    return str(found["revision"]) if isinstance(found, dict) and found.get("revision") else None


def _connects_to(container: Json) -> str | None:
    """By ``PROXY_CONFIG``, which holds an address only where that is not the usual one, then by ``CA_ADDR``."""
    given = {one["name"]: one.get("value") or "" for one in container.get("env") or [] if one["name"] in ("PROXY_CONFIG", "CA_ADDR")}
    address = _DISCOVERY.search(given.get("PROXY_CONFIG", "")) or _ISTIOD.match(given.get("CA_ADDR", ""))
    return (address[1] or DEFAULT) if address else None


def _waiting(status: Json) -> tuple[str, str]:
    """Why and which container; the sidecar's own first, since the others may only suffer from it."""
    statuses = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    for container in sorted(statuses, key=lambda one: one["name"] not in SIDECAR):
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason and reason not in _SLOW:
            return str(reason), str(container["name"])
    unscheduled = (c for c in status.get("conditions") or [] if c["type"] == "PodScheduled" and c["status"] == "False")
    return next((str(c.get("reason") or "Unschedulable") for c in unscheduled), ""), ""
