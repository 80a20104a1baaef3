# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two control planes have one root of trust: else a moved workload and one that has not moved refuse each other. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector


def check_same_root(injectors: Iterable[Injector], revision: str, old: str | None, given_out: frozenset[str]) -> None:
    """Raises MeshError where the roots of a revision are others than the old one's, or than those given out to running sidecars.

    ``old`` None compares with all others. What shows no roots is not compared: a control plane that is called by a url has none here.
    """
    known = tuple(injectors)
    mine = _roots(known, {revision})
    others = {i.revision for i in known if i.revision != revision} if old is None else {old}
    for theirs, whose in (
        (_roots(known, others), f"control plane {old}" if old else "the other control planes"),
        (given_out, "the sidecars"),
    ):
        if mine and theirs and mine != theirs:
            raise MeshError(
                f'Control plane "{revision}" has another root of trust than {whose}.',
                where=f"its caBundle: {_short(mine)}; theirs, or ConfigMap istio-ca-root-cert: {_short(theirs)} (SHA-256)",
                why="between a workload that has moved and one that has not, mutual TLS would fail",
                do="give both control planes the same certificate authority (Secret cacerts or istio-ca-secret) before anything moves",
            )


def _roots(injectors: Iterable[Injector], revisions: set[str]) -> frozenset[str]:
    return frozenset(root for injector in injectors if injector.revision in revisions for root in injector.roots)


def _short(roots: frozenset[str]) -> str:
    return ", ".join(sorted(root[:12] for root in roots))
