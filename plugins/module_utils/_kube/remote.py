# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remote secrets: the logins to other clusters that a control plane has. Only that they are there is read."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster


def remote_secrets(cluster: Cluster, namespace: str) -> int | None:
    """How many there are; None where this user may not list them."""
    path = f"/api/v1/namespaces/{namespace}/secrets"
    try:
        return len(list(cluster.metadata_alone().items(path, labelSelector="istio/multiCluster=true")))
    except ApiError as problem:
        if problem.status != 403:
            raise
        return None
