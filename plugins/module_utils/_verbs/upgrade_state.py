# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The upgrade's record in the cluster: begun, a wave further, finished, rolled back; and what the next step is."""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import time
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import record as records
from ansible_collections.meshops.istio.plugins.module_utils._kube import stock as stocks
from ansible_collections.meshops.istio.plugins.module_utils._kube.rights import check_rights
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import baseline
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import (
    NAME,
    Pause,
    Phase,
    Record,
    begun,
    check_still,
    completed,
    completing,
    next_step,
    rolling_back,
    to_roll_back,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Stock, name_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Difference, Result, Verb

LONGEST_REASON = 4000
"""Characters; a record is read at 3 a.m. and lives in a ConfigMap."""
_GOING_ON = ("read", "advanced", "finished")
"""For who is about to do more of it; the others stop, or take it back."""
STATES = ("started", "advanced", "finished", "paused", "rolling_back", "rolled_back", "completing", "completed", "read")
SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": list(STATES), "default": "read"},
    "id": {"type": "str"},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "from_revision": {"type": "str"},
    "waves": {"type": "list", "elements": "list"},
    "wave": {"type": "int"},
    "step": {"type": "str"},
    "reason": {"type": "str"},
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    state: str
    id: str
    """Of the upgrade that the caller is in the middle of; empty for whoever takes what there is."""
    revision: str
    version: str | None
    old: str | None
    waves: tuple[tuple[str, ...], ...]
    wave: int
    step: str
    reason: str
    istio_namespace: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["state"] == "started" and (not params["revision"] or params["waves"] is None):
            raise MeshError("revision and waves are needed.", where="state started", do="take them from upgrade_plan")
        if params["state"] == "advanced" and params["wave"] is None:
            raise MeshError("wave is needed.", where="state advanced", do="say which wave is done, counted from 0")
        if params["state"] == "paused" and not (params["step"] and params["reason"]):
            raise MeshError("step and reason are needed.", where="state paused", do="say which step failed, and why")
        return cls(
            state=params["state"],
            id=params["id"] or "",
            revision=params["revision"] or "",
            version=params["version"],
            old=params["from_revision"],
            waves=tuple(tuple(wave) for wave in params["waves"] or []),
            wave=params["wave"] or 0,
            step=params["step"] or "",
            reason=params["reason"] or "",
            istio_namespace=params["istio_namespace"],
        )


def run(options: Options, context: Context) -> Result:
    stored = records.stored(context.cluster, options.istio_namespace)
    found = stored.record if stored else None
    if options.id and not context.check_mode:  # there, none was begun
        check_still(found, options.id, going_on=options.state in _GOING_ON)
    if options.state == "rolling_back":
        check_rights(context.cluster, options.istio_namespace)
    snapshot = take(context.cluster)
    wanted = _wanted(options, found, snapshot)
    changed = wanted is not None and wanted != found
    stock = _stock(options, context) if options.state == "started" and options.old else None
    if wanted is not None and changed:
        records.save(context.cluster, options.istio_namespace, wanted, over=stored)
    if stock:
        stocks.save(context.cluster, options.istio_namespace, stock)
    said = (Difference(f"configmap/{NAME}", found and _facts(found), wanted and _facts(wanted)),) if changed else ()
    return Result(
        msg=wanted.text() if wanted else "no upgrade on record",
        differences=(*said, *_taken(stock)),
        facts={
            "cluster_uid": context.cluster.uid(),
            "record": _facts(wanted) if wanted else None,
            "pending": [_wave(wanted, index) for index in next_step(wanted, snapshot)] if wanted else [],
            "moved": list(to_roll_back(wanted, snapshot.namespace)),
        },
    )


def _stock(options: Options, context: Context) -> Stock | None:
    """Of the old control plane, once: only what is on record now can be removed when nothing needs it any more."""
    old = options.old or ""
    if stocks.load(context.cluster, options.istio_namespace, old):
        return None
    stock = stocks.taken(context.cluster, options.istio_namespace, old)
    return stock if stock.objects else None


def _taken(stock: Stock | None) -> tuple[Difference, ...]:
    if not stock:
        return ()
    return (Difference(f"configmap/{name_of(stock.revision)}", None, {"objects": [one.text() for one in sorted(stock.objects)]}),)


def _wanted(options: Options, found: Record | None, snapshot: Snapshot) -> Record | None:
    """A run that says how far it is is no longer paused."""
    if options.state == "read":
        return found
    if options.state == "paused":
        pause = Pause(options.step, options.reason[:LONGEST_REASON], _now())
        return replace(found, paused=pause) if found and found.under_way else found
    wanted = _further(options, found, snapshot)
    return wanted and replace(wanted, paused=None)


def _further(options: Options, found: Record | None, snapshot: Snapshot) -> Record | None:
    match options.state:
        case "started":
            return begun(found, _new(options, snapshot), snapshot)
        case "advanced" if found and found.phase is Phase.RUNNING:
            return found.advanced(options.wave)
        case "finished" if found and found.phase is Phase.RUNNING:
            return replace(found, phase=Phase.DONE, wave=len(found.waves))
        case "rolling_back":
            return rolling_back(found, snapshot.namespace, options.istio_namespace)
        case "completing":
            return completing(found)
        case "completed" if found and found.phase is Phase.COMPLETING:
            return completed(found, snapshot)
        case "rolled_back" if found:
            return replace(found, phase=Phase.ROLLED_BACK, wave=0)
    return found


def _new(options: Options, snapshot: Snapshot) -> Record:
    names = [name for wave in options.waves for name in wave]
    return Record(
        id=secrets.token_hex(4),
        revision=options.revision,
        version=options.version,
        old=options.old,
        waves=options.waves,
        namespaces={name: snapshot.namespace[name].uid for name in names if name in snapshot.namespace},
        baseline=baseline(snapshot, names),
        phase=Phase.RUNNING,
        wave=0,
        started=_now(),
        by=f"{_user()}@{socket.gethostname()}",
    )


def _now() -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container that runs under a UID of nobody
        return f"uid {os.getuid()}"


def _facts(record: Record) -> dict[str, object]:
    return {
        "id": record.id,
        "revision": record.revision,
        "version": record.version,
        "from_revision": record.old,
        "phase": str(record.phase),
        "waves": [list(wave) for wave in record.waves],
        "waves_done": record.wave,
        "started": record.started,
        "by": record.by,
        "baseline": {path: asdict(was) for path, was in record.baseline.items()},
        "paused": asdict(record.paused) if record.paused else None,
    }


def _wave(record: Record, index: int) -> dict[str, object]:
    return {"index": index, "number": index + 1, "of": len(record.waves), "namespaces": list(record.waves[index])}


VERB = Verb("upgrade_state", SPEC, Options.of, run)
