# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade's record in the cluster: begun, a wave further, finished, rolled back; and what the next step is."""

from __future__ import annotations

import getpass
import socket
import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import record as records
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import Phase, Record, begun, next_step
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Difference, Result, Verb

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["started", "advanced", "finished", "rolled_back", "read"], "default": "read"},
    "revision": {"type": "str"},
    "from_revision": {"type": "str"},
    "waves": {"type": "list", "elements": "list"},
    "wave": {"type": "int"},
    "istio_namespace": ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    state: str
    revision: str
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    wave: int
    istio_namespace: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["state"] == "started" and not (params["revision"] and params["waves"] is not None):
            raise MeshError("revision and waves are needed.", where="state started", do="take them from upgrade_plan")
        if params["state"] == "advanced" and params["wave"] is None:
            raise MeshError("wave is needed.", where="state advanced", do="say which wave is done, counted from 0")
        waves = tuple(tuple(wave) for wave in params["waves"] or [])
        return cls(
            params["state"], params["revision"] or "", params["from_revision"], waves, params["wave"] or 0, params["istio_namespace"]
        )


def run(options: Options, context: Context) -> Result:
    found = records.load(context.cluster, options.istio_namespace)
    snapshot = take(context.cluster)
    wanted = _wanted(options, found, snapshot)
    if wanted is not None and wanted != found:
        records.save(context.cluster, options.istio_namespace, wanted, new=found is None)
    changed = wanted != found
    steps = next_step(wanted, snapshot) if wanted else ()
    return Result(
        msg=wanted.text() if wanted else "no upgrade on record",
        differences=(Difference("upgrade", found.text() if found else None, wanted.text() if wanted else None),) if changed else (),
        facts={
            "record": _facts(wanted) if wanted else None,
            "pending": [_wave(wanted, index) for index in steps] if wanted else [],
        },
    )


def _wanted(options: Options, found: Record | None, snapshot: Snapshot) -> Record | None:
    match options.state:
        case "started":
            return begun(found, _new(options, snapshot), snapshot)
        case "advanced" if found and found.phase is Phase.RUNNING:
            return found.advanced(options.wave)
        case "finished" if found:
            return replace(found, phase=Phase.DONE, wave=len(found.waves))
        case "rolled_back" if found:
            return replace(found, phase=Phase.ROLLED_BACK, wave=0)
    return found


def _new(options: Options, snapshot: Snapshot) -> Record:
    names = [name for wave in options.waves for name in wave]
    return Record(
        revision=options.revision,
        old=options.old,
        waves=options.waves,
        namespaces={name: snapshot.namespace[name].uid for name in names if name in snapshot.namespace},
        phase=Phase.RUNNING,
        wave=0,
        started=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        by=f"{getpass.getuser()}@{socket.gethostname()}",
    )


def _facts(record: Record) -> dict[str, object]:
    return {
        "revision": record.revision,
        "from_revision": record.old,
        "phase": str(record.phase),
        "waves": [list(wave) for wave in record.waves],
        "waves_done": record.wave,
        "started": record.started,
        "by": record.by,
    }


def _wave(record: Record, index: int) -> dict[str, object]:
    return {"index": index, "number": index + 1, "of": len(record.waves), "namespaces": list(record.waves[index])}


VERB = Verb("upgrade_state", SPEC, Options.of, run)
