# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade would move and restart, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, Weight, in_order, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import install_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.moving import move_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    Move,
    move_to,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_before, predict
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Way, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.reinjection import reinjection_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restarting import restart_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target, default_waves, named_waves, old_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing


@dataclass(frozen=True, slots=True)
class Plan:
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    moves: tuple[Move, ...]
    restarts: tuple[Judged, ...]
    """What is restarted by us."""
    ways: tuple[tuple[Judged, Way], ...]
    """All that is stale then, with how it gets its new sidecars."""
    findings: tuple[Finding, ...]
    """In the order in which they are told."""

    @property
    def blockers(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.weight is Weight.BLOCKER)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.weight is Weight.WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.weight is Weight.NOTE)

    def told(self, more: Iterable[Finding]) -> Plan:
        """With findings about what the snapshot does not show."""
        return replace(self, findings=in_order((*self.findings, *more)))


def make_plan(snapshot: Snapshot, target: Target) -> Plan:
    """Everything that the upgrade will do, computed from one snapshot; nothing of it has been done."""
    before = as_before(snapshot, target.revision)
    named, wave_blockers = named_waves(before, target)
    old, problem = old_revision(before, target, [name for wave in named for name in wave])
    waves = named if target.waves else default_waves(before, target, old)
    names = [name for wave in waves for name in wave if name in snapshot.namespace]
    moves = tuple(move for name in names if (move := move_to(snapshot.namespace[name], target.revision)).needed)
    after = predict(snapshot, target.revision, target.version, names, target.settings)
    ways = tuple((judged, way_of(judged.workload, target.choices)) for judged in after.standing(Standing.STALE, names))
    restarts = tuple(judged for judged, way in ways if way.by_us)
    findings = in_order(
        (
            *([problem] if problem else []),
            *wave_blockers,
            *install_findings(snapshot, target),
            *move_findings(before, after, target, names, old),
            *reinjection_findings(snapshot, before, target, names),
            *restart_findings(after, target, names),
            *(warning(Topic.RIGHTS, unknown) for unknown in snapshot.unknowns()),
        )
    )
    return Plan(old, waves, moves, restarts, ways, findings)
