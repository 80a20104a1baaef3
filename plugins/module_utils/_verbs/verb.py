# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verb is: options in, one result out, with a cluster in between."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster

Chosen = t.TypeVar("Chosen")


@dataclass(frozen=True, slots=True)
class Context:
    """All that a verb may touch besides its options."""

    cluster: Cluster
    check_mode: bool
    say: Callable[[str], None]
    """Shows one line at once, where somebody watches; the module side keeps it for the result."""
    clock: Callable[[], float]
    """Seconds, monotonic."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was changed, or in check mode would be."""

    what: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Result:
    """The one envelope that every verb returns. ``differences`` decides ``changed`` and is the diff."""

    msg: str
    differences: tuple[Difference, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    predicted: bool = False
    """Computed from a snapshot and the plan, not answered by the cluster."""

    def as_ansible(self) -> dict[str, object]:
        before = {d.what: d.before for d in self.differences}
        after = {d.what: d.after for d in self.differences}
        answer: dict[str, object] = {"changed": bool(self.differences), "msg": self.msg, "predicted": self.predicted, **self.facts}
        if self.differences:
            answer["diff"] = {"before": before, "after": after}
        if self.warnings:
            answer["warnings"] = list(self.warnings)
        return answer


@dataclass(frozen=True, slots=True)
class Verb(t.Generic[Chosen]):
    """One verb, as module and action both see it."""

    name: str
    spec: Mapping[str, t.Any]
    options: Callable[[Mapping[str, t.Any]], Chosen]
    run: Callable[[Chosen, Context], Result]


ISTIO_NAMESPACE: dict[str, t.Any] = {"istio_namespace": {"type": "str", "default": "istio-system"}}
WAIT: dict[str, t.Any] = {"wait_timeout": {"type": "int", "default": 600}, "grace_time": {"type": "int", "default": 60}}
