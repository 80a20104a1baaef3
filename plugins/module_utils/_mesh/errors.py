# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that a user can act on, and the one place that renders them. Pure."""

from __future__ import annotations

from collections.abc import Mapping


class MeshError(Exception):
    """Something that the user can put right: what, where, why, what to do."""

    kind = "mesh"

    def __init__(self, what: str, *, where: str = "", why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.why, self.do = what, where, why, do
        self.facts: Mapping[str, object] = {}
        """What the result holds all the same, for who goes on from there."""

    def text(self) -> str:
        """Four short lines at most; the first is the sentence."""
        parts = (("where", self.where), ("why", self.why), ("do", self.do))
        return "\n".join([self.what] + [f"  {name + ':':<6} {text}" for name, text in parts if text])

    def as_ansible(self) -> dict[str, object]:
        return {**self.facts, "msg": self.text(), "error": {"kind": self.kind, "reason": self.why or self.what, "hint": self.do}}


class Blocked(MeshError):
    """Several things stand in the way; this step wrote nothing. Each is told in full."""

    kind = "blocked"

    def __init__(self, blockers: tuple[MeshError, ...], facts: Mapping[str, object] | None = None) -> None:
        first = blockers[0]
        super().__init__(first.what, where=first.where, why=first.why, do=first.do)
        self.blockers = blockers
        self.facts = facts or {}

    def text(self) -> str:
        head = [f"{len(self.blockers)} things stand in the way; nothing was written by this step."] if len(self.blockers) > 1 else []
        return "\n".join(head + [MeshError.text(blocker) for blocker in self.blockers])
