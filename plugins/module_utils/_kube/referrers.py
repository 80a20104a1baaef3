# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may name a revision besides namespaces and what runs: webhooks that call its Service, tags, objects pinned to it, Jobs to come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, mappings, name_of, strings, text, texts
from ansible_collections.meshops.istio.plugins.module_utils._kube.templates import to_come
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
    return Around(tuple(callers), _pinned(cluster, revision), tuple(_tag(item) for item in services), to_come(cluster))


def _caller(kind: str, item: Json) -> Caller:
    labels = strings(item, "metadata", "labels")
    called = (mapping(entry, "clientConfig", "service") for entry in mappings(item, "webhooks"))
    services = frozenset((text(one, "namespace"), text(one, "name")) for one in called if one)
    return Caller(kind, name_of(item), labels.get(REVISION), labels.get(TAG), services)


def _tag(item: Json) -> TagService:
    labels = strings(item, "metadata", "labels")
    return TagService(name_of(item), labels.get(TAG, ""), labels.get(REVISION) or DEFAULT)


def _pinned(cluster: Cluster, revision: str) -> tuple[Pinned, ...]:
    """Those that an installer made of itself (telemetry of 1.9 to 1.20) belong to the control plane, and do not keep it."""
    return tuple(one for _resource, found in _labelled(cluster, f"{REVISION}={revision}") for one in found.seen())


def all_pinned(cluster: Cluster) -> tuple[tuple[Pinned, ...], tuple[str, ...]]:
    """Those of every revision, and the kinds that this user may not list."""
    listed = list(_labelled(cluster, REVISION))
    hidden = tuple(resource for resource, found in listed if found.problem and found.problem.status == 403)
    return tuple(one for resource, found in listed if resource not in hidden for one in found.seen()), hidden


@dataclass(frozen=True, slots=True)
class _Listed:
    """Of one kind, or why it could not be listed."""

    found: tuple[Pinned, ...] = ()
    problem: ApiError | None = None

    def seen(self) -> tuple[Pinned, ...]:
        if self.problem:
            raise self.problem
        return self.found


def _labelled(cluster: Cluster, label: str) -> Iterator[tuple[str, _Listed]]:
    selector = f"{label},!{_OF_AN_INSTALLER}"

    def listed(kind: tuple[str, str]) -> tuple[str, _Listed]:
        path, resource = kind
        try:
            return resource, _Listed(tuple(cluster.values(path, partial(_pinned_one, resource), labelSelector=selector)))
        except ApiError as problem:
            return resource, _Listed(problem=problem)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield from pool.map(listed, list(_kinds(cluster)))


def _pinned_one(resource: str, item: Json) -> Pinned:
    says = hashlib.sha256(json.dumps(item.get("spec"), sort_keys=True).encode()).hexdigest()
    return Pinned(resource, text(item, "metadata", "namespace"), name_of(item), text(item, "metadata", "labels", REVISION), says)


def _kinds(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Path and name of each namespaced kind of these groups that the API server has, in the version that it prefers."""
    for group in _GROUPS:
        known = cluster.get(f"/apis/{group}")
        if known is None:
            continue
        version = text(known, "preferredVersion", "groupVersion")
        for kind in mappings(cluster.get(f"/apis/{version}"), "resources"):
            if "list" in texts(kind, "verbs") and kind.get("namespaced") is True:
                yield f"/apis/{version}/{text(kind, 'name')}", f"{text(kind, 'name')}.{group}"
