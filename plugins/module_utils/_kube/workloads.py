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
from sys import intern

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.demands import demands
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.holders import of_workload
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import (
    at,
    mapping,
    mappings,
    name_of,
    namespace_of,
    number,
    strings,
    text,
    uid_of,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.quantities import of_pod
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import NOBODY
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, before, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import (
    RESTARTED,
    SIDECAR,
    TEMPLATE_OF,
    Gateway,
    Owner,
    Pod,
    Proxy,
    Restarted,
    Workload,
)

PODS = "/api/v1/pods"
POD_HASH = TEMPLATE_OF["Deployment"]
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
_SERVICE = r'(?:https?://)?istiod(?:-([a-z0-9-]+))?\.[a-z0-9-]+(?:\.svc\b|[:"]|$)'
"""An address in the cluster; one that begins alike may be anybody's (``istiod.example.com``)."""
_DISCOVERY = re.compile(rf'"(?:discoveryAddress)"\s*:\s*"{_SERVICE}')
_ISTIOD = re.compile(_SERVICE)
_ADDRESSES = ("CA_ADDR", "XDS_ADDRESS", "CA_ADDRESS")
"""Of istiod: a sidecar's, and those of a ztunnel (chart ztunnel, 1.30), which has no ``PROXY_CONFIG``. CNI has none."""
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_REPLICA_SET = re.compile(r'replica ?set "([^"]+)"', re.IGNORECASE)
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
    metadata, spec, status = mapping(item, "metadata"), mapping(item, "spec"), mapping(item, "status")
    template, annotations = mapping(spec, "template"), strings(metadata, "annotations")
    daemon = kind == "DaemonSet"
    strategy = mapping(spec, "strategy") or mapping(spec, "updateStrategy")
    replicas = number(status, "desiredNumberScheduled") if daemon else number(spec, "replicas", default=1)
    total = number(status, "currentNumberScheduled" if daemon else "replicas")
    owner = _controller(metadata) or {}
    return Workload(
        kind=kind,
        namespace=namespace_of(item),
        name=name_of(item),
        uid=uid_of(item),
        template=shape(template),
        replicas=replicas,
        generation=number(metadata, "generation"),
        observed=number(status, "observedGeneration"),
        total=total,
        updated=total if kind in MAKERS else number(status, "updatedNumberScheduled" if daemon else "updatedReplicas"),
        available=number(status, "numberAvailable" if daemon else "availableReplicas"),
        paused=bool(spec.get("paused")),
        failure=_failure(status),
        proxy_image_set=PROXY_IMAGE in strings(template, "metadata", "annotations"),
        gateway=_gateway(strings(metadata, "labels"), template),
        on_delete=strategy.get("type") == "OnDelete",
        partition=number(strategy, "rollingUpdate", "partition") if kind == "StatefulSet" else 0,
        ordered=kind == "StatefulSet" and text(spec, "podManagementPolicy") in ("", "OrderedReady"),
        newest=_newest(kind, metadata, status),
        restarted=_restarted(annotations.get(RESTARTED)),
        part_of=_reference(owner) if owner and kind in MAKERS else None,
        part_of_uid=text(owner, "uid"),
        strategy=json.dumps(strategy, sort_keys=True) if strategy else "",
        at_once=_at_once(kind, strategy, replicas),
        demands=demands(kind, spec),
        held=of_workload(metadata, owner or None) if kind in KINDS else NOBODY,
        auto_image=any(one.get("image") == "auto" for one in mappings(template, "spec", "containers")),
    )


def _newest(kind: str, metadata: Json, status: Json) -> str:
    """What the controller calls the newest template; a Deployment's says so only in words, whatever it says of it.

    Sources: Kubernetes 1.36, pkg/controller/daemon/util (IsPodUpdated) and pkg/controller/deployment/progress.go.
    """
    if kind == "DaemonSet":
        return strings(metadata, "annotations").get(_TEMPLATE_GENERATION, "")
    if kind == "Deployment":
        found = (_REPLICA_SET.search(text(one, "message")) for one in mappings(status, "conditions") if text(one, "type") == "Progressing")
        return next((one[1].removeprefix(f"{text(metadata, 'name')}-") for one in found if one), "")
    return text(status, "updateRevision")


def _at_once(kind: str, strategy: Json, replicas: int) -> int:
    """What is new beside all that is wanted, and what may be missing of it: surge is rounded up, the other down."""
    rolling = mapping(strategy, "rollingUpdate")
    if strategy.get("type") == "Recreate":
        return max(replicas, 1)
    usual = ("25%", "25%") if kind == "Deployment" else (0, 1)
    surge, missing = (rolling.get(name, share) for name, share in zip(("maxSurge", "maxUnavailable"), usual, strict=True))
    return max(_share(surge, replicas, math.ceil) + _share(missing, replicas, math.floor), 1)


def _share(value: int | str, replicas: int, rounded: t.Callable[[float], int]) -> int:
    """A number, or a percentage of the replicas; 0 for anything else."""
    said = str(value)
    if said.endswith("%") and said[:-1].isdecimal():
        return rounded(replicas * int(said[:-1]) / 100)
    return int(said) if said.isdecimal() else 0


def _restarted(recorded: str | None) -> Restarted | None:
    """None for what is absent or not ours to understand."""
    found = _read(recorded)
    if not isinstance(found, dict) or not isinstance(found.get("stamp"), str):
        return None
    prior = found.get("prior")
    return Restarted(found["stamp"], prior if isinstance(prior, str) else None, str(found.get("home", "")))


def _gateway(labels: Mapping[str, str], template: Json) -> Gateway:
    """One that Gateway API manages, one that injection makes (``image: auto``), or one that is rendered whole.

    Source: Istio 1.30, deploymentcontroller.go, chart ``gateway``, charts/gateways. A template that ``kube-inject`` has written has
    the proxy beside the application, and says so in its status annotation.
    """
    annotations = strings(template, "metadata", "annotations")
    containers = {text(one, "name") for one in mappings(template, "spec", "containers")}
    if MANAGED_GATEWAY in labels:
        return Gateway.MANAGED
    if "gateway" in {name.strip() for name in annotations.get(TEMPLATES, "").split(",")}:
        return Gateway.INJECTED
    return Gateway.RENDERED if containers == {PROXY} and STATUS not in annotations else Gateway.NONE


def _failure(status: Json) -> str:
    for condition in mappings(status, "conditions"):
        kind, reason = text(condition, "type"), text(condition, "reason")
        failed = kind == "ReplicaFailure" and text(condition, "status") == "True"
        if failed or (kind == "Progressing" and reason == "ProgressDeadlineExceeded"):
            return f"{reason}: {text(condition, 'message')}"
    return ""


def shape(item: Json) -> PodShape:
    """A pod or a pod template."""
    metadata = mapping(item, "metadata")
    return PodShape(strings(metadata, "labels"), strings(metadata, "annotations"), at(item, "spec", "hostNetwork") is True)


def image_of(template: Json, container: str) -> str:
    return next((text(one, "image") for one in mappings(template, "spec", "containers") if text(one, "name") == container), "")


def pod(item: Json) -> Pod:
    metadata, status = mapping(item, "metadata"), mapping(item, "status")
    conditions = {text(one, "type"): one for one in mappings(status, "conditions")}
    ready = conditions.get("Ready", {})
    waiting, container = _waiting(status, conditions.get("PodScheduled", {}))
    owner = _controller(metadata)
    return Pod(
        namespace=namespace_of(item),
        name=name_of(item),
        uid=uid_of(item),
        owner=_owner(metadata, owner),
        shape=shape(item),
        proxy=proxy(item),
        ready=text(ready, "status") == "True",
        finished=text(status, "phase") in ("Succeeded", "Failed"),
        deleting=bool(text(metadata, "deletionTimestamp")),
        waiting=waiting,
        container=container,
        maker=_reference(owner) if owner else None,
        maker_uid=text(owner, "uid"),
        never_ready=_never_ready(ready, text(status, "startTime")),
        seconds=_seconds_until_ready(ready, text(status, "startTime")),
        node=intern(text(item, "spec", "nodeName")),
        resources=of_pod(mapping(item, "spec")),
    )


def _controller(metadata: Json) -> Json | None:
    """The owner that is its controller, as far as it says who that is."""
    owners = (one for one in mappings(metadata, "ownerReferences") if one.get("controller"))
    return next((one for one in owners if text(one, "kind") and text(one, "name")), None)


def _reference(reference: Json) -> Owner:
    group = text(reference, "apiVersion").rpartition("/")[0]
    return Owner(text(reference, "kind"), text(reference, "name"), "" if group in KUBERNETES else group)


def _owner(metadata: Json, reference: Json | None) -> Owner:
    """A Deployment's ReplicaSet is named after it and the pod-template-hash, so that ReplicaSets need no list of their own."""
    if reference is None:
        return Owner("Pod", text(metadata, "name"))
    template_hash, owner = text(metadata, "labels", POD_HASH), _reference(reference)
    if owner.kind == "ReplicaSet" and template_hash and owner.name.endswith(f"-{template_hash}"):
        return Owner("Deployment", owner.name.removesuffix(f"-{template_hash}"))
    return owner


def _never_ready(ready: Json, began: str) -> bool:
    """A condition keeps the time at which its status changed last: one that is False since the start was never True."""
    if not ready:
        return True
    if text(ready, "status") == "True":
        return False
    seconds = _between(began, text(ready, "lastTransitionTime"))
    return seconds is not None and seconds <= _AT_ONCE


def _seconds_until_ready(ready: Json, began: str) -> int | None:
    seconds = _between(began, text(ready, "lastTransitionTime")) if text(ready, "status") == "True" else None
    return None if seconds is None else max(int(seconds), 1)


def _between(began: str, since: str) -> float | None:
    """Seconds; None where one of them is no time."""
    try:
        return datetime.fromisoformat(since).timestamp() - datetime.fromisoformat(began).timestamp()
    except (ValueError, OverflowError):
        return None


def proxy(item: Json) -> Proxy | None:
    """The sidecar as container or native (restartable init container); its status is in the list that matches."""
    for containers, statuses, native in (("containers", "containerStatuses", False), ("initContainers", "initContainerStatuses", True)):
        for container in mappings(item, "spec", containers):
            if text(container, "name") == PROXY:
                ready = any(text(one, "name") == PROXY and one.get("ready") is True for one in mappings(item, "status", statuses))
                image = text(container, "image")
                version = version_of_image(image)
                revision, status_says = _revision(item, container, version)
                return Proxy(revision, version, native, ready, image, status_says)
    return None


def _revision(item: Json, container: Json, version: str | None) -> tuple[str | None, str | None]:
    """Annotation (1.18 and later), then the status annotation (1.11 and later), then where the proxy connects to, then its label.

    The second is what the status annotation says beside an annotation that says something else. A label holds a tag where a user has
    set it: it is the revision only where injection writes it, up to 1.10, and on what is rendered whole.
    """
    annotated, status = text(item, "metadata", "annotations", REVISION), text(item, "metadata", "annotations", STATUS)
    if annotated:
        return annotated, None if f'"revision":"{annotated}"' in status else _other(status, annotated)
    told = _status_revision(status) or _connects_to(container)
    if told is None and (before(version, 1, 11) or len(mappings(item, "spec", "containers")) == 1):
        told = text(item, "metadata", "labels", REVISION) or None
    return told, None


def _other(status: str, annotated: str) -> str | None:
    told = _status_revision(status)
    return None if told == annotated else told


def _status_revision(status: str) -> str | None:
    """None for what is absent or not ours to understand."""
    return text(_read(status), "revision") or None


def _read(annotation: str | None) -> object:
    """An annotation that holds JSON; None where it does not."""
    try:
        return read_json(annotation) if annotation else None
    except ValueError:
        return None


def _connects_to(container: Json) -> str | None:
    """By ``PROXY_CONFIG``, which holds an address only where that is not the usual one, then by the variables that are one."""
    given = {text(one, "name"): text(one, "value") for one in mappings(container, "env")}
    addresses = (_ISTIOD.match(given.get(name, "")) for name in _ADDRESSES)
    address = _DISCOVERY.search(given.get("PROXY_CONFIG", "")) or next(filter(None, addresses), None)
    return (address[1] or DEFAULT) if address else None


def _waiting(status: Json, scheduled: Json) -> tuple[str, str]:
    """Why and which container; the sidecar's own first, since the others may only suffer from it."""
    statuses = [*mappings(status, "initContainerStatuses"), *mappings(status, "containerStatuses")]
    waiting = ((text(one, "state", "waiting", "reason"), text(one, "name")) for one in statuses)
    slow = sorted(((reason, name) for reason, name in waiting if reason and reason not in _SLOW), key=lambda one: one[1] not in SIDECAR)
    if slow:
        return slow[0]
    return (text(scheduled, "reason") or "Unschedulable", "") if text(scheduled, "status") == "False" else ("", "")
