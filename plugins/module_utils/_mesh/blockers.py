# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in the way of an upgrade, each as a fact with the way out; and what is only worth a warning. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import exhausted
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    Asks,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe, Way, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at, rolling
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target, refuses
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing


def blockers_of(snapshot: Snapshot, before: Snapshot, after: Snapshot, target: Target, names: Sequence[str]) -> Iterator[MeshError]:
    """``before`` is the cluster as the upgrade found it, ``after`` as it will be when the named namespaces have moved."""
    yield from _name_blockers(snapshot, target)
    yield from _rendering_blockers(target)
    yield from _kind_blockers(after.standing(Standing.STALE, names), target)
    yield from _opt_in_blockers(before, names)
    yield from _twice_blockers(before, after, names)
    yield from _orphan_blockers(before, after, target, names)


def _name_blockers(snapshot: Snapshot, target: Target) -> Iterable[MeshError]:
    tagged = next((i for i in snapshot.injectors if i.tag == target.revision), None)
    if tagged:
        yield MeshError(
            f'"{target.revision}" is a tag here, not a revision.',
            where=f"MutatingWebhookConfiguration {tagged.name}, which points at {tagged.revision}",
            do="choose a revision name that no tag has",
        )
    theirs = next((i for i in snapshot.injectors if i.revision == target.revision and not i.tag and i.owner != target.release), None)
    if theirs and target.release:
        yield MeshError(
            f'Revision "{target.revision}" is there already, and is not of helm release {target.release}.',
            where=f"MutatingWebhookConfiguration {theirs.name}, {f'of release {theirs.owner}' if theirs.owner else 'of no helm release'}",
            why="helm does not take over what it has not installed",
            do="choose another revision name, or remove that control plane first",
        )
    plane = next((p for p in snapshot.control_planes if p.revision == target.revision), None)
    if plane and target.version and plane.version and plane.version != target.version:
        yield MeshError(
            f'Revision "{target.revision}" belongs to another version.',
            where=f"Deployment {plane.namespace}/{plane.name} runs {plane.version}",
            why=f"mesh_version says {target.version}, and a revision is never changed in place",
            do=f"use a new revision name for {target.version}, or correct mesh_version",
        )


def _rendering_blockers(target: Target) -> Iterable[MeshError]:
    """What is rendered would do besides: no existing pod may notice an installation, so no tag may move with it."""
    if target.brings is None:
        return
    tags = sorted({injector.tag for injector in target.brings if injector.tag})
    if tags:
        yield MeshError(
            f"Installing the control plane would move {'tags' if len(tags) > 1 else 'tag'} {listed(tags)} at once.",
            where="revisionTags in what is rendered",
            why="all that follow a tag would get the new revision with their next pods, before any wave",
            do="take revisionTags out of mesh_values",
        )
    if not any(injector.revision == target.revision and not injector.tag for injector in target.brings):
        yield MeshError(
            f'What is rendered has no injector for revision "{target.revision}".',
            where="no MutatingWebhookConfiguration, for example because of global.operatorManageWebhooks",
            why="nothing could be injected by it",
            do="correct mesh_values",
        )


def _kind_blockers(stale: Iterable[Judged], target: Target) -> Iterator[MeshError]:
    """What nobody has said how to restart: it would stay on the old control plane without a word."""
    ways = [(judged.workload, way_of(judged.workload, target.choices)) for judged in stale]
    unknown = [(workload, way) for workload, way in ways if way.recipe is Recipe.UNKNOWN]
    gone = [(workload, way) for workload, way in unknown if not way.variable]
    if gone:
        yield MeshError(
            "Some pods belong to nobody who would make them anew.",
            where=listed([at(workload) for workload, _way in gone], most=10),
            why=gone[0][1].text,
            do="replace them by something that has a controller, or leave their namespaces out with mesh_exclude",
        )
    rest = [(workload, way) for workload, way in unknown if way.variable]
    for kind, group in sorted({(workload.kind, workload.group) for workload, _way in rest}):
        mine = [at(workload) for workload, _way in rest if (workload.kind, workload.group) == (kind, group)]
        named = f"kind: {kind}{f', group: {group}' if group else ''}"
        yield MeshError(
            f"Some workloads need you: nobody has said how a {kind} is restarted.",
            where=listed(mine, most=10),
            why="it is no kind of Kubernetes itself",
            do=f"declare it, mesh_recipes: [{{{named}, recipe: evict}}], or recipe: report to restart it yourself; or use mesh_exclude",
        )


def _opt_in_blockers(before: Snapshot, names: Iterable[str]) -> Iterable[MeshError]:
    """A label on a namespace in which only single pods ask for a sidecar would inject all its other pods too."""
    for name in names:
        opted = [j.workload.short for j in before.within([name]) if _by_pod_alone(before, j)]
        if opted:
            yield MeshError(
                f'In namespace "{name}" only single pods ask for a sidecar.',
                where=listed(opted),
                why="a label on the namespace would inject all its other pods too",
                do=f'set istio.io/rev in the pod templates, and leave the namespace out: mesh_exclude=["{name}"]',
            )


def _by_pod_alone(before: Snapshot, judged: Judged) -> bool:
    name = judged.workload.namespace
    return before.namespace[name].asks == Asks() and judged.decision.revision is not None and before.gets(name).revision is None


