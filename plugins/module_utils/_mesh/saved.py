# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a file keeps it, and whether what decides is still as it was. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh import deciding
from ansible_collections.meshops.istio.plugins.module_utils._mesh.deciding import Says, digest
from ansible_collections.meshops.istio.plugins.module_utils._mesh.duration import at_once, expected
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

FORMAT = 1
_AGAIN = "make it anew with meshops.istio.plan, read it, and start again; or start without mesh_plan"


@dataclass(frozen=True, slots=True)
class Wave:
    namespaces: tuple[str, ...]
    decides: Mapping[str, Says]


@dataclass(frozen=True, slots=True)
class Saved:
    """Of a plan that was saved, what it is held against."""

    cluster_uid: str
    revision: str
    version: str | None
    decides: Mapping[str, Says]
    waves: tuple[Wave, ...]


def written(plan: Plan, before: Snapshot, target: Target, cluster_uid: str, concurrency: int) -> dict[str, object]:
    """All of the plan, in a stable order. ``hash`` is over what decides, ``checksum`` over every word of it."""
    around = deciding.shared(before, target.revision)
    waves = [_wave(plan, before, target, number, concurrency) for number in range(len(plan.waves))]
    head: dict[str, object] = {
        "format": FORMAT,
        "cluster_uid": cluster_uid,
        "revision": target.revision,
        "version": target.version,
        "from_revision": plan.old,
    }
    decides = [head, around, [(wave["namespaces"], wave["digest"]) for wave in waves]]
    text: dict[str, object] = {
        **head,
        "hash": digest(decides),
        "digest": digest(around),
        "decides": around,
        "waves": waves,
        "blockers": [finding.facts() for finding in plan.blockers],
        "warnings": [finding.facts() for finding in plan.warnings],
    }
    return {**text, "checksum": digest(text)}


def _wave(plan: Plan, before: Snapshot, target: Target, number: int, concurrency: int) -> dict[str, object]:
    names = plan.waves[number]
    here = sorted(((j, way) for j, way in plan.ways if j.workload.namespace in names), key=lambda one: one[0].workload.path)
    by_us = [(judged, way) for judged, way in here if way.by_us]
    time = expected(by_us, concurrency)
    decides = deciding.of_wave(before, target.revision, target.choices, names)
    return {
        "wave": number + 1,
        "namespaces": list(names),
        "moves": [
            {"namespace": move.namespace.name, "before": move.namespace.asks.text(), "after": move.then.text()}
            for move in plan.moves
            if move.namespace.name in names
        ],
        "restarts": [
            {
                "workload": judged.workload.path,
                "recipe": str(way.recipe),
                "how": way.text,
                "pods": len(judged.pods),
                "at_once": at_once(judged, way),
            }
            for judged, way in by_us
        ],
        "left": [
            {"workload": judged.workload.path, "recipe": str(way.recipe), "why": way.text, "variable": way.variable or None}
            for judged, way in here
            if not way.by_us
        ],
        "pods": time.pods,
        "pods_at_once": time.at_once,
        "minutes": time.minutes,
        "computed_from": f"{time.pace}; {time.basis}" if time.pods else "",
        "digest": digest(decides),
        "decides": decides,
    }


def read(text: object, where: str) -> Saved:
    """Raises MeshError for what is no plan, one of another format, one that was blocked, or one that was edited."""
    if not isinstance(text, Mapping) or "checksum" not in text or "waves" not in text:
        raise MeshError("mesh_plan is not a plan.", where=where, why="it has no checksum and no waves", do=_AGAIN)
    if text.get("format") != FORMAT:
        why = f"it has format {text.get('format')}, and this collection reads format {FORMAT}"
        raise MeshError("mesh_plan is of another version of meshops.istio.", where=where, why=why, do=_AGAIN)
    if text["checksum"] != _checksum(text):
        why = "its checksum is not that of its text: it was edited, or cut off"
        raise MeshError("mesh_plan is not as it was written.", where=where, why=why, do=_AGAIN)
    if text["blockers"]:
        why = f"{len(text['blockers'])} blockers, the first: {text['blockers'][0]['what']}"
        raise MeshError("mesh_plan is a plan that was blocked.", where=where, why=why, do=f"put these right; {_AGAIN}")
    waves = tuple(Wave(tuple(wave["namespaces"]), wave["decides"]) for wave in text["waves"])
    return Saved(text["cluster_uid"], text["revision"], text["version"], text["decides"], waves)


def _checksum(text: Mapping[str, object]) -> str | None:
    """None for what JSON cannot hold, which no plan has in it."""
    try:
        return digest({name: value for name, value in text.items() if name != "checksum"})
    except (TypeError, ValueError):
        return None


def check_holds(saved: Saved, plan: Plan, snapshot: Snapshot, before: Snapshot, target: Target, cluster_uid: str, where: str) -> None:
    """Raises MeshError that names what has changed for a wave which is not done yet, or says that it is the plan of something else."""
    if saved.cluster_uid != cluster_uid:
        why = f"its cluster has UID {saved.cluster_uid}, this one has {cluster_uid} (namespace kube-system)"
        raise MeshError("mesh_plan is the plan of another cluster.", where=where, why=why, do="give the plan of this cluster: mesh_plan")
    if saved.revision != target.revision or saved.version not in (None, target.version):
        theirs, ours = (" ".join(filter(None, pair)) for pair in ((saved.revision, saved.version), (target.revision, target.version)))
        why = f"it moves to {theirs}, this upgrade moves to {ours}"
        raise MeshError("mesh_plan is the plan of another upgrade.", where=where, why=why, do=_AGAIN)
    changes = tuple(_changes(saved, plan, snapshot, before, target))
    if changes:
        raise MeshError(
            "The mesh is not as it was when mesh_plan was made.",
            where=where,
            why=listed(changes, most=10, between="; "),
            do=_AGAIN,
        )


def _changes(saved: Saved, plan: Plan, snapshot: Snapshot, before: Snapshot, target: Target) -> Iterator[str]:
    pending = [number for number, wave in enumerate(saved.waves) if not _done(wave.namespaces, plan, snapshot, target)]
    more = [number for number in range(len(saved.waves), len(plan.waves)) if not _done(plan.waves[number], plan, snapshot, target)]
    if pending or more:
        yield from deciding.differences(saved.decides, deciding.shared(before, target.revision))
    for number in pending:
        was, now = saved.waves[number], plan.waves[number] if number < len(plan.waves) else ()
        yield from (f"namespace {name}: it is not in wave {number + 1} any more" for name in was.namespaces if name not in now)
        yield from (f"namespace {name}: it is in wave {number + 1} now" for name in now if name not in was.namespaces)
        both = [name for name in was.namespaces if name in now]
        then = {name: says for name, says in was.decides.items() if _of(name) in both}
        yield from deciding.differences(then, deciding.of_wave(before, target.revision, target.choices, both))
    yield from (f"wave {number + 1} ({listed(plan.waves[number])}) is not in it" for number in more)


def _of(name: str) -> str:
    """The namespace of what decides: ``namespace pay``, ``deploy/api in pay``."""
    return name.rpartition(" ")[2]


def _done(names: Sequence[str], plan: Plan, snapshot: Snapshot, target: Target) -> bool:
    """Everything in it asks for the new revision and has it: what changes there now is no matter of the upgrade any more."""
    asked = all(name in snapshot.namespace and snapshot.namespace[name].asks == Asks(revision=target.revision) for name in names)
    return asked and not any(judged.workload.namespace in names for judged in plan.restarts)
