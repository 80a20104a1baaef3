# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade would move and restart, and what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Move, Namespace, move_to, restore
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing

RESTARTABLE = frozenset({"Deployment"})
Wave = Sequence[str] | str
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
    blockers: list[MeshError] = list(_name_blockers(snapshot, target))
    old, problem = old_revision(before, target)
    waves, wave_blockers = _waves(before, target, old)
    blockers += ([problem] if problem and not any(waves) else []) + wave_blockers
    names = [name for wave in waves for name in wave if name in snapshot.namespace]
    moves = tuple(move for name in names if (move := move_to(snapshot.namespace[name], target.revision)).needed)
    after = predict(snapshot, target, names)
    restarts = after.standing(Standing.STALE, namespaces=names)
    blockers += _kind_blockers(restarts) + _losers(before, after, names)
    return Plan(old, waves, moves, restarts, tuple(blockers), _warnings(before, after, names, old))


def predict(snapshot: Snapshot, target: Target, names: Iterable[str]) -> Snapshot:
    """The cluster as it will be when the control plane stands and these namespaces ask for it, before any restart."""
    moving = set(names)
    then = Asks(revision=target.revision)
    return snapshot.with_revision(target.revision, target.version).asking(lambda n: then if n.name in moving else None)


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
        return (_default_wave(before, target, old),), []
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
    return namespace.name not in target.exclude and namespace.name != target.istio_namespace and not namespace.deleting


def _wave(before: Snapshot, wave: Wave, number: int, target: Target, blockers: list[MeshError]) -> tuple[str, ...]:
    where = f"mesh_waves, wave {number}"
    if isinstance(wave, str):
        selector = parse(wave)
        names = tuple(sorted(n.name for n in before.namespaces if selector.matches(n.labels) and _allowed(n, target)))
        why = f'no namespace here matches "{wave}"'
    else:
        names, why = tuple(name for name in wave if name not in target.exclude), "it names no namespace"
    missing = [name for name in names if name not in before.namespace]
    if missing:
        blockers.append(
            MeshError("Some namespaces do not exist.", where=f"{where}: {', '.join(missing)}", do="correct the names, or create them first")
        )
    if not names:
        blockers.append(MeshError("A wave is empty.", where=where, why=why, do="correct the wave, or leave it out"))
    return names


def _kind_blockers(restarts: Iterable[Judged]) -> list[MeshError]:
    others = [judged for judged in restarts if judged.workload.kind not in RESTARTABLE]
    paused = [judged for judged in restarts if judged.workload.kind in RESTARTABLE and judged.workload.paused]
    blockers = []
    if others:
        blockers.append(
            MeshError(
                "Some workloads would need a restart that this collection does not do yet.",
                where=", ".join(f"{j.workload.short} in {j.workload.namespace}" for j in others),
                why="only Deployments are restarted; the others would stay on the old control plane",
                do="leave their namespaces out with mesh_exclude, or wait for a version that restarts them",
            )
        )
    if paused:
        blockers.append(
            MeshError(
                "Some Deployments are paused and would not roll.",
                where=", ".join(f"{j.workload.short} in {j.workload.namespace}" for j in paused),
                do="kubectl rollout resume, or leave their namespaces out with mesh_exclude",
            )
        )
    return blockers


def _losers(before: Snapshot, after: Snapshot, names: Iterable[str]) -> list[MeshError]:
    """Namespaces in which something would come in or get lost by the label alone: pod opt-in, and orphans."""
    blockers = []
    for name in names:
        opted = [j.workload.short for j in before.judged if j.workload.namespace == name and _by_pod_alone(before, j)]
        if opted:
            blockers.append(
                MeshError(
                    f'In namespace "{name}" only single pods ask for a sidecar.',
                    where=", ".join(opted),
                    why="a label on the namespace would inject all its other pods too",
                    do=f'set istio.io/rev in the pod templates, and leave the namespace out: mesh_exclude=["{name}"]',
                )
            )
        orphaned = [j.workload.short for j in after.standing(Standing.ORPHANED, namespaces=[name])]
        if orphaned:
            blockers.append(
                MeshError(
                    f'Namespace "{name}" would lose sidecars.',
                    where=", ".join(orphaned),
                    why="their pods have a sidecar, and new ones would get none from the new revision",
                    do=f'look at {INJECT} and {REVISION} in their templates, or leave it out: mesh_exclude=["{name}"]',
                )
            )
    return blockers


def _by_pod_alone(before: Snapshot, judged: Judged) -> bool:
    asks = before.namespace[judged.workload.namespace].asks
    return asks == Asks() and judged.decision.revision is not None and before.gets(judged.workload.namespace).revision is None


def _warnings(before: Snapshot, after: Snapshot, names: Sequence[str], old: str | None) -> tuple[str, ...]:
    warnings = []
    for name in names:
        asks = before.namespace[name].asks
        tag = next((i.tag for i in before.injectors if i.tag and i.tag == asks.revision), None)
        if tag and tag != DEFAULT:
            warnings.append(f'Namespace "{name}" follows tag "{tag}"; it is relabelled to the revision itself and no longer follows.')
    left = [j for j in before.judged if j.standing is Standing.ORPHANED and j.workload.namespace not in set(names)]
    for namespace in sorted({j.workload.namespace for j in left}):
        shorts = ", ".join(j.workload.short for j in left if j.workload.namespace == namespace)
        warnings.append(f'Namespace "{namespace}": {shorts} orphaned: new pods get no sidecar. They are left alone.')
    return tuple(warnings)
