# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's own record of a release, as Secrets: followed while an operation is under way, and cleared of one that was killed.

A helm that dies in the middle leaves ``pending-install`` or ``pending-upgrade`` behind and refuses every later operation
(helm issue 8987). Without that record the next operation adopts what is there already, since it carries the release's annotations.
"""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind


def follow(cluster: Cluster, namespace: str, release: str) -> Follow:
    kind = Kind(f"/api/v1/namespaces/{namespace}/secrets", _status, selector=f"owner=helm,name={release}")
    return Follow(cluster, {"records": kind})


def busy(now: Follow) -> tuple[str, ...]:
    return tuple(status for status in now.objects("records") if status.startswith("pending-"))


def clear(cluster: Cluster, namespace: str, release: str, number: int) -> None:
    cluster.delete(f"/api/v1/namespaces/{namespace}/secrets/sh.helm.release.v1.{release}.v{number}")


def _status(item: Json) -> str:
    return str((item["metadata"].get("labels") or {}).get("status", ""))
