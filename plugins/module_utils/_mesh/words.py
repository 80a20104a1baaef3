# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers and lists as a sentence has them. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """``1 namespace``, ``3 namespaces``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int = 5, between: str = ", ") -> str:
    """``a, b, c``, and for a long list how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return between.join(names[:most]) + more
