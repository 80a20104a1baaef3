# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Move namespaces from one injector to another, each in one patch that records the way back; or take that way back."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import record as records
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces, relabel
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Move, Namespace, move_to, restore
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import lost
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.served import check_served
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Difference, Result, Verb

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
    "namespaces": {"type": "list", "elements": "str"},
    "revision": {"type": "str"},
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    restored: bool
    namespaces: tuple[str, ...] | None
    """None: all that have a recorded way back."""
    revision: str
    istio_namespace: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        restored = params["state"] == "restored"
        names = params["namespaces"]
        if not restored:
            if not names or not params["revision"]:
                raise MeshError("namespaces and revision are needed.", where="state present", do="say which namespaces move, and where to")
            check_revision(params["revision"])
        return cls(restored, None if names is None else tuple(names), params["revision"] or "", params["istio_namespace"])


def run(options: Options, context: Context) -> Result:
    known = {namespace.name: namespace for namespace in all_namespaces(context.cluster)}
    return _restore(options, context, known) if options.restored else _move(options, context, known)


def _move(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    names = options.namespaces or ()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MeshError("Some namespaces do not exist.", where=", ".join(unknown), do="correct the names, or create the namespaces first")

    def decide(namespace: Namespace) -> Move:
        return move_to(namespace, options.revision)

    wanted = [decide(known[name]) for name in names]
    if not context.check_mode:  # there, the control plane may be one that would have been installed by now
        check_served(wanted, all_injectors(context.cluster))
    moves = _write(context, wanted, decide)
    return _result(moves, wanted, f"{_moved(moves, context)} to {options.revision}")


def _restore(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    names = options.namespaces if options.namespaces is not None else sorted(n.name for n in known.values() if n.prior)
    record = records.load(context.cluster, options.istio_namespace)
    warnings = lost(record, known) if record else ()
    wanted = [restore(known[name]) for name in names if name in known]
    check_served(wanted, all_injectors(context.cluster))
    moves = _write(context, wanted, restore)
    return _result(moves, wanted, f"{_moved(moves, context)} back to the former labels", warnings)


def _write(context: Context, wanted: Iterable[Move], decide: Callable[[Namespace], Move]) -> list[Move]:
    """What was moved, each as it was found and as it is now: a patch whose answer was lost was done all the same."""
    for move in wanted:
        if move.needed:
            relabel(context.cluster, move.namespace, decide)
    return [move for move in wanted if move.needed]


def _moved(moves: Sequence[Move], context: Context) -> str:
    return f"{count(len(moves), 'namespace')} {'would move' if context.check_mode else 'moved'}"


def _result(moves: Sequence[Move], wanted: Sequence[Move], msg: str, warnings: tuple[str, ...] = ()) -> Result:
    return Result(
        msg=msg,
        differences=tuple(Difference(f"namespace/{m.namespace.name}", _labels(m.namespace.asks), _labels(m.then)) for m in moves),
        facts={"namespaces": [move.namespace.name for move in wanted], "moved": [move.namespace.name for move in moves]},
        warnings=warnings,
    )


def _labels(asks: Asks) -> dict[str, str]:
    return {key: value for key, value in asks.labels().items() if value is not None}


VERB = Verb("namespace_injection", SPEC, Options.of, run)
