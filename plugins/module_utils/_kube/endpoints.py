# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ready endpoints of Services: without one, the API server cannot call an injector, and refuses the pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json


@dataclass(frozen=True, slots=True)
class Endpoints:
    service: str
    ready: int


def path(namespace: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def parse(item: Json) -> Endpoints:
    """``ready`` that is absent counts as ready (Kubernetes documentation, "EndpointSlices", conditions)."""
    labels = item["metadata"].get("labels") or {}
    ready = [one for one in item.get("endpoints") or [] if (one.get("conditions") or {}).get("ready") is not False]
    return Endpoints(labels.get("kubernetes.io/service-name", ""), len(ready))


def ready_in(cluster: Cluster, namespace: str) -> Mapping[str, int] | None:
    """How many ready endpoints each Service of a namespace has; None where this user may not see them."""
    try:
        found = [parse(item) for item in cluster.items(path(namespace))]
    except ApiError as problem:
        if problem.status == 403:
            return None
        raise
    counted: Counter[str] = Counter()
    for one in found:
        counted[one.service] += one.ready
    return counted
