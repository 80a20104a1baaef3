# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all that the verbs decide upon: one list call a kind over the whole cluster."""

from __future__ import annotations

import typing as t

from ansible_collections.meshops.istio.plugins.module_utils._kube import budgets
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, POD_HASH, PODS, image_of, makers, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installer import Marks, installed_by
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload, family

ISTIOD = {"app": "istiod"}
DISCOVERY = "discovery"
"""Its container."""
CLUSTER_ID, KUBERNETES = "CLUSTER_ID", "Kubernetes"
"""The name by which istiod knows its own cluster, and the one that it has where none is given."""


def take(cluster: Cluster) -> Snapshot:
    read: list[Workload] = []
    planes: list[ControlPlane] = []
    for kind, path in KINDS.items():
        parse = workload(kind)
        for item in cluster.items(path):
            one = parse(item)
            plane = control_plane(item, one) if kind == "Deployment" else None
            if plane:
                planes.append(plane)
            else:
                read.append(one)
    found = tuple(pod(item) for item in cluster.items(PODS))
    deployments = {one.owner for one in (*read, *(plane.deployment for plane in planes))}
    left = [one for one in found if one.owner.kind == "Deployment" and (one.namespace, one.owner) not in deployments]
    hidden: list[str] = []
    for name, maker in makers({one.shape.labels[POD_HASH] for one in left if POD_HASH in one.shape.labels}).items():
        read += _optional(cluster, name, maker, hidden)
    budget = tuple(_optional(cluster, budgets.KIND, Kind(budgets.PATH, budgets.parse), hidden))
    workloads, pods = family(read, found, (plane.deployment for plane in planes))
    return Snapshot(
        control_planes=tuple(planes),
        injectors=all_injectors(cluster),
        namespaces=all_namespaces(cluster),
        workloads=workloads,
        pods=pods,
        budgets=budget,
        hidden=tuple(hidden),
    )


def _optional(cluster: Cluster, name: str, kind: Kind, hidden: list[str]) -> list[t.Any]:
    """What is not there for this user (403), or not at all (404), is unknown, and named as that."""
    try:
        return [kind.parse(item) for item in cluster.items(kind.path, **kind.query)]
    except ApiError as problem:
        if problem.status not in (403, 404):
            raise
        hidden.append(name)
        return []


def what_injects(cluster: Cluster) -> Snapshot:
    """What decides about new pods, and no more: control planes, injectors and namespaces."""
    selector = ",".join(f"{name}={value}" for name, value in ISTIOD.items())
    parse = workload("Deployment")
    planes = (control_plane(item, parse(item)) for item in cluster.items(KINDS["Deployment"], labelSelector=selector))
    return Snapshot(tuple(plane for plane in planes if plane), all_injectors(cluster), all_namespaces(cluster), (), ())


def control_plane(item: Json, deployment: Workload) -> ControlPlane | None:
    """An istiod, by the labels ``app: istiod`` and ``istio.io/rev`` of its Deployment; None for anything else."""
    labels = item["metadata"].get("labels") or {}
    if labels.get("app") != ISTIOD["app"]:
        return None
    return ControlPlane(
        revision=labels.get(REVISION) or DEFAULT,
        namespace=deployment.namespace,
        name=deployment.name,
        version=version_of_image(image_of(item["spec"]["template"], DISCOVERY)),
        deployment=deployment,
        installed=installed_by(_marks(item)),
        cluster_id=_given(item, CLUSTER_ID) or KUBERNETES,
    )


def _marks(item: Json) -> Marks:
    metadata = item["metadata"]
    owners = [(one.get("apiVersion", "").rpartition("/")[0], one) for one in metadata.get("ownerReferences") or []]
    return Marks(
        labels=metadata.get("labels") or {},
        annotations=metadata.get("annotations") or {},
        owners=tuple(f"{group}/{one['kind']}/{one['name']}" if group else f"{one['kind']}/{one['name']}" for group, one in owners),
        applied_by=frozenset(one.get("manager", "") for one in metadata.get("managedFields") or [] if one.get("operation") == "Apply"),
        image=image_of(item["spec"]["template"], DISCOVERY),
    )


def _given(item: Json, variable: str) -> str:
    """The value of an environment variable of its container."""
    containers = item["spec"]["template"]["spec"].get("containers") or []
    given = (one for container in containers if container["name"] == DISCOVERY for one in container.get("env") or [])
    return next((one.get("value") or "" for one in given if one["name"] == variable), "")
