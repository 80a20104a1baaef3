# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still needs a revision, so that it must not be removed. Pure."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot


def check_unused(snapshot: Snapshot, revision: str) -> None:
    """Raises MeshError where a namespace resolves to the revision, or a pod still runs its proxy."""
    namespaces = snapshot.injected_by(revision)
    running = sorted(
        {f"{pod.namespace}/{pod.name}" for pod in snapshot.pods if pod.proxy and pod.proxy.revision == revision and not pod.finished}
    )
    tags = sorted(
        i.tag for i in snapshot.injectors if i.tag and i.revision == revision and any(n.asks.revision == i.tag for n in snapshot.namespaces)
    )
    if not namespaces and not running and not tags:
        return
    parts = [f"namespaces {', '.join(namespaces[:5])}"] if namespaces else []
    parts += [f"followers of tag {', '.join(tags)}"] if tags else []
    parts += [f"pods {', '.join(running[:5])}" + (f" and {len(running) - 5} more" if len(running) > 5 else "")] if running else []
    raise MeshError(
        f'Control plane "{revision}" is still needed.',
        where="; ".join(parts),
        why="without it new pods there would be refused or get no sidecar, and running proxies would get no configuration",
        do="move the namespaces and restart their workloads first",
    )
