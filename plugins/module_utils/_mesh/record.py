# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade's record in the cluster, and where a rerun goes on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Baseline
from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import read as read_baseline
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import PRIOR, Asks, Namespace, move_to
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import always_restarted
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Standing

NAME = "meshops-upgrade"
KEY = "record"
FORMAT = 1


class Phase(StrEnum):
    RUNNING = "running"
    DONE = "done"
    ROLLING_BACK = "rolling back"
    ROLLED_BACK = "rolled back"
    COMPLETING = "completing"
    """The old control plane is being removed: there is no way back any more."""
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Pause:
    """Where a run stopped by itself, and why."""

    at: str
    """The name of the task that failed."""
    why: str
    when: str


@dataclass(frozen=True, slots=True)
class Record:
    """What was begun, with what, and how far it is."""

    id: str
    revision: str
    version: str | None
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    namespaces: Mapping[str, str]
    """Name and UID of all that is about to move, written before the first of them does."""
    phase: Phase
    wave: int
    """Waves that are done."""
    started: str
    by: str
    baseline: Baseline = field(default_factory=dict)
    """What was ill before the first write."""
    paused: Pause | None = None
    """None while a run is at it, and where one was cut off: who is killed, or ended with the batch, writes nothing any more."""

    def written(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1)

    def advanced(self, wave: int) -> Record:
        """With one wave more done; told again what is known already, nothing changes."""
        return replace(self, wave=max(self.wave, wave + 1))

    def text(self) -> str:
        """As the status table's first line says it."""
        at = f"wave {self.wave} of {len(self.waves)} done" if self.phase is Phase.RUNNING else str(self.phase)
        return f"upgrade to {self.revision}: {'paused, ' if self.paused else ''}{at}, started {self.started} by {self.by}"

    @property
    def under_way(self) -> bool:
        """Begun, and not come to its end."""
        return self.phase in (Phase.RUNNING, Phase.ROLLING_BACK, Phase.COMPLETING)


def read(text: str | None) -> Record | None:
    """The record; raises MeshError for one that this version does not understand, since guessing could undo the wrong thing."""
    if text is None:
        return None
    try:
        found = read_json(text)
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        found["waves"] = tuple(tuple(wave) for wave in found["waves"])
        paused = Pause(**found["paused"]) if found.get("paused") else None  # older records do not know the word
        ill = read_baseline(found.get("baseline"))  # nor this one
        return Record(**{**found, "phase": Phase(found["phase"]), "paused": paused, "baseline": ill})
    except (MeshError, ValueError, TypeError, KeyError, AttributeError) as problem:
        raise MeshError(
            "The record of the upgrade cannot be read.",
            where=f"ConfigMap {NAME}, key {KEY}",
            why=str(problem),
            do="use the version of this collection that wrote it, or look at it and delete it by hand",
        ) from problem


def begun(record: Record | None, wanted: Record, snapshot: Snapshot) -> Record:
    """The record to go on with: the one that is there where it is about the same upgrade, else the new one.

    An upgrade to another revision, or a rollback, that has not come to its end is never overwritten. A finished upgrade that
    leaves nothing to do stays as it is, so that a second run writes nothing.
    """
    if record is None or record.phase in (Phase.ROLLED_BACK, Phase.COMPLETED):
        return wanted
    if record.phase is Phase.COMPLETING:
        raise MeshError(
            "The upgrade before this one is being completed.",
            where=f"to {record.revision}, started {record.started} by {record.by}",
            do="finish that first: run the playbook meshops.istio.complete again, it goes on where it was",
        )
    if record.phase is Phase.ROLLING_BACK:
        raise MeshError(
            "A rollback is under way.",
            where=f"of the upgrade to {record.revision} that was started {record.started} by {record.by}",
            do="finish it first: run the playbook meshops.istio.rollback again, it goes on where it was",
        )
    if record.revision != wanted.revision:
        if record.phase is Phase.RUNNING:
            raise MeshError(
                f'An upgrade to "{record.revision}" is under way.',
                where=f"started {record.started} by {record.by}, wave {record.wave} of {len(record.waves)} done",
                do=f"finish it with mesh_revision={record.revision}, or roll it back first",
            )
        return wanted
    left = pending(wanted.waves, wanted.revision, snapshot)
    if record.phase is Phase.DONE and not left:
        return record
    same = record.waves == wanted.waves
    phase, wave = (record.phase, record.wave) if same and record.phase is Phase.RUNNING else (Phase.RUNNING, 0)
    namespaces = {**record.namespaces, **wanted.namespaces}  # with the UIDs of today: one may have been made anew
    more = {path: ill for path, ill in wanted.baseline.items() if path.partition("/")[0] not in record.namespaces}
    ill = wanted.baseline if record.phase is Phase.DONE else {**more, **record.baseline}  # as it was before that upgrade's first write
    return replace(record, version=wanted.version, waves=wanted.waves, namespaces=namespaces, phase=phase, wave=wave, baseline=ill)


def check_still(record: Record | None, id: str, *, going_on: bool) -> None:
    """Raises MeshError for who is in the middle of an upgrade that another run has taken back meanwhile, or replaced."""
    if record and record.id == id and (not going_on or record.phase in (Phase.RUNNING, Phase.DONE)):
        return
    raise MeshError(
        "Another run has gone on with this cluster meanwhile.",
        where=record.text() if record else f"there is no ConfigMap {NAME} any more",
        why="what this run had begun is no longer under way, and it does nothing more",
        do="see with meshops.istio.status how the cluster stands; run one command at a time for a cluster",
    )


