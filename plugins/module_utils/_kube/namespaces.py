# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as the domain knows them. Nothing beyond this file sees their JSON."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.holders import of_namespace
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, name_of, strings, text, uid_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import LAST, PRIOR, Move, Namespace, read_prior

PATH = "/api/v1/namespaces"
_AT_ONCE = 4
"""Fewer than the client's pool keeps connections for (5 a core)."""


def all_namespaces(cluster: Cluster) -> tuple[Namespace, ...]:
    return tuple(cluster.values(PATH, parse))


def parse(item: Json) -> Namespace:
    annotations = strings(item, "metadata", "annotations")
    return Namespace(
        name=name_of(item),
        uid=uid_of(item),
        version=text(item, "metadata", "resourceVersion"),  # a dry run gives none
        labels=strings(item, "metadata", "labels"),
        prior=read_prior(annotations.get(PRIOR)),
        deleting=bool(text(item, "metadata", "deletionTimestamp")),
        last=read_prior(annotations.get(LAST)),
        held=of_namespace(mapping(item, "metadata")),
    )


def relabel_all(cluster: Cluster, namespaces: Sequence[Namespace], decide: t.Callable[[Namespace], Move]) -> None:
    """Writes their moves, a few at a time, since each has its own preconditions and none depends on another.

    Where one fails no further one is begun, those on their way come to their end, and the first failure is raised.
    """
    stop = threading.Event()

    def write(namespace: Namespace) -> None:
        if not stop.is_set():
            try:
                relabel(cluster, namespace, decide)
            except BaseException:
                stop.set()
                raise

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        writes = [pool.submit(write, namespace) for namespace in namespaces]
        try:
            for one in writes:
                one.result()
        finally:
            stop.set()


def relabel(cluster: Cluster, namespace: Namespace, decide: t.Callable[[Namespace], Move]) -> Move:
    """Writes one move; where somebody changed the namespace meanwhile it is read and decided again.

    A namespace that was recreated meanwhile (another UID) is never written to.
    """
    for _attempt in range(5):
        move = decide(namespace)
        if not move.needed:
            return move
        try:
            cluster.merge(f"{PATH}/{namespace.name}", move.patch())
            return move
        except ApiError as problem:
            again = cluster.get(f"{PATH}/{namespace.name}") if problem.status == 409 else None
            if again is None or again["metadata"]["uid"] != namespace.uid:
                raise
            namespace = parse(again)
    raise ApiError(409, "Conflict", "the namespace changed five times while it was being written", "PATCH", f"{PATH}/{namespace.name}")
