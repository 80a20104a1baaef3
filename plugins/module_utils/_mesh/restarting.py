# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the restarts need of a person, or meet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import ill
from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import exhausted
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe, Way, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing


def restart_findings(after: Snapshot, target: Target, names: Sequence[str]) -> Iterator[Finding]:
    """``after`` is the cluster as it will be when the named namespaces have moved."""
    stale = after.standing(Standing.STALE, names)
    yield from _kind_findings(stale, target)
    for judged in stale:
        yield from _stale_findings(after, judged, way_of(judged.workload, target.choices), target)


def _kind_findings(stale: Iterable[Judged], target: Target) -> Iterator[Finding]:
    """What nobody has said how to restart: it would stay on the old control plane without a word."""
    ways = [(judged.workload, way_of(judged.workload, target.choices)) for judged in stale]
    unknown = [(workload, way) for workload, way in ways if way.recipe is Recipe.UNKNOWN]
    gone = [(workload, way) for workload, way in unknown if not way.variable]
    if gone:
        yield blocker(
            Topic.DISRUPTION,
            "Some pods belong to nobody who would make them anew.",
            where=listed([at(workload) for workload, _way in gone], most=10),
            why=gone[0][1].text,
            do="replace them by something that has a controller, or leave their namespaces out with mesh_exclude",
        )
    rest = [(workload, way) for workload, way in unknown if way.variable]
    for kind, group in sorted({(workload.kind, workload.group) for workload, _way in rest}):
        mine = [at(workload) for workload, _way in rest if (workload.kind, workload.group) == (kind, group)]
        named = f"kind: {kind}{f', group: {group}' if group else ''}"
        yield blocker(
            Topic.DISRUPTION,
            f"Some workloads need you: nobody has said how a {kind} is restarted.",
            where=listed(mine, most=10),
            why="it is no kind of Kubernetes itself",
            do=f"declare it, mesh_recipes: [{{{named}, recipe: evict}}], or recipe: report to restart it yourself; or use mesh_exclude",
        )


def _stale_findings(after: Snapshot, judged: Judged, way: Way, target: Target) -> Iterator[Finding]:
    workload = judged.workload
    if way.recipe in (Recipe.REPORT, Recipe.WAIT):
        yield warning(Topic.DISRUPTION, f"{at(workload)} is not restarted, {way.sentence()}")
    if not way.by_us:
        return
    was = ill(judged)
    if was:
        yield warning(
            Topic.DISRUPTION,
            f"{at(workload)} is unhealthy already, {was.text()}",
            why="its restart may not come to an end, and does not stop a wave as long as it is no worse than when the upgrade begins",
            do=f"kubectl -n {workload.namespace} describe {workload.short}",
        )
    budget = exhausted(after.budgets, workload.namespace, workload.template.labels)
    if budget and way.recipe is Recipe.EVICT:
        why = f"{budget} allows no eviction now, and its pods are evicted only when it does"
        yield warning(Topic.DISRUPTION, at(workload), why=why)
    elif budget and target.choices.respect_pdb:
        why = f"{budget} allows no disruption now, and its restart waits until it does (mesh_respect_pdb)"
        yield warning(Topic.DISRUPTION, at(workload), why=why)
    if workload.on_delete and workload.kind == "StatefulSet" and workload.updated < workload.total:
        what = f"{at(workload)} has a newer template that some of its pods do not run yet"
        yield warning(Topic.DISRUPTION, what, why="evicted, they come back with that too")
