# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads and pods as the domain knows them. Nothing beyond this file sees their JSON."""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner, Pod, Proxy, Workload

PODS = "/api/v1/pods"
KINDS = {
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
}
"""What is listed; other owners are found through their pods."""

STATUS = "sidecar.istio.io/status"
TEMPLATES = "inject.istio.io/templates"
MANAGED_GATEWAY = "gateway.istio.io/managed"
POD_HASH = "pod-template-hash"
PROXY = "istio-proxy"
PROXY_IMAGE = "sidecar.istio.io/proxyImage"
_DISCOVERY = re.compile(r'"(?:discoveryAddress)"\s*:\s*"istiod(?:-([a-z0-9-]+))?\.')
_SLOW = frozenset({"ContainerCreating", "PodInitializing"})


def workload(kind: str) -> t.Callable[[Json], Workload]:
    """A parser for one kind; list items do not say their own."""
    return lambda item: _workload(kind, item)


def _workload(kind: str, item: Json) -> Workload:
    metadata, spec, status = item["metadata"], item["spec"], item.get("status") or {}
    template = spec["template"]
    daemon = kind == "DaemonSet"
    return Workload(
        kind=kind,
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        template=shape(template),
        replicas=status.get("desiredNumberScheduled", 0) if daemon else spec.get("replicas", 1),
        generation=metadata.get("generation", 0),
        observed=status.get("observedGeneration", 0),
        total=status.get("currentNumberScheduled" if daemon else "replicas", 0),
        updated=status.get("updatedNumberScheduled" if daemon else "updatedReplicas", 0),
        available=status.get("numberAvailable" if daemon else "availableReplicas", 0),
        paused=bool(spec.get("paused")),
        failure=_failure(status),
        proxy_image_set=PROXY_IMAGE in ((template.get("metadata") or {}).get("annotations") or {}),
        gateway=_gateway(metadata.get("labels") or {}, template),
    )


def _gateway(labels: Mapping[str, str], template: Json) -> bool:
    """One that Gateway API manages, one that injection makes (``image: auto``), or one that is rendered whole.

    Source: Istio 1.30, deploymentcontroller.go, chart ``gateway``, charts/gateways. A template that ``kube-inject`` has written has
    the proxy beside the application, and says so in its status annotation.
    """
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    containers = {one["name"] for one in template["spec"].get("containers") or []}
    injected = "gateway" in {name.strip() for name in annotations.get(TEMPLATES, "").split(",")}
    return MANAGED_GATEWAY in labels or injected or (containers == {PROXY} and STATUS not in annotations)


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
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        owner=_owner(metadata),
        shape=shape(item),
        proxy=_proxy(item),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []),
        finished=status.get("phase") in ("Succeeded", "Failed"),
        deleting="deletionTimestamp" in metadata,
        waiting=_waiting(status),
    )


def _owner(metadata: Json) -> Owner:
    """A Deployment's ReplicaSet is named after it and the pod-template-hash, so that ReplicaSets need no list of their own."""
    reference = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    if reference is None:
        return Owner("Pod", metadata["name"])
    template_hash = (metadata.get("labels") or {}).get(POD_HASH)
    if reference["kind"] == "ReplicaSet" and template_hash and reference["name"].endswith(f"-{template_hash}"):
        return Owner("Deployment", reference["name"].removesuffix(f"-{template_hash}"))
    return Owner(reference["kind"], reference["name"])


def _proxy(item: Json) -> Proxy | None:
    """The sidecar as container or native (restartable init container); its status is in the list that matches."""
    spec, status = item["spec"], item.get("status") or {}
    for containers, statuses, native in (
        (spec.get("containers"), status.get("containerStatuses"), False),
        (spec.get("initContainers"), status.get("initContainerStatuses"), True),
    ):
        for container in containers or []:
            if container["name"] == PROXY:
                ready = any(s["name"] == PROXY and s.get("ready") for s in statuses or [])
                annotations = item["metadata"].get("annotations") or {}
                return Proxy(_revision(annotations, container), version_of_image(container.get("image", "")), native, ready)
    return None


def _revision(annotations: Mapping[str, str], container: Json) -> str | None:
    """Annotation (1.18 and later), then the status annotation (1.11 and later), then where the proxy connects to."""
    if REVISION in annotations:
        return annotations[REVISION]
    try:
        status = json.loads(annotations.get(STATUS) or "{}")
    except ValueError:
        status = {}
    if isinstance(status, dict) and status.get("revision"):
        return str(status["revision"])
    config = next((e.get("value", "") for e in container.get("env") or [] if e["name"] == "PROXY_CONFIG"), "")
    address = _DISCOVERY.search(config)
    return (address[1] or "default") if address else None


def _waiting(status: Json) -> str:
    for container in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        reason = ((container.get("state") or {}).get("waiting") or {}).get("reason", "")
        if reason and reason not in _SLOW:
            return str(reason)
    unscheduled = (c for c in status.get("conditions") or [] if c["type"] == "PodScheduled" and c["status"] == "False")
    return next((str(c.get("reason") or "Unschedulable") for c in unscheduled), "")
