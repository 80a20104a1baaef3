# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one run has begun, and what it does next: values that its steps go by. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Declared, Recipe
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Pod, Restarted


@dataclass(frozen=True, slots=True)
class Begun:
    """A workload that this run has taken in hand."""

    recipe: Recipe
    generation: int = 0
    """That its controller has to observe."""
    stamp: str | None = None
    """What its new pods carry and no older one does; None where that cannot tell them."""
    seen: frozenset[str] = frozenset()
    """UIDs of the pods that it had then: any other is new."""
    pods: int = 0
    """How many pods it had then: as many are wanted again, where nothing else tells how many."""
    ill: frozenset[str] = frozenset()
    """UIDs of the pods that were not ready then, so that it was nothing of this run that made them so."""
    judged: Judged | None = None
    """As it was then; None where it is seen by itself, also while it has no pods."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The template gets this stamp, and the workload's annotation holds ``restarted``; None takes either away."""

    judged: Judged
    value: str | None
    restarted: Restarted | None
    begun: Begun
    declared: Declared | None = None


@dataclass(frozen=True, slots=True)
class Evict:
    judged: Judged
    pod: Pod
    begun: Begun


@dataclass(frozen=True, slots=True)
class Delete:
    """For a broken pod that its controller waits for in vain; no budget would let it be evicted."""

    judged: Judged
    pod: Pod
    begun: Begun | None = None
    """Where it is the turn of this pod, as for an eviction; None for one that holds up a rollout."""


Action: t.TypeAlias = Stamp | Evict | Delete


@dataclass(frozen=True, slots=True)
class Ledger:
    """By UID of workload and pod."""

    begun: Mapping[str, Begun] = field(default_factory=lambda: MappingProxyType({}))
    gone: frozenset[str] = frozenset()
    """Pods that were evicted or deleted: a watch may show them for a while."""
    denied: frozenset[str] = frozenset()
    """Pods whose eviction was denied a moment ago."""

    def with_begun(self, uid: str, begun: Begun) -> Ledger:
        return replace(self, begun={**self.begun, uid: begun})

    def without(self, pod: Pod) -> Ledger:
        return replace(self, gone=self.gone | {pod.uid})


def seen(judged: Judged, recipe: Recipe) -> Begun:
    """A workload as it is when it is taken in hand."""
    uids = frozenset(pod.uid for pod in judged.pods)
    ill = frozenset(pod.uid for pod in judged.pods if not pod.ready)
    return Begun(recipe, seen=uids, ill=ill, pods=len(judged.pods), judged=judged if judged.workload.of_pods else None)
