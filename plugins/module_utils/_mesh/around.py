# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restart meets besides the workloads themselves: quotas, nodes, autoscalers, and what templates name. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import Named, Taint
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Amounts


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota: what it allows and what is used, by its own names for things; numbers as ``Amounts`` count them."""

    namespace: str
    name: str
    hard: Mapping[str, int]
    used: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Range:
    """One entry of a LimitRange about containers; what is not said is 0."""

    namespace: str
    name: str
    least: Amounts
    most: Amounts


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    cordoned: bool
    room: Amounts
    """What it has for pods (``allocatable``)."""
    pods: int
    """How many it may run."""


@dataclass(frozen=True, slots=True)
class Autoscaler:
    namespace: str
    name: str
    kind: str
    target: str
    most: int
    limited: bool
    """It wants more than it may (condition ``ScalingLimited``, reason ``TooManyReplicas``)."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim."""

    namespace: str
    name: str
    modes: frozenset[str]
    deleting: bool

    @property
    def by_one_pod(self) -> bool:
        return self.modes == {"ReadWriteOncePod"}

    @property
    def by_one_node(self) -> bool:
        return bool(self.modes) and self.modes <= {"ReadWriteOnce", "ReadWriteOncePod"}


Names = frozenset[tuple[str, str]]
"""Namespace and name."""


@dataclass(frozen=True)
class Around:
    """``None`` for what could not be seen, or nobody needed to know."""

    there: Mapping[Named, Names | None] = field(default_factory=dict)
    """ConfigMaps, Secrets and ServiceAccounts, by name alone."""
    claims: tuple[Claim, ...] | None = None
    quotas: tuple[Quota, ...] | None = None
    ranges: tuple[Range, ...] | None = None
    nodes: tuple[Node, ...] | None = None
    autoscalers: tuple[Autoscaler, ...] | None = None
    hidden: tuple[str, ...] = ()
    """Kinds that this user may not list."""
