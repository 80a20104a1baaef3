# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may name a revision besides namespaces and workloads: webhooks that call its Service, tags, and objects pinned to it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH as MUTATING
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import VALIDATORS as VALIDATING
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Around, Caller, Pinned, TagService
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG

_GROUPS = ("networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io", "gateway.networking.k8s.io")
"""Whose objects a revision may be alone to read: Istio's own, and the Gateway API's."""
_OF_AN_INSTALLER = "operator.istio.io/component"
_AT_A_TIME = 8


def around(cluster: Cluster, revision: str, istio_namespace: str) -> Around:
    """Asks for one list a kind. What this user may not list is an error: unseen is not unused."""
    callers = [
        _caller(kind, item)
        for kind, path in (("MutatingWebhookConfiguration", MUTATING), ("ValidatingWebhookConfiguration", VALIDATING))
        for item in cluster.items(path)
    ]
    services = cluster.items(f"/api/v1/namespaces/{istio_namespace}/services", labelSelector=TAG)
    return Around(tuple(callers), _pinned(cluster, revision), tuple(_tag(item) for item in services))


def _caller(kind: str, item: Json) -> Caller:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    called = ((entry.get("clientConfig") or {}).get("service") for entry in item.get("webhooks") or [])
    services = frozenset((one["namespace"], one["name"]) for one in called if one)
    return Caller(kind, metadata["name"], labels.get(REVISION), labels.get(TAG), services)


def _tag(item: Json) -> TagService:
    labels = item["metadata"]["labels"]
    return TagService(item["metadata"]["name"], labels[TAG], labels.get(REVISION) or DEFAULT)


def _pinned(cluster: Cluster, revision: str) -> tuple[Pinned, ...]:
    """Those that an installer made of itself (telemetry of 1.9 to 1.20) belong to the control plane, and do not keep it."""
    selector = f"{REVISION}={revision},!{_OF_AN_INSTALLER}"
    kinds = list(_kinds(cluster))

    def listed(kind: tuple[str, str]) -> list[Pinned]:
        path, resource = kind
        found = cluster.items(path, labelSelector=selector)
        return [Pinned(resource, item["metadata"].get("namespace", ""), item["metadata"]["name"]) for item in found]

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return tuple(one for found in pool.map(listed, kinds) for one in found)


def _kinds(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Path and name of each namespaced kind of these groups that the API server has, in the version that it prefers."""
    for group in _GROUPS:
        known = cluster.get(f"/apis/{group}")
        if known is None:
            continue
        version = known["preferredVersion"]["groupVersion"]
        for kind in (cluster.get(f"/apis/{version}") or {}).get("resources") or []:
            if "list" in kind["verbs"] and kind["namespaced"]:
                yield f"/apis/{version}/{kind['name']}", f"{kind['name']}.{group}"
