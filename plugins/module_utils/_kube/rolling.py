# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments and pods while they roll: restarting one, and following all."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, PODS, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import STAMP
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload


def follow(cluster: Cluster) -> Follow:
    return Follow(cluster, {"deployments": Kind(KINDS["Deployment"], workload("Deployment")), "pods": Kind(PODS, pod)})


def live(now: Follow, snapshot: Snapshot) -> Snapshot:
    """The snapshot with the Deployments and pods as they are now."""
    return replace(snapshot, workloads=now.objects("deployments"), pods=now.objects("pods"))


def restart(cluster: Cluster, deployment: Workload, stamp: str) -> int | None:
    """Stamps the pod template, as ``kubectl rollout restart`` does; returns the generation that has to be observed.

    None for one that was deleted or made anew since it was read: what is there now is judged by itself.
    """
    path = f"/apis/apps/v1/namespaces/{deployment.namespace}/deployments/{deployment.name}"
    patch = {"metadata": {"uid": deployment.uid}, "spec": {"template": {"metadata": {"annotations": {STAMP: stamp}}}}}
    try:
        return int(cluster.merge(path, patch)["metadata"]["generation"])
    except ApiError as problem:
        if problem.status in (404, 409):
            return None
        raise
