# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Services of the namespaces that have control planes: two lists for each of these, mostly for one."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.endpoints import ready_in
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import name_of, namespace_of, strings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Service, Services


def services_in(cluster: Cluster, namespaces: Iterable[str]) -> Services:
    """What this user may not list is not known; a namespace that is not there has none."""
    found: dict[tuple[str, str], Service] = {}
    endpoints: dict[tuple[str, str], int] = {}
    seen, counted = set[str](), set[str]()
    asked = frozenset(namespaces)
    for namespace in sorted(asked):
        listed = _listed(cluster, namespace)
        if listed is not None:
            seen.add(namespace)
            found |= {(namespace, one.name): one for one in listed}
        ready = ready_in(cluster, namespace)
        if ready is not None:
            counted.add(namespace)
            endpoints |= {(namespace, name): count for name, count in ready.items()}
    return Services(found, frozenset(seen), asked - (seen & counted), endpoints, frozenset(counted))


def _listed(cluster: Cluster, namespace: str) -> list[Service] | None:
    try:
        return cluster.values(f"/api/v1/namespaces/{namespace}/services", _service)
    except ApiError as problem:
        if problem.status == 403:
            return None
        raise


def _service(item: Json) -> Service:
    labels = strings(item, "metadata", "labels")
    return Service(namespace_of(item), name_of(item), labels.get(TAG), labels.get(REVISION))
