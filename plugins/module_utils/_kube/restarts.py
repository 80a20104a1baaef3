# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The writes by which pods are replaced: a stamp on a template, an eviction, and the deletion of a broken pod."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import reduce

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Stamp
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import RESTARTED, STAMP, Pod, Restarted


def stamp(cluster: Cluster, action: Stamp) -> int | None:
    """Stamps the pod template, as ``kubectl rollout restart`` does; returns the generation that has to be observed.

    What it was before is written in the same patch, so that there is no instant with one but not the other. None for a workload that was
    deleted or made anew since it was read: what is there now is judged by itself.
    """
    workload = action.judged.workload
    if action.declared:
        value: object = action.value
        path = action.declared.at(workload)
        patch: dict[str, object] = {"metadata": {"uid": workload.uid}}
        spec = reduce(lambda inner, key: {key: inner}, reversed(action.declared.path), value)
        patch |= spec if isinstance(spec, dict) else {}
    else:
        listing, _slash, plural = KINDS[workload.kind].rpartition("/")
        path = f"{listing}/namespaces/{workload.namespace}/{plural}/{workload.name}"
        patch = {
            "metadata": {"uid": workload.uid, "annotations": {RESTARTED: _written(action.restarted)}},
            "spec": {"template": {"metadata": {"annotations": {STAMP: action.value}}}},
        }
    try:
        return int(cluster.merge(path, patch)["metadata"].get("generation", 0))
    except ApiError as problem:
        # 422: the API server takes another UID for a change of an immutable field
        if problem.status in (404, 409) or (problem.status == 422 and "metadata.uid" in problem.why):
            return None
        raise


def _written(restarted: Restarted | None) -> str | None:
    return json.dumps(asdict(restarted), sort_keys=True) if restarted else None


class Denied(Exception):
    """A PodDisruptionBudget, or a server that is asked too often, allows no eviction now."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def evict(cluster: Cluster, pod: Pod) -> None:
    """Asks for the eviction of just this pod, and not of one that has its name by now. Raises Denied."""
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/eviction"
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod.name, "namespace": pod.namespace},
        "deleteOptions": {"preconditions": {"uid": pod.uid}},
    }
    try:
        cluster.create(path, body, patient=False)
    except ApiError as problem:
        if problem.status == 429:
            raise Denied(problem.retry_after) from problem
        if problem.status not in (404, 409):  # gone, or another one of the same name
            raise


def delete(cluster: Cluster, pod: Pod) -> None:
    try:
        cluster.delete(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}", uid=pod.uid)
    except ApiError as problem:
        if problem.status != 409:
            raise
