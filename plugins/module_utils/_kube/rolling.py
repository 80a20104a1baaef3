# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments and pods while they roll: restarting one, and following all."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, PODS, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner, Pod, Workload

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
"""kubectl's own stamp, which operators know and keep."""


def follow(cluster: Cluster) -> Follow:
    return Follow(cluster, {"deployments": Kind(KINDS["Deployment"], workload("Deployment")), "pods": Kind(PODS, pod)})


def deployments(now: Follow) -> dict[tuple[str, str], Workload]:
    return {(one.namespace, one.name): one for one in now.objects("deployments")}


def pods_by_owner(pods: Iterable[Pod]) -> dict[tuple[str, Owner], list[Pod]]:
    owned: dict[tuple[str, Owner], list[Pod]] = {}
    for one in pods:
        if one.owner:
            owned.setdefault((one.namespace, one.owner), []).append(one)
    return owned


def restart(cluster: Cluster, deployment: Workload, stamp: str) -> int:
    """Stamps the pod template, as ``kubectl rollout restart`` does; returns the generation that has to be observed."""
    path = f"/apis/apps/v1/namespaces/{deployment.namespace}/deployments/{deployment.name}"
    patch = {"metadata": {"uid": deployment.uid}, "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: stamp}}}}}
    return int(cluster.merge(path, patch)["metadata"]["generation"])
