# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ready endpoints of Services: without one, the API server cannot call an injector, and refuses the pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import at, mappings, text


@dataclass(frozen=True, slots=True)
class Endpoints:
    service: str
    ready: int


def path(namespace: str) -> str:
    return f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"


def parse(item: Json) -> Endpoints:
    """``ready`` that is absent counts as ready (Kubernetes documentation, "EndpointSlices", conditions)."""
    ready = [one for one in mappings(item, "endpoints") if at(one, "conditions", "ready") is not False]
    return Endpoints(text(item, "metadata", "labels", "kubernetes.io/service-name"), len(ready))


def ready_in(cluster: Cluster, namespace: str) -> Mapping[str, int] | None:
    """How many ready endpoints each Service of a namespace has; None where this user may not see them."""
    try:
        found = cluster.values(path(namespace), parse)
    except ApiError as problem:
        if problem.status == 403:
            return None
        raise
    counted: Counter[str] = Counter()
    for one in found:
        counted[one.service] += one.ready
    return counted
