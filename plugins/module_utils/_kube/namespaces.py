# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces as the domain knows them. Nothing beyond this file sees their JSON."""

from __future__ import annotations

import typing as t

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import LAST, PRIOR, Move, Namespace, read_prior

PATH = "/api/v1/namespaces"


def all_namespaces(cluster: Cluster) -> tuple[Namespace, ...]:
    return tuple(parse(item) for item in cluster.items(PATH))


def parse(item: Json) -> Namespace:
    metadata = item["metadata"]
    return Namespace(
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata.get("resourceVersion", ""),  # a dry run gives none
        labels=metadata.get("labels") or {},
        prior=read_prior((metadata.get("annotations") or {}).get(PRIOR)),
        deleting="deletionTimestamp" in metadata,
        last=read_prior((metadata.get("annotations") or {}).get(LAST)),
    )


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
