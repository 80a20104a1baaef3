# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a revision's sidecars ask for, by the values in its injector's ConfigMap."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.quantities import resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT


def _name(revision: str) -> str:
    return "istio-sidecar-injector" if revision == DEFAULT else f"istio-sidecar-injector-{revision}"


def rendered(objects: Iterable[Json], revision: str) -> Resources | None:
    """By what is rendered; None where that has no such ConfigMap."""
    named = (one for one in objects if one.get("kind") == "ConfigMap" and text(one, "metadata", "name") == _name(revision))
    return next((of_values(one) for one in named), None)


def installed(cluster: Cluster, namespace: str, revision: str) -> Resources | None:
    """By what stands in the cluster; None where it is not there, or this user may not read it."""
    try:
        found = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{_name(revision)}")
    except ApiError as problem:
        if problem.status != 403:
            raise
        return None
    return of_values(found) if found else None


def of_values(item: Json) -> Resources | None:
    """``global.proxy.resources``; None for values that say nothing of it, or cannot be read."""
    try:
        found = mapping(read_json(text(item, "data", "values") or "{}"), "global", "proxy", "resources")
    except ValueError:
        return None
    return resources(found) if found else None