def pending(waves: tuple[tuple[str, ...], ...], revision: str, snapshot: Snapshot) -> tuple[int, ...]:
    """Which waves still have something to move or restart, from what the cluster shows."""
    return tuple(index for index, wave in enumerate(waves) if not _at(wave, revision, snapshot))


def _at(wave: tuple[str, ...], revision: str, snapshot: Snapshot) -> bool:
    there = [snapshot.namespace[name] for name in wave if name in snapshot.namespace]
    moved = not any(move_to(namespace, revision).needed for namespace in there)
    return moved and not any(always_restarted(judged.workload) for judged in snapshot.standing(Standing.STALE, wave))


def next_step(record: Record, snapshot: Snapshot) -> tuple[int, ...]:
    """The waves to go through: those that the record does not call done, and those that are no longer as they should be."""
    if record.phase not in (Phase.RUNNING, Phase.DONE):
        return ()
    open_waves = set(pending(record.waves, record.revision, snapshot))
    if record.phase is Phase.RUNNING:
        open_waves |= set(range(record.wave, len(record.waves)))
    return tuple(sorted(open_waves))


def to_roll_back(record: Record | None, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """What a rollback concerns: all that have recorded labels, and in one that was begun already what it has given back.

    Not what is on its way out: nothing can be made in it any more, and it may be gone at the next step.
    """
    given_back = record.namespaces if record and record.phase is Phase.ROLLING_BACK else {}
    there = {name: namespace for name, namespace in namespaces.items() if not namespace.deleting}
    same = {name for name, uid in given_back.items() if name in there and there[name].uid == uid}
    return tuple(sorted(same | {name for name, namespace in there.items() if namespace.prior}))


def rolling_back(record: Record | None, namespaces: Mapping[str, Namespace], istio_namespace: str) -> Record | None:
    """The record of a rollback that begins, or goes on: it holds just what it concerns. Raises MeshError where there is no way back.

    Where the record itself is lost, the labels that the namespaces have recorded are a way back all the same.
    """
    if record is None:
        if not to_roll_back(None, namespaces):
            raise MeshError(
                "There is nothing to roll back.",
                where=f"no ConfigMap {NAME} in namespace {istio_namespace}, and no namespace with annotation {PRIOR}",
                why="no upgrade was begun here, or in another cluster or Istio namespace",
                do="see with meshops.istio.status which cluster this is; mesh_istio_namespace says where Istio is",
            )
        return None
    if record.phase is Phase.ROLLED_BACK:
        return record
    if record.phase in (Phase.COMPLETING, Phase.COMPLETED):
        raise MeshError(
            "There is no way back any more.",
            where=f"the upgrade to {record.revision} that was started {record.started} by {record.by}",
            why=f"it is {record.phase}: control plane {record.old or 'before it'} was removed, or is about to be",
            do="finish with the playbook meshops.istio.complete; to have that version again, upgrade to it as a revision of its own",
        )
    concerned = to_roll_back(record, namespaces)
    return replace(record, phase=Phase.ROLLING_BACK, namespaces={name: namespaces[name].uid for name in concerned})


def completing(record: Record | None) -> Record:
    """The record of a completion that begins, or goes on. Raises MeshError where an upgrade has not come to its end."""
    if record is None:
        raise MeshError(
            "There is no upgrade to complete.",
            where=f"no ConfigMap {NAME}",
            why="which control plane is the old one, and that all has left it, is known from the record of an upgrade",
            do="upgrade first; a control plane that nothing needs is removed by control_plane with state=absent",
        )
    if record.phase not in (Phase.DONE, Phase.COMPLETING, Phase.COMPLETED):
        raise MeshError(
            "The upgrade has not come to its end.",
            where=record.text(),
            why="completing takes the way back away",
            do="finish it with the playbook meshops.istio.canary_upgrade, or begin it anew after a rollback",
        )
    if record.old is None:
        raise MeshError(
            "There is no old control plane to remove.",
            where=record.text(),
            why="when that upgrade began there was no other control plane",
            do="nothing: the upgrade is as complete as it can be",
        )
    return record if record.phase is Phase.COMPLETED else replace(record, phase=Phase.COMPLETING)


def completed(record: Record, snapshot: Snapshot) -> Record:
    """The record of an upgrade that is at its end. Raises MeshError while anything of the old control plane is still there."""
    left = [f"Deployment {p.namespace}/{p.name}" for p in snapshot.control_planes if p.revision == record.old]
    left += [f"MutatingWebhookConfiguration {i.name}" for i in snapshot.injectors if i.revision == record.old]
    if left:
        raise MeshError(
            f'Control plane "{record.old}" is not gone.',
            where=", ".join(left),
            do="remove it first: control_plane with state=absent; the playbook meshops.istio.complete does that",
        )
    return replace(record, phase=Phase.COMPLETED)


def lost(record: Record, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """What an upgrade was to move and cannot be given back, each as a sentence."""
    return tuple(
        sentence for name, uid in sorted(record.namespaces.items()) if (sentence := _lost(record, name, uid, namespaces.get(name)))
    )


def _lost(record: Record, name: str, uid: str, found: Namespace | None) -> str:
    if found is None:
        return f'Namespace "{name}" was deleted since the upgrade began; it is left out.'
    if found.prior or found.asks != Asks(revision=record.revision):
        return ""
    if found.uid != uid:
        return f'Namespace "{name}" was made anew since the upgrade began; its labels are left as they are: {found.asks.text()}.'
    return f'Namespace "{name}" has no annotation {PRIOR}; its labels are left as they are: {found.asks.text()}.'
