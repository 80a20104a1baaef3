# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much a control plane can carry: what moves to a weaker one would find it overloaded, or gone while a node is drained. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import GIVEN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count


@dataclass(frozen=True, slots=True)
class Strength:
    replicas: int
    budget: Mapping[str, object] | None = None
    """What its PodDisruptionBudget says beside the selector; None where it has none."""


def check_as_strong(revision: str, least: int, old: Strength | None, old_revision: str | None) -> None:
    """Raises MeshError where the new control plane would begin with fewer replicas than the old one has."""
    if old and least < old.replicas:
        raise MeshError(
            f'Control plane "{revision}" would be weaker than "{old_revision}".',
            where=f"it is given {count(least, 'replica')}, the old one has {old.replicas}",
            why="it would have to carry the same workloads",
            do=f"give it as many, for example pilot.autoscaleMin: {old.replicas} in {GIVEN}; or scale the old one down first",
        )