def _twice_blockers(before: Snapshot, after: Snapshot, names: Iterable[str]) -> Iterable[MeshError]:
    """Two injectors that take the same pod: the one whose name sorts last wins, silently (recorded: two-injectors.json)."""
    for name in names:
        decisions = [snapshot.gets(name) for snapshot in (before, after)]
        decisions += [judged.decision for snapshot in (before, after) for judged in snapshot.within([name])]
        twice = next((decision for decision in decisions if decision.twice), None)
        if twice:
            yield MeshError(
                f'Pods in namespace "{name}" are taken by two injectors.',
                where=", ".join(f"{injector.name} ({injector.revision})" for injector in twice.asked),
                why="both inject, and which sidecar stays depends on the order of their names",
                do=f'disable one of them, or leave the namespace out: mesh_exclude=["{name}"]',
            )


def _orphan_blockers(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str]) -> Iterable[MeshError]:
    """Namespaces that have sidecars and would get none: in a wave, where nothing could be given back, or by the move itself.

    Where the user names no waves, all of the mesh is meant. Where there are waves, what is orphaned elsewhere is only a warning.
    """
    everywhere = [n.name for n in before.namespaces if n.name not in target.exclude and not n.deleting]
    for name in sorted({*names, *(() if target.waves else everywhere)}):
        asks = before.namespace[name].asks
        unserved = name in names and asks != Asks() and not refuses(before.namespace[name]) and before.gets(name).revision is None
        orphans = [
            j for j in before.standing(Standing.ORPHANED, [name]) if set(j.proxies) != {target.revision}
        ]  # not what has moved already
        orphans = orphans or list(after.standing(Standing.ORPHANED, [name]))
        if not orphans and not unserved:
            continue
        workloads = f"; {count(len(orphans), 'workload')}: {listed([j.workload.short for j in orphans])}" if orphans else ""
        yield MeshError(
            f'Namespace "{name}" would lose its sidecars.' if orphans else f'Namespace "{name}" asks for what nobody serves.',
            where=f"label {asks.text()}{workloads}",
            why=_why_nothing(before, name, asks),
            do=_way_out(before, name, asks),
        )


def _why_nothing(snapshot: Snapshot, name: str, asks: Asks) -> str:
    if snapshot.gets(name).revision:
        return "the pod templates opt out of injection; the running pods still have a sidecar"
    if asks.injection not in (None, "enabled"):
        return f"istio-injection={asks.injection} keeps new pods without a sidecar; the running ones still have one"
    if asks.injection == "enabled":
        return f"no injector here serves istio-injection=enabled (there are: {_served(snapshot)})"
    if asks.revision is None:
        return "the namespace asks for none, and no injector takes these pods by their own labels"
    return f'no injector here serves revision or tag "{asks.revision}" (there are: {_served(snapshot)})'


def _way_out(snapshot: Snapshot, name: str, asks: Asks) -> str:
    leave = f'leave it out: mesh_exclude=["{name}"]'
    if asks.injection not in (None, "enabled") or snapshot.gets(name).revision:
        return f"restart them to have the sidecars gone, or {leave}"
    to = next((i.alias for i in snapshot.injectors if not i.disabled), "REVISION")
    old = " istio-injection-" if asks.injection is not None else ""
    return f"kubectl label namespace {name}{old} istio.io/rev={to} --overwrite, or {leave}"


def _served(snapshot: Snapshot) -> str:
    """``default, 1-30-3, tag prod``."""
    names = (f"tag {i.tag}" if i.tag else i.revision for i in snapshot.injectors if not i.disabled)
    return ", ".join(dict.fromkeys(names)) or "none"


def warnings_of(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str], old: str | None) -> Iterable[str]:
    for name in names:
        asks = before.namespace[name].asks
        tag = next((i.tag for i in before.injectors if i.tag and i.tag == asks.revision and asks.injection is None), None)
        if tag and tag != DEFAULT:
            yield f'Namespace "{name}" follows tag "{tag}"; it is relabelled to the revision itself and no longer follows.'
    moving = set(names)
    elsewhere = [j for j in after.judged if j.workload.namespace not in moving and not after.namespace[j.workload.namespace].deleting]
    if target.waves:
        for workload in (judged.workload for judged in elsewhere if judged.standing is Standing.ORPHANED):
            yield f"{workload.short} in {workload.namespace} has a sidecar and would get none now: it is orphaned, and left alone."
    left = sorted({judged.workload.namespace for judged in elsewhere if old and judged.decision.revision == old})
    if left:
        yield f'{count(len(left), "namespace")} not in any wave: {listed(left)}. New pods there still get "{old}".'
    for judged in after.within(names):
        workload = judged.workload
        if judged.standing is Standing.GATEWAY and judged.decision.revision:
            yield f"{workload.short} in {workload.namespace} is a gateway: not restarted, its next pods get {judged.decision.revision}."
        if judged.standing is Standing.STALE:
            yield from _stale_warnings(after, judged, way_of(workload, target.choices), target)
    yield from before.unknowns()


def _stale_warnings(after: Snapshot, judged: Judged, way: Way, target: Target) -> Iterable[str]:
    workload = judged.workload
    if way.recipe in (Recipe.REPORT, Recipe.WAIT):
        yield f"{at(workload)} is not restarted, {way.sentence()}."
    if not way.by_us:
        return
    if not rolling(workload) and workload.available < workload.replicas:
        there = f"{workload.available} of {workload.replicas} pods"
        yield f"{at(workload)} is unhealthy already, {there}: its restart may not come to an end."
    budget = exhausted(after.budgets, workload.namespace, workload.template.labels)
    if budget and way.recipe is Recipe.EVICT:
        yield f"{at(workload)}: {budget} allows no eviction now, and its pods are evicted only when it does."
    elif budget and target.choices.respect_pdb:
        yield f"{at(workload)}: {budget} allows no disruption now, and its restart waits until it does (mesh_respect_pdb)."
    if workload.on_delete and workload.kind == "StatefulSet" and workload.updated < workload.total:
        yield f"{at(workload)} has a newer template that some of its pods do not run yet: evicted, they come back with that too."
