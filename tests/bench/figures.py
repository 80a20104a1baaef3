# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Figures as a table: what was measured, how much, and what the goal is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figures:
    title: str
    rows: tuple[tuple[str, str, str], ...]

    def table(self) -> str:
        """In Markdown, so that it can be kept as it is."""
        head = ["", f"### {self.title}", "", "| what | measured | goal |", "|---|---|---|"]
        return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in self.rows)])


def timed(work: Callable[[], object]) -> float:
    """How many seconds it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
