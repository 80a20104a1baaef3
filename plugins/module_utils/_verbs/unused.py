# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check that comes before any removal: nothing that the cluster shows may still need the revision."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.referrers import around
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Successor, check_unused, left_unserved
from ansible_collections.meshops.istio.plugins.module_utils._mesh.successor import check_stands

SUCCESSOR: dict[str, t.Any] = {
    "successor": {"type": "str"},
    "default_tag": {"type": "str", "choices": ["move", "remove"], "default": "move"},
}


def successor_of(params: Mapping[str, t.Any]) -> Successor | None:
    return Successor(params["successor"], params["default_tag"]) if params["successor"] else None


def check(cluster: Cluster, revision: str, istio_namespace: str, successor: Successor | None, *, taken_over: bool) -> tuple[str, ...]:
    """Raises Blocked with all that still needs the revision, MeshError where its successor is not ready; returns warnings.

    Those are about who will ask in vain.

    ``taken_over`` says that the successor has the default tag, the validator and the namespaces already: then nothing is overlooked.
    """
    snapshot, named = take(cluster), around(cluster, revision, istio_namespace)
    if successor:
        check_stands(snapshot, successor.revision)
    judged_as = None if taken_over else successor
    check_unused(snapshot, revision, named, istio_namespace=istio_namespace, successor=judged_as)
    return left_unserved(snapshot, revision, successor) if successor else ()
