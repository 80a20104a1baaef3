# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade would move and restart, and what stands in its way. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    DATAPLANE_MODE,
    INJECTION,
    Asks,
    Move,
    Namespace,
    move_to,
    restore,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import RESTARTABLE
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing

Wave: t.TypeAlias = "Sequence[str] | str"
"""Namespaces by name, or a label selector as ``kubectl -l`` takes it."""


@dataclass(frozen=True, slots=True)
class Target:
    revision: str
    version: str | None
    come_from: str | None
    """The old revision, where the user says it."""
    waves: tuple[Wave, ...]
    exclude: frozenset[str]
    istio_namespace: str


@dataclass(frozen=True, slots=True)
class Plan:
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    moves: tuple[Move, ...]
    restarts: tuple[Judged, ...]
    blockers: tuple[MeshError, ...]
    warnings: tuple[str, ...]


def make_plan(snapshot: Snapshot, target: Target) -> Plan:
    """Everything that the upgrade will do, computed from one snapshot; nothing of it has been done."""
    before = as_before(snapshot)
    old, problem = old_revision(before, target)
    waves, wave_blockers = _waves(before, target, old)
    names = [name for wave in waves for name in wave if name in snapshot.namespace]
    moves = tuple(move for name in names if (move := move_to(snapshot.namespace[name], target.revision)).needed)
    after = predict(snapshot, target.revision, target.version, names)
    restarts = after.standing(Standing.STALE, names)
    blockers = (
        *_name_blockers(snapshot, target),
        *([problem] if problem else []),
        *wave_blockers,
        *_kind_blockers(restarts),
        *_opt_in_blockers(before, names),
        *_orphan_blockers(after, _orphans(before, after, target, names)),
    )
    return Plan(old, waves, moves, restarts, blockers, tuple(_warnings(before, after, target, names, old)))


def predict(snapshot: Snapshot, revision: str, version: str | None, names: Iterable[str]) -> Snapshot:
    """The cluster as it will be when the control plane stands and these namespaces ask for it, before any restart."""
    moving = set(names)
    then = Asks(revision=revision)
    return snapshot.with_revision(revision, version).asking(lambda n: then if n.name in moving else None)


