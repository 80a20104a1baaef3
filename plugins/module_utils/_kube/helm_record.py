# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's own records of a release, as Secrets: followed while an operation is under way, and cleared of one that was killed.

A helm that dies in the middle leaves ``pending-install`` or ``pending-upgrade`` behind and refuses every later operation
(helm issue 8987). Without that record the next operation adopts what is there already, since it carries the release's annotations.
But a pending record may as well be somebody's ``helm upgrade --wait``, and stands for minutes then. So ours carry a mark.
"""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind

MARK = "meshops.io/number"
"""A label that helm puts on the record before it begins. Later operations, of anybody, inherit it: so it says which one is ours."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One record: what an installation, upgrade or rollback with this number came to, or is at."""

    name: str
    uid: str
    version: str
    number: int
    status: str
    ours: bool

    @property
    def busy(self) -> bool:
        return busy(self.status)


def busy(status: str) -> bool:
    """An operation is under way, or was when helm was killed."""
    return status.startswith("pending-") or status == "uninstalling"


def follow(cluster: Cluster, namespace: str, release: str) -> Follow:
    return Follow(cluster, {"records": Kind(_path(namespace), _operation, selector=f"owner=helm,name={release}")})


def newest(now: Follow) -> Operation | None:
    """An older one that is still pending is history: a rollback went past it."""
    return max(now.objects("records"), key=lambda one: one.number, default=None)


def clear(cluster: Cluster, namespace: str, operation: Operation) -> bool:
    """Removes the record as it was judged; False where it has changed since, and nothing was removed."""
    try:
        cluster.delete(f"{_path(namespace)}/{operation.name}", uid=operation.uid, version=operation.version)
    except ApiError as problem:
        if problem.status == 409:
            return False
        raise
    return True


def _path(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/secrets"


def _operation(item: Json) -> Operation:
    metadata = item["metadata"]
    labels = metadata.get("labels") or {}
    number = labels.get("version", "")
    return Operation(
        name=metadata["name"],
        uid=metadata["uid"],
        version=metadata["resourceVersion"],
        number=int(number) if number.isdigit() else 0,
        status=labels.get("status", ""),
        ours=number != "" and labels.get(MARK) == number,
    )
