# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stock of a control plane in the cluster: a ConfigMap for each revision, and how one that we did not install is taken."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import text
from ansible_collections.meshops.istio.plugins.module_utils._kube.objects import read_live
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import own_names
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import FOUND, KEY, Stock, name_of, read


def load(cluster: Cluster, istio_namespace: str, revision: str) -> Stock | None:
    found = cluster.get(_path(istio_namespace, revision))
    return read(text(found, "data", KEY) or None, revision) if found else None


def save(cluster: Cluster, istio_namespace: str, stock: Stock) -> None:
    """Made or changed by one apply, which may be sent twice."""
    metadata = {"name": name_of(stock.revision), "labels": {"app.kubernetes.io/managed-by": "meshops"}}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {KEY: stock.written()}}
    cluster.apply(_path(istio_namespace, stock.revision), body)


def forget(cluster: Cluster, istio_namespace: str, revision: str) -> None:
    cluster.delete(_path(istio_namespace, revision))


def taken(cluster: Cluster, istio_namespace: str, revision: str) -> Stock:
    """Of a control plane as it stands, by the names that only this revision has; what belongs to a tag is never its own."""
    live = read_live(cluster, own_names(revision, istio_namespace))
    return Stock(revision, FOUND, {one.identity: one.uid for one in live.values() if TAG not in one.labels})


def _path(istio_namespace: str, revision: str) -> str:
    return f"/api/v1/namespaces/{istio_namespace}/configmaps/{name_of(revision)}"
