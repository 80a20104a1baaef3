# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What only shows when one looks around: what restarts would miss, meet, or have set back. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.around import Around
from ansible_collections.meshops.istio.plugins.module_utils._mesh.disruption import disruption_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.drift import drift_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ownership import ownership_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot

_UNKNOWN = {
    "ConfigMap": "whether one that a template names is gone",
    "Secret": "whether one that a template names is gone",
    "ServiceAccount": "whether one that a template names is gone",
    "PersistentVolumeClaim": "whether one that a template names is gone, or keeps a second pod out",
    "ResourceQuota": "whether a restart has room in one",
    "LimitRange": "whether one keeps the new sidecar out",
    "Node": "whether the nodes have room for a restart",
    "HorizontalPodAutoscaler": "whether one is at its limit",
}


def surrounding_findings(plan: Plan, snapshot: Snapshot, around: Around, sidecar: Resources | None) -> Iterator[Finding]:
    """What is around the plan, and what of it could not be seen. ``sidecar`` is what one of the new revision asks for."""
    restarts = [judged.workload for judged in plan.restarts]
    yield from disruption_findings(plan.ways, snapshot.pods, around, sidecar)
    yield from drift_findings(restarts, around)
    yield from ownership_findings(plan.moves, restarts)
    for kind in around.hidden:
        yield warning(Topic.RIGHTS, f"This user may not list any {kind}", why=f"so it is not known {_UNKNOWN[kind]}", do=_grant(kind))


def _grant(kind: str) -> str:
    only = ", of which no more than names are read" if kind in ("Secret", "ConfigMap") else ""
    return f"grant it the verb list on that kind in all namespaces{only}, or go on without knowing"
