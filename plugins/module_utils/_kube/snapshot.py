# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all that the verbs decide upon: one list call a kind over the whole cluster."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, PODS, image_of, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload, unlisted

ISTIOD = {"app": "istiod"}


def take(cluster: Cluster) -> Snapshot:
    workloads: list[Workload] = []
    planes: list[ControlPlane] = []
    for kind, path in KINDS.items():
        parse = workload(kind)
        for item in cluster.items(path):
            one = parse(item)
            plane = control_plane(item, one) if kind == "Deployment" else None
            if plane:
                planes.append(plane)
            else:
                workloads.append(one)
    pods = tuple(pod(item) for item in cluster.items(PODS))
    listed = [*workloads, *(plane.deployment for plane in planes)]
    return Snapshot(
        control_planes=tuple(planes),
        injectors=all_injectors(cluster),
        namespaces=all_namespaces(cluster),
        workloads=(*workloads, *unlisted(pods, listed)),
        pods=pods,
    )


def control_plane(item: Json, deployment: Workload) -> ControlPlane | None:
    """An istiod, by the labels ``app: istiod`` and ``istio.io/rev`` of its Deployment; None for anything else."""
    labels = item["metadata"].get("labels") or {}
    if labels.get("app") != ISTIOD["app"]:
        return None
    return ControlPlane(
        revision=labels.get(REVISION) or DEFAULT,
        namespace=deployment.namespace,
        name=deployment.name,
        version=version_of_image(image_of(item["spec"]["template"], "discovery")),
        deployment=deployment,
    )
