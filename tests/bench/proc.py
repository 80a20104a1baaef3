# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes and their memory, in bytes, as Linux tells them in ``/proc``; 0 for one that is gone."""

from __future__ import annotations

import contextlib
from pathlib import Path

PROPORTIONAL = ("smaps_rollup", "Pss:")
"""What is shared is split among those who share it."""
RESIDENT, PEAK = ("status", "VmRSS:"), ("status", "VmHWM:")
"""What is in memory, now and at most so far; what is shared counts whole."""


def memory(pid: int, what: tuple[str, str]) -> int:
    file, field = what
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
    return 0


def children(parent: int) -> list[int]:
    """Ansible's workers, for a play: one a host, each in a session of its own."""
    return [int(one.name) for one in Path("/proc").glob("[0-9]*") if _parent(one) == parent]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0
