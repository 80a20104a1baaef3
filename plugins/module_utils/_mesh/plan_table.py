# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a person reads it: what moves, what restarts, what needs you, what is left, what stands in the way. 100 columns. Pure."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.duration import Expected, expected
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed

COLUMNS = 100
_GAP = "  "
_MOST = 50
"""Workloads that need somebody are all named, as far as anybody would read."""
_LEAST = 8
"""No column is made narrower than that."""
Row = Sequence[str]


def plan_report(plan: Plan, sentence: str, concurrency: int) -> list[str]:
    """All of it, as lines; of what there is nothing, nothing is said but that."""
    lines = textwrap.wrap(sentence, COLUMNS - 20)  # the cluster's name stands in front of the first
    lines += ["", "MOVES", *(_moves(plan) or ["  none"])]
    lines += ["", "RESTARTS", *(_restarts(plan, concurrency) or ["  none"])]
    needs, left = (_rows(plan, by) for by in ("needs you", "left"))
    lines += ["", "NEEDS YOU", *(fitted(("RECIPE", "WHY", "DECIDED BY", "WORKLOADS"), needs) if needs else ["  none"])]
    lines += ["", "LEFT", *(fitted(("RECIPE", "WHY", "DECIDED BY", "WORKLOADS"), left) if left else ["  none"])]
    for title, findings in (("BLOCKERS", plan.blockers), ("WARNINGS", plan.warnings), ("NOTES", plan.notes)):
        if findings or title != "NOTES":
            lines += ["", f"{title} ({len(findings)})", *(line for finding in findings for line in _finding(finding))]
    return [*lines, ""]


def _moves(plan: Plan) -> list[str]:
    moves = {move.namespace.name: move for move in plan.moves}
    restarts: dict[str, list[str]] = defaultdict(list)
    for judged in plan.restarts:
        restarts[judged.workload.namespace].append(judged.workload.short)
    rows = []
    for number, wave in enumerate(plan.waves, start=1):
        for name in wave:
            now = moves[name].namespace.asks.text() if name in moves else "as it should be"
            then = moves[name].then.text() if name in moves else ""
            short = f"{len(restarts[name])}: {listed(restarts[name], most=2)}" if restarts[name] else "0"
            rows.append((str(number), name, now, then, short))
    return fitted(("WAVE", "NAMESPACE", "LABEL NOW", "LABEL THEN", "RESTARTS"), rows) if rows else []


def _restarts(plan: Plan, concurrency: int) -> list[str]:
    """How each gets its new sidecars, all of one way in one line; then how long each wave may take."""
    times = {
        number: time
        for number, wave in enumerate(plan.waves, start=1)
        if (time := expected([(j, way) for j, way in plan.ways if way.by_us and j.workload.namespace in wave], concurrency)).pods
    }
    rows = _rows(plan, "")
    return [*fitted(("RECIPE", "HOW", "DECIDED BY", "WORKLOADS"), rows), *_times(times)] if rows else []


def _times(times: Mapping[int, Expected]) -> Iterator[str]:
    for number, time in times.items():
        lasting = f"about {count(time.minutes, 'minute')} ({time.pace})"
        yield f"wave {number}: {count(time.pods, 'pod')}, at most {time.at_once} at once, {lasting}"
    for basis in dict.fromkeys(time.basis for time in times.values()):
        yield from textwrap.wrap(f"the minutes count {basis}; budgets, images and slow starts come on top", COLUMNS)


def _rows(plan: Plan, whose: str) -> list[Row]:
    """``needs you``, ``left``, or empty for what this collection restarts."""
    ways: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for judged, way in plan.ways:
        mine = "" if way.by_us else "needs you" if way.needs_a_person else "left"
        if mine == whose:
            ways[str(way.recipe), way.text, way.variable or "-"].append(judged.workload.path)
    most = _MOST if whose else 2  # what is restarted stands among the moves too
    return [(recipe, text, variable, listed(paths, most)) for (recipe, text, variable), paths in sorted(ways.items())]


def _finding(finding: Finding) -> Iterator[str]:
    yield from _wrapped(f"{finding.topic}: ", finding.what, "  ")
    for name, text in (("where", finding.where), ("why", finding.why), ("do", finding.do)):
        first, *rest = text.splitlines() or [""]
        if first:
            yield from _wrapped(f"{name}:".ljust(7), first, "      ")
        yield from rest  # YAML to be pasted, so it stands as it is


def _wrapped(head: str, text: str, indent: str) -> list[str]:
    """Words are never broken, so that a name or a command stays one."""
    beyond = indent + " " * len(head)
    return textwrap.wrap(
        text, COLUMNS, initial_indent=indent + head, subsequent_indent=beyond, break_long_words=False, break_on_hyphens=False
    )


def fitted(head: Row, rows: Iterable[Row], columns: int = COLUMNS) -> list[str]:
    """A table within the columns: what is too wide is broken over several lines, in the widest columns first."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    while sum(widths) + len(_GAP) * (len(widths) - 1) > columns and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    return [text for line in lines for text in _broken(line, widths)]


def _broken(line: Row, widths: Sequence[int]) -> Iterator[str]:
    cells = [textwrap.wrap(cell, width, break_on_hyphens=False) or [""] for cell, width in zip(line, widths, strict=True)]
    for number in range(max(map(len, cells))):
        parts = (cell[number] if number < len(cell) else "" for cell in cells)
        yield _GAP.join(part.ljust(width) for part, width in zip(parts, widths, strict=True)).rstrip()
