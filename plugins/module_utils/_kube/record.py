# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The record of the upgrade: ConfigMap ``meshops-upgrade`` in the Istio namespace."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import KEY, NAME, Record, read


def load(cluster: Cluster, istio_namespace: str) -> Record | None:
    found = cluster.get(f"/api/v1/namespaces/{istio_namespace}/configmaps/{NAME}")
    return read((found.get("data") or {}).get(KEY)) if found else None


def save(cluster: Cluster, istio_namespace: str, record: Record, *, new: bool) -> None:
    path = f"/api/v1/namespaces/{istio_namespace}/configmaps"
    data = {KEY: record.written()}
    if new:
        metadata = {"name": NAME, "labels": {"app.kubernetes.io/managed-by": "meshops"}}
        cluster.create(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
    else:
        cluster.merge(f"{path}/{NAME}", {"data": data})
