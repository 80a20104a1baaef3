# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiods say of themselves, pod by pod: their version, by the API server's proxy, and who is connected, by a command in the pod.

``/debug/syncz`` is answered over loopback only (1.11 and later): through the API server's proxy it is 401. ``/version`` is for anybody.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.execute import output
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import at, name_of, namespace_of, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import DISCOVERY, ISTIOD
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import PODS
from ansible_collections.meshops.istio.plugins.module_utils._mesh.connections import Connection, Heard, Istiod, Sync
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION

SYNCZ = ("pilot-discovery", "request", "GET", "/debug/syncz")
MONITORING = 15014
_PAIRS = ("cluster", "listener", "route", "endpoint", "extensionconfig")
"""Before ``_sent`` and ``_acked``: all that there is where an istiod does not list ``resources``."""
_AT_A_TIME = 8
_NOT_RUNNING = "it does not run"

Answer = t.TypeVar("Answer")


def all_istiods(cluster: Cluster) -> tuple[Istiod, ...]:
    selector = ",".join(f"{name}={value}" for name, value in ISTIOD.items())
    found = [item for item in cluster.items(PODS, labelSelector=selector) if not at(item, "metadata", "deletionTimestamp")]
    return tuple(_istiod(item) for item in found if text(item, "status", "phase") not in ("Succeeded", "Failed"))


def _istiod(item: Json) -> Istiod:
    revision = text(item, "metadata", "labels", REVISION) or DEFAULT
    return Istiod(namespace_of(item), name_of(item), revision, text(item, "status", "phase") == "Running")


@dataclass(frozen=True, slots=True)
class Said:
    """What one istiod says that it is."""

    istiod: Istiod
    version: str | None = None
    unread: str = ""
    """Why it could not be asked."""


def versions(cluster: Cluster, istiods: Iterable[Istiod]) -> tuple[Said, ...]:
    """One request each."""

    def ask(one: Istiod) -> str:
        return cluster.text(f"/api/v1/namespaces/{one.namespace}/pods/{one.name}:{MONITORING}/proxy/version")

    answers = _each(istiods, ask)
    return tuple(Said(one, unread=a.why.strip()) if isinstance(a, ApiError) else Said(one, _version(a)) for one, a in answers)


def _version(said: str) -> str:
    """``1.29.6-5f29a4c-Clean``: the version, where it was built from, and how."""
    return said.strip().rsplit("-", 2)[0]


def heard(cluster: Cluster, istiods: Iterable[Istiod]) -> tuple[Heard, ...]:
    """Who is connected to each; one command in each pod."""

    def ask(one: Istiod) -> Heard:
        if not one.running:
            return Heard(one, unread=_NOT_RUNNING)
        try:
            return Heard(one, parse(output(cluster, one.namespace, one.name, DISCOVERY, SYNCZ)))
        except (ValueError, TypeError, AttributeError, KeyError):
            return Heard(one, unread="its answer is not in the form that istiod gives")

    return tuple(Heard(one, unread=answer.why) if isinstance(answer, ApiError) else answer for one, answer in _each(istiods, ask))


def _each(istiods: Iterable[Istiod], ask: Callable[[Istiod], Answer]) -> list[tuple[Istiod, Answer | ApiError]]:
    def asked(one: Istiod) -> tuple[Istiod, Answer | ApiError]:
        try:
            return one, ask(one)
        except ApiError as problem:
            return one, problem

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(asked, istiods))


def parse(answer: bytes) -> tuple[Connection, ...]:
    """An istiod's list of proxies, 1.9 to 1.30; a list that is null is an empty one. Raises ValueError for anything else."""
    found = read_json(answer)
    if found is not None and not isinstance(found, list):
        raise ValueError("no list")
    return tuple(_connection(one) for one in found or [])


def _connection(one: Json) -> Connection:
    pod, _dot, namespace = str(one["proxy"]).rpartition(".")
    sync, error = _sync(one)
    return Connection(namespace, pod, str(one.get("cluster_id") or ""), one.get("istio_version") or None, sync, error)


def _sync(one: Json) -> tuple[Sync, str]:
    """Types that a proxy has not asked for were never sent, and count for nothing."""
    types = [(r.get("sent"), r.get("acked"), r.get("lastError") or "") for r in (one.get("resources") or {}).values()]
    types = types or [(one.get(f"{pair}_sent"), one.get(f"{pair}_acked"), "") for pair in _PAIRS]
    behind = [error for sent, acked, error in types if sent and sent != acked]
    if not behind:
        return Sync.SYNCED, ""
    error = next(filter(None, behind), "")
    return (Sync.REFUSED, error) if error else (Sync.PENDING, "")
