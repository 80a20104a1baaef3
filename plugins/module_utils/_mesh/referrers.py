# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still needs a revision, so that it must not be removed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import PRIOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_recorded
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed


def check_unused(snapshot: Snapshot, revision: str, validator: str | None) -> None:
    """Raises MeshError where something still needs the revision; ``validator`` is the cluster-wide one that calls its Service."""
    parts = list(_referrers(snapshot, revision, validator))
    if parts:
        raise MeshError(
            f'Control plane "{revision}" is still needed.',
            where="; ".join(parts),
            why="without it new pods there would be refused or get no sidecar, and running proxies would get no configuration",
            do="move the namespaces and restart their workloads first; a way back is given up by removing the annotation " + PRIOR,
        )


def _referrers(snapshot: Snapshot, revision: str, validator: str | None) -> Iterator[str]:
    namespaces = snapshot.injected_by(revision)
    if namespaces:
        yield f"namespaces {listed(namespaces)}"
    back = tuple(name for name in as_recorded(snapshot).injected_by(revision) if name not in namespaces)
    if back:
        yield f"the way back of namespaces {listed(back)}"
    tags = [i.tag for i in snapshot.injectors if i.tag and i.revision == revision]
    followed = sorted({tag for tag in tags if any(namespace.asks.revision == tag for namespace in snapshot.namespaces)})
    if followed:
        yield f"followers of tag {listed(followed)}"
    templates = [j.workload.path for j in snapshot.judged if j.decision.revision == revision and j.workload.namespace not in namespaces]
    if templates:
        yield f"workloads {listed(templates)}"
    pods = sorted({f"{p.namespace}/{p.name}" for p in snapshot.pods if p.proxy and p.proxy.revision == revision and not p.finished})
    if pods:
        yield f"pods {listed(pods)}"
    if validator:
        yield f"ValidatingWebhookConfiguration {validator}"
