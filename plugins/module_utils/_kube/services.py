# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Services of the namespaces that have control planes: two lists for each of these, mostly for one."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.endpoints import ready_in
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Service, Services


def services_in(cluster: Cluster, namespaces: Iterable[str]) -> Services:
    """What this user may not list is not known; a namespace that is not there has none."""
    found: dict[tuple[str, str], Service] = {}
    endpoints: dict[tuple[str, str], int] = {}
    seen, counted = set[str](), set[str]()
    for namespace in sorted(set(namespaces)):
        listed = _listed(cluster, namespace)
        if listed is not None:
            seen.add(namespace)
            found |= {(namespace, one.name): one for one in listed}
        ready = ready_in(cluster, namespace)
        if ready is not None:
            counted.add(namespace)
            endpoints |= {(namespace, name): count for name, count in ready.items()}
    return Services(found, frozenset(seen), endpoints, frozenset(counted))


def _listed(cluster: Cluster, namespace: str) -> list[Service] | None:
    try:
        items = list(cluster.items(f"/api/v1/namespaces/{namespace}/services"))
    except ApiError as problem:
        if problem.status == 403:
            return None
        raise
    labels = [(item["metadata"]["name"], item["metadata"].get("labels") or {}) for item in items]
    return [Service(namespace, name, of.get(TAG), of.get(REVISION)) for name, of in labels]
