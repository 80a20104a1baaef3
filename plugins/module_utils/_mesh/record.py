# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade's record in the cluster, and where a rerun goes on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import move_to
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Standing

NAME = "meshops-upgrade"
KEY = "record"
FORMAT = 1


class Phase(StrEnum):
    RUNNING = "running"
    DONE = "done"
    ROLLED_BACK = "rolled back"


@dataclass(frozen=True, slots=True)
class Record:
    """What was begun, how far it is. ``namespaces`` holds name and UID of all that is about to move."""

    revision: str
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    namespaces: Mapping[str, str]
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
    """The record to go on with: the old one where it is about the same upgrade, else the new one.

    An upgrade to another revision that is still running is never overwritten. A finished one whose plan moves nothing new
    stays as it is, so that a second run writes nothing.
    """
    if record is None or record.phase is Phase.ROLLED_BACK:
        return wanted
    if record.revision != wanted.revision:
        if record.phase is Phase.RUNNING:
            raise MeshError(
                f'An upgrade to "{record.revision}" is under way.',
                where=f"started {record.started} by {record.by}, wave {record.wave} of {len(record.waves)} done",
                do=f"finish it with mesh_revision={record.revision}, or roll it back first",
            )
        return wanted
    if record.waves == wanted.waves:
        return record
    if record.phase is Phase.DONE and not pending(wanted.waves, wanted.revision, snapshot):
        return record
    return replace(wanted, started=record.started, by=record.by, namespaces={**record.namespaces, **wanted.namespaces})


def pending(waves: tuple[tuple[str, ...], ...], revision: str, snapshot: Snapshot) -> tuple[int, ...]:
    """Which waves still have something to move or restart: the next step, from what the cluster shows."""
    return tuple(index for index, wave in enumerate(waves) if not _at(wave, revision, snapshot))


def _at(wave: tuple[str, ...], revision: str, snapshot: Snapshot) -> bool:
    there = [snapshot.namespace[name] for name in wave if name in snapshot.namespace]
    moved = not any(move_to(namespace, revision).needed for namespace in there)
    return moved and not snapshot.standing(Standing.STALE, namespaces=wave)


def next_step(record: Record, snapshot: Snapshot) -> tuple[int, ...]:
    """The waves to go through: those that the record does not call done, and those that are no longer as they should be."""
    if record.phase is Phase.ROLLED_BACK:
        return ()
    open_waves = set(pending(record.waves, record.revision, snapshot))
    if record.phase is Phase.RUNNING:
        open_waves |= set(range(record.wave, len(record.waves)))
    return tuple(sorted(open_waves))
