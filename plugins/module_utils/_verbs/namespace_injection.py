# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Move namespaces from one injector to another, each in one patch that records the way back; or take that way back."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import record as records
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces, relabel_all
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import PODS, pod
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    PRIOR,
    Asks,
    Move,
    Namespace,
    keep,
    move_to,
    restore,
    take_out,
    undo,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import lost
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.served import check_left, check_served
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Difference, Result, Verb

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent", "undone", "restored", "kept"], "default": "present"},
    "namespaces": {"type": "list", "elements": "str"},
    "revision": {"type": "str"},
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    state: str
    namespaces: tuple[str, ...] | None
    """None: all that have a recorded way back."""
    revision: str
    istio_namespace: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        state, names = params["state"], params["namespaces"]
        if state == "present":
            if not names or not params["revision"]:
                raise MeshError("namespaces and revision are needed.", where="state present", do="say which namespaces move, and where to")
            check_revision(params["revision"])
        if state == "absent" and not names:
            raise MeshError("namespaces are needed.", where="state absent", do="say which namespaces leave the mesh")
        if state == "undone" and (names is None or not params["revision"]):
            raise MeshError("namespaces and revision are needed.", where="state undone", do="say whose move to which revision is undone")
        return cls(state, None if names is None else tuple(names), params["revision"] or "", params["istio_namespace"])


def run(options: Options, context: Context) -> Result:
    known = {namespace.name: namespace for namespace in all_namespaces(context.cluster)}
    match options.state:
        case "undone":
            return _undo(options, context, known)
        case "restored":
            return _restore(options, context, known)
        case "kept":
            return _keep(options, context, known)
        case "absent":
            return _take_out(options, context, known)
    return _move(options, context, known)


def _move(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    def decide(namespace: Namespace) -> Move:
        return move_to(namespace, options.revision)

    wanted = [decide(namespace) for namespace in _named(options, known)]
    if not context.check_mode:  # there, the control plane may be one that would have been installed by now
        check_served(wanted, all_injectors(context.cluster))
    undoable = {"undoable": _undoable(options, context, wanted)}
    try:
        moves = _write(context, wanted, decide)
    except MeshError as problem:
        problem.facts = undoable  # some of them have moved
        raise
    result = _result(moves, wanted, f"{_moved(moves, context)} to {options.revision}")
    return replace(result, facts={**result.facts, **undoable})


def _undoable(options: Options, context: Context, wanted: Iterable[Move]) -> list[str]:
    """What was moved now, or by a run that was killed before anything restarted: its move can be taken back by the labels alone."""
    earlier = {move.namespace.name for move in wanted if not move.needed and move.prior}
    running = _running(context, options.revision) if earlier else frozenset()
    return [move.namespace.name for move in wanted if move.needed or move.namespace.name in earlier - running]


def _running(context: Context, revision: str) -> frozenset[str]:
    """Namespaces in which pods have a sidecar of this revision."""
    pods = context.cluster.values(PODS, pod)
    return frozenset(one.namespace for one in pods if one.proxy and one.proxy.revision == revision and not one.finished)


def _undo(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    names = [name for name in options.namespaces or () if name in known]
    running = _running(context, options.revision) if names else frozenset()

    def decide(namespace: Namespace) -> Move:
        return undo(namespace, options.revision, running=namespace.name in running)

    wanted = [decide(known[name]) for name in names]
    check_served(wanted, all_injectors(context.cluster))
    moves = _write(context, wanted, decide)
    stay = sorted(move.namespace.name for move in moves if move.namespace.name in running)
    warning = f"Pods in {listed(stay)} run {options.revision} already, and keep it until they are restarted: a rollback does that."
    back = f"{count(len(moves), 'namespace')} {'would have' if context.check_mode else 'has' if len(moves) == 1 else 'have'}"
    return _result(moves, wanted, f"{back} the labels again that were there before the move", (warning,) if stay else ())


def _take_out(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    wanted = [take_out(namespace) for namespace in _named(options, known)]
    check_left(wanted, all_injectors(context.cluster))
    moves = _write(context, wanted, take_out)
    return _result(moves, wanted, f"{_moved(moves, context)} out of the mesh")


def _named(options: Options, known: Mapping[str, Namespace]) -> Sequence[Namespace]:
    names = options.namespaces or ()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise MeshError("Some namespaces do not exist.", where=", ".join(unknown), do="correct the names, or create the namespaces first")
    return [known[name] for name in names]


def _keep(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    wanted = [keep(known[name]) for name in _recorded(options, known) if name in known]
    moves = _write(context, wanted, keep)
    would = "would be given up" if context.check_mode else "was given up"
    return _result(moves, wanted, f"the way back of {count(len(moves), 'namespace')} {would}")


def _recorded(options: Options, known: Mapping[str, Namespace]) -> Sequence[str]:
    return options.namespaces if options.namespaces is not None else sorted(n.name for n in known.values() if n.prior)


def _restore(options: Options, context: Context, known: Mapping[str, Namespace]) -> Result:
    names = _recorded(options, known)
    record = records.load(context.cluster, options.istio_namespace)
    warnings = lost(record, known) if record else ()
    wanted = [restore(known[name]) for name in names if name in known]
    check_served(wanted, all_injectors(context.cluster))
    moves = _write(context, wanted, restore)
    return _result(moves, wanted, f"{_moved(moves, context)} back to the former labels", warnings)


def _write(context: Context, wanted: Iterable[Move], decide: Callable[[Namespace], Move]) -> list[Move]:
    """What was moved, each as it was found and as it is now: a patch whose answer was lost was done all the same."""
    moves = [move for move in wanted if move.needed]
    relabel_all(context.cluster, [move.namespace for move in moves], decide)
    return moves


def _moved(moves: Sequence[Move], context: Context) -> str:
    return f"{count(len(moves), 'namespace')} {'would move' if context.check_mode else 'moved'}"


def _result(moves: Sequence[Move], wanted: Sequence[Move], msg: str, warnings: tuple[str, ...] = ()) -> Result:
    return Result(
        msg=msg,
        differences=tuple(Difference(f"namespace/{m.namespace.name}", *_before_and_after(m)) for m in moves),
        facts={"namespaces": [move.namespace.name for move in wanted], "moved": [move.namespace.name for move in moves]},
        warnings=warnings,
    )


def _before_and_after(move: Move) -> tuple[dict[str, str], dict[str, str]]:
    """The labels; of a move that changes none, the annotation that goes."""
    before, after = _labels(move.namespace.asks), _labels(move.then)
    if before == after and move.namespace.prior:
        return {**before, PRIOR: move.namespace.prior.text()}, after
    return before, after


def _labels(asks: Asks) -> dict[str, str]:
    return {key: value for key, value in asks.labels().items() if value is not None}


VERB = Verb("namespace_injection", SPEC, Options.of, run)
