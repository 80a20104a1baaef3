# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade's record in the cluster, and where a rerun goes on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import PRIOR, Asks, Namespace, move_to
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

    def written(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1)

    def advanced(self, wave: int) -> Record:
        """With one wave more done; told again what is known already, nothing changes."""
        return replace(self, wave=max(self.wave, wave + 1))

    def text(self) -> str:
        """As the status table's first line says it."""
        at = f"wave {self.wave} of {len(self.waves)} done" if self.phase is Phase.RUNNING else str(self.phase)
        return f"upgrade to {self.revision}: {at}, started {self.started} by {self.by}"


def read(text: str | None) -> Record | None:
    """The record; raises MeshError for one that this version does not understand, since guessing could undo the wrong thing."""
    if text is None:
        return None
    try:
        found = json.loads(text)
        if found.pop("format") != FORMAT:
            raise ValueError("another format")
        found["waves"] = tuple(tuple(wave) for wave in found["waves"])
        return Record(**{**found, "phase": Phase(found["phase"])})
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
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
    if record is None or record.phase is Phase.ROLLED_BACK:
        return wanted
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
    return replace(record, version=wanted.version, waves=wanted.waves, namespaces=namespaces, phase=phase, wave=wave)


def pending(waves: tuple[tuple[str, ...], ...], revision: str, snapshot: Snapshot) -> tuple[int, ...]:
    """Which waves still have something to move or restart, from what the cluster shows."""
    return tuple(index for index, wave in enumerate(waves) if not _at(wave, revision, snapshot))


def _at(wave: tuple[str, ...], revision: str, snapshot: Snapshot) -> bool:
    there = [snapshot.namespace[name] for name in wave if name in snapshot.namespace]
    moved = not any(move_to(namespace, revision).needed for namespace in there)
    return moved and not snapshot.standing(Standing.STALE, wave)


def next_step(record: Record, snapshot: Snapshot) -> tuple[int, ...]:
    """The waves to go through: those that the record does not call done, and those that are no longer as they should be."""
    if record.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
        return ()
    open_waves = set(pending(record.waves, record.revision, snapshot))
    if record.phase is Phase.RUNNING:
        open_waves |= set(range(record.wave, len(record.waves)))
    return tuple(sorted(open_waves))


def to_roll_back(record: Record | None, namespaces: Mapping[str, Namespace]) -> tuple[str, ...]:
    """What a rollback concerns: all that have recorded labels, and in one that was begun already what it has given back."""
    given_back = record.namespaces if record and record.phase is Phase.ROLLING_BACK else {}
    same = {name for name, uid in given_back.items() if name in namespaces and namespaces[name].uid == uid}
    return tuple(sorted(same | {name for name, namespace in namespaces.items() if namespace.prior}))


def rolling_back(record: Record, namespaces: Mapping[str, Namespace]) -> Record:
    """The record of a rollback that begins, or goes on: it holds just what it concerns."""
    concerned = to_roll_back(record, namespaces)
    return replace(record, phase=Phase.ROLLING_BACK, namespaces={name: namespaces[name].uid for name in concerned})


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
