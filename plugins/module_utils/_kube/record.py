# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of the upgrade: ConfigMap ``meshops-upgrade`` in the Istio namespace."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import text
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import KEY, NAME, Record, read


@dataclass(frozen=True, slots=True)
class Stored:
    """The record as it was read, with the version that the next write must still find."""

    record: Record | None
    """None where the ConfigMap holds none."""
    version: str
    written: str
    """When it was written last, as the API server has it: ``2026-11-25T18:40:05Z``. Empty where that is not known."""


def place(istio_namespace: str) -> str:
    return f"ConfigMap {NAME} in namespace {istio_namespace}"


def load(cluster: Cluster, istio_namespace: str) -> Record | None:
    found = stored(cluster, istio_namespace)
    return found.record if found else None


def stored(cluster: Cluster, istio_namespace: str) -> Stored | None:
    """For who writes it afterwards."""
    found = cluster.get(f"/api/v1/namespaces/{istio_namespace}/configmaps/{NAME}")
    if found is None:
        return None
    metadata = found["metadata"]
    writes = (str(entry.get("time") or "") for entry in metadata.get("managedFields") or [])
    return Stored(read(text(found, "data", KEY) or None), metadata["resourceVersion"], max(writes, default=""))


def save(cluster: Cluster, istio_namespace: str, record: Record, *, over: Stored | None) -> None:
    """Writes over what was read, and only over that: of two who start at the same time one is told."""
    path = f"/api/v1/namespaces/{istio_namespace}/configmaps"
    data = {KEY: record.written()}
    try:
        if over:
            cluster.merge(f"{path}/{NAME}", {"metadata": {"resourceVersion": over.version}, "data": data})
        else:
            metadata = {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "meshops"}}
            cluster.create(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    except ApiError as problem:
        if problem.status != 409:
            raise
        if load(cluster, istio_namespace) != record:  # a patch whose answer was lost was sent twice: it is there
            raise _others(istio_namespace) from problem


def _others(istio_namespace: str) -> MeshError:
    return MeshError(
        "Somebody else is upgrading this cluster at the same time.",
        where=place(istio_namespace),
        why="it was changed after it had been read; nothing of it was overwritten",
        do="see who is at it with meshops.istio.status, then start the same command again if it is still needed",
    )
