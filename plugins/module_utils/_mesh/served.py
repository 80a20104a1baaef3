# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a label change is safe: some injector must serve what the namespace asks for afterwards. Pure.

A label that no injector serves takes the sidecars away, silently; one whose injector has no caBundle has pods refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import Blocked, MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, Outcome, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Move


def check_served(moves: Iterable[Move], injectors: Iterable[Injector]) -> None:
    """Raises MeshError for moves after which plain pods would get no sidecar although the namespace asks for one, or be refused."""
    known = tuple(injectors)
    blockers = tuple(problem for move in moves if move.needed and (problem := _problem(move, known)))
    if blockers:
        raise Blocked(blockers)


def check_left(moves: Iterable[Move], injectors: Iterable[Injector]) -> None:
    """Raises MeshError for namespaces whose plain pods would get a sidecar although they ask for none any more."""
    known = tuple(injectors)
    blockers = []
    for move in moves:
        name, labels = move.namespace.name, move.namespace.asking(move.then).labels
        asked = decide(PodShape(), name, labels, known, {}).asked
        if asked:
            blockers.append(
                MeshError(
                    f'Namespace "{name}" would get sidecars all the same.',
                    where=f"revision {asked[-1].revision}, which injects by default",
                    why="without a label its new pods are injected too",
                    do=f"kubectl label namespace {name} istio-injection=disabled --overwrite",
                )
            )
    if blockers:
        raise Blocked(tuple(blockers))


def _problem(move: Move, injectors: tuple[Injector, ...]) -> MeshError | None:
    name, then = move.namespace.name, move.then
    if then == Asks() or then.injection not in (None, "enabled"):
        return None
    decision = decide(PodShape(), name, move.namespace.asking(then).labels, injectors, {})
    if decision.refused:
        return MeshError(
            f"New pods in namespace {name} would be refused.",
            where=f"label {then.text()}",
            why=decision.refused,
            do="bring that control plane back first: look at its Deployment and its pods",
        )
    if decision.outcome is Outcome.NONE:
        there = ", ".join(dict.fromkeys(f"tag {i.tag}" if i.tag else i.revision for i in injectors if not i.disabled))
        return MeshError(
            f'No injector here serves "{then.text()}".',
            where=f"namespace {name}; injectors here: {there or 'none'}",
            why="its new pods would get no sidecar",
            do="install or restore that control plane first, or correct the revision",
        )
    return None
