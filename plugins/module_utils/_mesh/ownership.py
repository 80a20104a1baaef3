# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who would set back what an upgrade changes: labels of namespaces, and the stamp of a restart. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, Weight, gathered, note, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import Keeper, keeper
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, Move
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, TEMPLATE, Workload


def ownership_findings(moves: Iterable[Move], restarts: Iterable[Workload]) -> Iterator[Finding]:
    """A blocker only for who corrects drift always, and can be told on the object not to: the label would be back within minutes, and with
    it the old sidecar of every pod that comes then. For the others it depends on what cannot be seen from here (Argo CD's sync policy, when
    somebody runs Helm next), so that they are a warning; and a label that ``kubectl apply`` knows is a note, since a person applies it.
    """
    yield from gathered(finding for move in moves for finding in _of_namespace(move))
    yield from gathered(finding for workload in restarts for finding in _of_workload(workload))


def _of_namespace(move: Move) -> Iterator[Finding]:
    namespace, told = move.namespace, set[str]()
    for label in (INJECTION, REVISION):
        for holder in namespace.held.by.get(label, ()):
            who = keeper(holder)
            if who and not (who.always and namespace.held.left_alone) and who.name not in told:
                told.add(who.name)
                yield _label(move, label, holder.manager, who)
    files = sorted({INJECTION, REVISION} & namespace.held.applied)
    if files and not told:
        yield note(
            Topic.OWNERSHIP,
            f"Label {' and '.join(files)} stands in the file that these namespaces were applied from",
            where=f"namespace {namespace.name}",
            why="whoever applies that file again (kubectl apply) sets it back",
            do=f"write {move.then.text()} there instead when the wave is done",
        )


def _label(move: Move, label: str, manager: str, who: Keeper) -> Finding:
    namespace = move.namespace
    source = namespace.held.source or "its source"
    until = who.until.format(source=source)
    return Finding(
        Weight.BLOCKER if who.always else Weight.WARNING,
        Topic.OWNERSHIP,
        f"{who.name} manages label {label} of namespaces that are to move, and would set it back"
        + (f" ({namespace.held.source})" if namespace.held.source else "")
        + ("." if who.always else ""),
        where=f"namespace {namespace.name}",
        why=f"field manager {manager}: {who.when.format(source=source)}",
        do=f"in Git: {move.then.text()} in place of {namespace.asks.text()}, when the wave is done; {until}",
    )


def _of_workload(workload: Workload) -> Iterator[Finding]:
    held = workload.held
    stamped = [(holder, who) for holder in held.by.get(STAMP, ()) if (who := keeper(holder))]
    trimming = [(holder, who) for holder in held.by.get(TEMPLATE, ()) if (who := keeper(holder)) and who.trims]
    for holder, who in (stamped or trimming)[:1]:
        source = held.source or "its source"
        yield warning(
            Topic.OWNERSHIP,
            f"{who.name} would take the stamp of a restart back, and with that all pods roll once more",
            where=at(workload),
            why=f"field manager {holder.manager} holds the template's annotations: {who.when.format(source=source)}",
            do=f"in its source: leave {STAMP} out of the template and have it ignored",
        )
    if held.owner and not stamped:
        yield warning(
            Topic.OWNERSHIP,
            f"Workloads that a {held.owner.partition('/')[0]} has made are restarted, and its operator may take the stamp back",
            where=f"{at(workload)}, of {held.owner}",
            why="operators that write the whole template take away an annotation that they do not know, and the pods roll once more",
            do=f"see that the operator keeps the template's annotation {STAMP}; else restart it by the operator's own means",
        )
