# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deployments and pods while they roll: restarting one, and following all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, PODS, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import STAMP
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload, unlisted


def follow(cluster: Cluster, kinds: Iterable[str]) -> Follow:
    """Pods, and workloads of these kinds."""
    return Follow(cluster, {**{kind: Kind(KINDS[kind], workload(kind)) for kind in kinds}, "pods": Kind(PODS, pod)})


def live(now: Follow, snapshot: Snapshot, kinds: Collection[str]) -> Snapshot:
    """The snapshot with its pods, and its workloads of the kinds that are followed, as they are now."""
    pods = now.objects("pods")
    followed = [one for kind in kinds for one in now.objects(kind)]
    listed = [*followed, *(one for one in snapshot.workloads if one.kind in KINDS and one.kind not in kinds)]
    return replace(snapshot, workloads=(*listed, *unlisted(pods, listed)), pods=pods)


def restart(cluster: Cluster, deployment: Workload, stamp: str) -> int | None:
    """Stamps the pod template, as ``kubectl rollout restart`` does; returns the generation that has to be observed.

    None for one that was deleted or made anew since it was read: what is there now is judged by itself.
    """
    path = f"/apis/apps/v1/namespaces/{deployment.namespace}/deployments/{deployment.name}"
    patch = {"metadata": {"uid": deployment.uid}, "spec": {"template": {"metadata": {"annotations": {STAMP: stamp}}}}}
    try:
        return int(cluster.merge(path, patch)["metadata"]["generation"])
    except ApiError as problem:
        # 422: the API server takes another UID for a change of an immutable field
        if problem.status in (404, 409) or (problem.status == 422 and "metadata.uid" in problem.why):
            return None
        raise