def predict_restored(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The cluster as it will be when these namespaces have their recorded labels again."""
    moving = set(names)
    return snapshot.asking(lambda n: restore(n).then if n.name in moving else None)


def as_before(snapshot: Snapshot) -> Snapshot:
    """The cluster by prior labels where recorded, so that a rerun after a kill still sees what is half moved."""
    return snapshot.asking(lambda namespace: namespace.prior)


def old_revision(before: Snapshot, target: Target) -> tuple[str | None, MeshError | None]:
    """The revision that is left: the one that the user names, or the only one besides the target that injects."""
    found = sorted({i.revision for i in before.injectors if not i.disabled} - {target.revision})
    if target.come_from:
        if target.come_from in found:
            return target.come_from, None
        there = ", ".join(found) or "none"
        return None, MeshError(
            f'There is no control plane "{target.come_from}" to come from.', where=f"there are: {there}", do="correct mesh_from"
        )
    serving = sorted({r for r in found if before.injected_by(r)}) or found
    if len(serving) == 1:
        return serving[0], None
    if not serving and any(i.revision == target.revision for i in before.injectors):
        return None, None  # the old one is gone already: nothing is left to come from
    if not serving:
        return None, MeshError(
            "There is no control plane to upgrade from.",
            why="no MutatingWebhookConfiguration of another revision injects anything here",
            do="check that this is the cluster that was meant; a first installation needs no canary upgrade",
        )
    return None, MeshError("Several revisions could be the old one.", where=", ".join(serving), do=f"name it: mesh_from={serving[0]}")


def _name_blockers(snapshot: Snapshot, target: Target) -> Iterable[MeshError]:
    tagged = next((i for i in snapshot.injectors if i.tag == target.revision), None)
    if tagged:
        yield MeshError(
            f'"{target.revision}" is a tag here, not a revision.',
            where=f"MutatingWebhookConfiguration {tagged.name}, which points at {tagged.revision}",
            do="choose a revision name that no tag has",
        )
    plane = next((p for p in snapshot.control_planes if p.revision == target.revision), None)
    if plane and target.version and plane.version and plane.version != target.version:
        yield MeshError(
            f'Revision "{target.revision}" belongs to another version.',
            where=f"Deployment {plane.namespace}/{plane.name} runs {plane.version}",
            why=f"mesh_version says {target.version}, and a revision is never changed in place",
            do=f"use a new revision name for {target.version}, or correct mesh_version",
        )


def _waves(before: Snapshot, target: Target, old: str | None) -> tuple[tuple[tuple[str, ...], ...], list[MeshError]]:
    if not target.waves:
        wave = _default_wave(before, target, old)
        return ((wave,) if wave else ()), []
    blockers: list[MeshError] = []
    waves = tuple(_wave(before, wave, number, target, blockers) for number, wave in enumerate(target.waves, start=1))
    names = [name for wave in waves for name in wave]
    for name in sorted({name for name in names if names.count(name) > 1}):
        numbers = " and ".join(str(number) for number, wave in enumerate(waves, start=1) if name in wave)
        blockers.append(MeshError(f'Namespace "{name}" is in two waves.', where=f"mesh_waves: {numbers}", do="leave it in one of them"))
    return waves, blockers


def _default_wave(before: Snapshot, target: Target, old: str | None) -> tuple[str, ...]:
    """All that the old control plane injects by its own name; followers of a tag are moved only when they are named."""
    if old is None:
        return ()
    return tuple(sorted(n.name for n in before.namespaces if _belongs(before, n, old) and _allowed(n, target)))


def _belongs(before: Snapshot, namespace: Namespace, old: str) -> bool:
    if before.gets(namespace.name).revision != old:
        return False
    asks = namespace.asks
    return asks.injection is not None or asks.revision in (old, DEFAULT)


def _allowed(namespace: Namespace, target: Target) -> bool:
    """Whether a wave that names no namespaces may take it: never what opts out, nor what belongs to the cluster itself."""
    own = namespace.name == target.istio_namespace or namespace.name.startswith("kube-")
    return not (own or namespace.name in target.exclude or namespace.deleting or _refuses(namespace))


def _refuses(namespace: Namespace) -> str:
    """The label by which a namespace keeps sidecars out, empty where there is none."""
    if namespace.asks.injection not in (None, "enabled"):
        return f"{INJECTION}={namespace.asks.injection}"
    return f"{DATAPLANE_MODE}=ambient" if namespace.labels.get(DATAPLANE_MODE) == "ambient" else ""


def _wave(before: Snapshot, wave: Wave, number: int, target: Target, blockers: list[MeshError]) -> tuple[str, ...]:
    where = f"mesh_waves, wave {number}"
    if isinstance(wave, str):
        selector = parse(wave)
        asking = (n for n in before.namespaces if selector.matches(n.labels) and n.asks != Asks() and _allowed(n, target))
        names = tuple(sorted(namespace.name for namespace in asking))
        why = f'no namespace here that asks for a sidecar matches "{wave}"'
    else:
        names, why = tuple(name for name in wave if name not in target.exclude), "it names no namespace"
    missing = [name for name in names if name not in before.namespace]
    if missing:
        blockers.append(
            MeshError("Some namespaces do not exist.", where=f"{where}: {', '.join(missing)}", do="correct the names, or create them first")
        )
    refusing = {name: _refuses(before.namespace[name]) for name in names if name in before.namespace}
    blockers += [_refusing(name, label, where) for name, label in refusing.items() if label]
    if not names:
        blockers.append(MeshError("A wave is empty.", where=where, why=why, do="correct the wave, or leave it out"))
    return names


def _refusing(name: str, label: str, where: str) -> MeshError:
    return MeshError(
        f'Namespace "{name}" keeps sidecars out.',
        where=f"{where}: label {label}",
        why="the move would give its pods sidecars against that",
        do=f"take it out of the wave, or remove the label first: kubectl label namespace {name} {label.split('=')[0]}-",
    )


def _kind_blockers(restarts: Iterable[Judged]) -> list[MeshError]:
    others = [judged for judged in restarts if judged.workload.kind not in RESTARTABLE]
    paused = [judged for judged in restarts if judged.workload.kind in RESTARTABLE and judged.workload.paused]
    blockers = []
    if others:
        blockers.append(
            MeshError(
                "Some workloads would need a restart that this collection does not do yet.",
                where=listed([f"{j.workload.short} in {j.workload.namespace}" for j in others], most=10),
                why="only Deployments are restarted; the others would stay on the old control plane",
                do="leave their namespaces out with mesh_exclude, or wait for a version that restarts them",
            )
        )
    if paused:
        blockers.append(
            MeshError(
                "Some Deployments are paused and would not roll.",
                where=listed([f"{j.workload.short} in {j.workload.namespace}" for j in paused], most=10),
                do="kubectl rollout resume, or leave their namespaces out with mesh_exclude",
            )
        )
    return blockers


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


def _orphans(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str]) -> Mapping[str, tuple[Judged, ...]]:
    """By namespace, what has a sidecar and would get none: in the waves by the move, and elsewhere already.

    Where the user names the waves, what is orphaned elsewhere is none of this upgrade's business: it is a warning.
    """
    concerned = names if target.waves else [n.name for n in before.namespaces if n.name not in target.exclude]
    found = {name: after.standing(Standing.ORPHANED, [name]) for name in concerned}
    return {name: orphans for name, orphans in sorted(found.items()) if orphans}


def _orphan_blockers(after: Snapshot, orphans: Mapping[str, tuple[Judged, ...]]) -> Iterable[MeshError]:
    for name, judged in orphans.items():
        names = listed([j.workload.short for j in judged])
        asks = after.namespace[name].asks
        yield MeshError(
            f'Namespace "{name}" would lose its sidecars.',
            where=f"label {asks.text()}; {count(len(judged), 'workload')}: {names}",
            why=_why_nothing(after, asks),
            do=_way_out(after, name, asks),
        )


def _why_nothing(snapshot: Snapshot, asks: Asks) -> str:
    if asks.injection not in (None, "enabled"):
        return f"istio-injection={asks.injection} keeps new pods without a sidecar; the running ones still have one"
    if asks.injection == "enabled":
        return f"no injector here serves istio-injection=enabled (there are: {_served(snapshot)})"
    if asks.revision is None:
        return "the namespace asks for none, and no injector takes these pods by their own labels"
    if asks.revision in {injector.alias for injector in snapshot.injectors}:
        return "the pod templates opt out of injection; the running pods still have a sidecar"
    return f'no injector here serves revision or tag "{asks.revision}" (there are: {_served(snapshot)})'


def _way_out(snapshot: Snapshot, name: str, asks: Asks) -> str:
    leave = f'leave it out: mesh_exclude=["{name}"]'
    if asks.injection not in (None, "enabled") or asks.revision in {injector.alias for injector in snapshot.injectors}:
        return f"restart them to have the sidecars gone, or {leave}"
    to = next((i.alias for i in snapshot.injectors if not i.disabled), "REVISION")
    old = " istio-injection-" if asks.injection is not None else ""
    return f"kubectl label namespace {name}{old} istio.io/rev={to} --overwrite, or {leave}"


def _served(snapshot: Snapshot) -> str:
    """``default, 1-30-3, tag prod``."""
    names = (f"tag {i.tag}" if i.tag else i.revision for i in snapshot.injectors if not i.disabled)
    return ", ".join(dict.fromkeys(names)) or "none"


def _warnings(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str], old: str | None) -> Iterable[str]:
    for name in names:
        asks = before.namespace[name].asks
        tag = next((i.tag for i in before.injectors if i.tag and i.tag == asks.revision and asks.injection is None), None)
        if tag and tag != DEFAULT:
            yield f'Namespace "{name}" follows tag "{tag}"; it is relabelled to the revision itself and no longer follows.'
    moving = set(names)
    if target.waves:
        for orphaned in after.judged:
            if orphaned.standing is Standing.ORPHANED and orphaned.workload.namespace not in moving:
                workload = orphaned.workload
                yield f"{workload.short} in {workload.namespace} has a sidecar and would get none now: it is orphaned, and left alone."
    left = sorted({j.workload.namespace for j in after.judged if old and j.decision.revision == old and j.workload.namespace not in moving})
    if left:
        yield f'{count(len(left), "namespace")} not in any wave: {listed(left)}. New pods there still get "{old}".'
