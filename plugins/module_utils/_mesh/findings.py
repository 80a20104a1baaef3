# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person should know before anything moves: facts with their evidence and the way out. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed


class Topic(StrEnum):
    """What a finding is about, in the order in which a plan tells them."""

    WAVES = "waves"
    INJECTION = "injection"
    RIGHTS = "rights"
    VERSIONS = "versions"
    MEANING = "meaning"
    DISRUPTION = "disruption"
    DRIFT = "drift"
    OWNERSHIP = "ownership"
    VALIDATION = "validation"
    PROXIES = "proxies"


class Weight(StrEnum):
    BLOCKER = "blocker"
    """Nothing is begun while it holds."""
    WARNING = "warning"
    NOTE = "note"
    """Nothing is wrong, and it is good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact: what is so, where it was seen, why it matters, and the command or variable that resolves it."""

    weight: Weight
    topic: Topic
    what: str
    where: str = ""
    why: str = ""
    do: str = ""

    def error(self) -> MeshError:
        return MeshError(self.what, where=self.where, why=self.why, do=self.do)

    def line(self) -> str:
        """For a warning, which is one paragraph: ``what (where): why; do``."""
        head = f"{self.what.rstrip('.')} ({self.where})" if self.where else self.what.rstrip(".")
        tail = "; ".join(part for part in (self.why, self.do) if part)
        return f"{head}: {tail}." if tail else f"{head}."

    def facts(self) -> dict[str, str]:
        return {name: str(value) for name, value in (("weight", self.weight), ("topic", self.topic))} | {
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "do": self.do,
        }


def blocker(topic: Topic, what: str, *, where: str = "", why: str = "", do: str = "") -> Finding:
    return Finding(Weight.BLOCKER, topic, what, where, why, do)


def warning(topic: Topic, what: str, *, where: str = "", why: str = "", do: str = "") -> Finding:
    return Finding(Weight.WARNING, topic, what, where, why, do)


def note(topic: Topic, what: str, *, where: str = "", why: str = "", do: str = "") -> Finding:
    return Finding(Weight.NOTE, topic, what, where, why, do)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Blockers first, each by its topic; within a topic as they were found. What is found twice is told once."""
    weights, topics = tuple(Weight), tuple(Topic)
    return tuple(sorted(dict.fromkeys(findings), key=lambda one: (weights.index(one.weight), topics.index(one.topic))))


def gathered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """What is the same but for where it was seen is told once, with all places."""
    places: dict[Finding, list[str]] = {}
    for one in findings:
        places.setdefault(replace(one, where=""), []).append(one.where)
    return tuple(replace(one, where=listed(where, most=10)) for one, where in places.items())
