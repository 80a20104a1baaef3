# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that the lab started, known by pid and start time: a pid alone may belong to somebody else by now."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    started: int  # in clock ticks since boot, as the kernel counts
    name: str

    @property
    def alive(self) -> bool:
        return _started(self.pid) == self.started

    def arguments(self) -> list[str]:
        return _arguments(self.pid)

    def send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, number)


def process(pid: int, name: str = "") -> Process | None:
    """The process as it is now; None where there is none, or only a zombie."""
    started = _started(pid)
    return Process(pid, started, name or _name(pid)) if started is not None else None


def in_folder(folder: Path, names: Iterable[str]) -> Iterator[Process]:
    """What runs one of these programs or modules with a file of the folder among its arguments."""
    wanted = set(names)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        arguments = _arguments(int(entry.name))
        runs = {Path(argument).name for argument in arguments[:1]} | set(arguments[1:3])
        if runs & wanted and any(f"{folder}/" in argument for argument in arguments) and (found := process(int(entry.name))):
            yield found


def end(processes: Iterable[Process], *, grace: float) -> None:
    """Ask, wait up to ``grace`` seconds for all of them together, then insist. Returns when all are gone."""
    left = list(processes)
    for one in left:
        one.send(signal.SIGTERM if grace else signal.SIGKILL)
    deadline = time.monotonic() + grace
    insisted = not grace
    while left := [one for one in left if one.alive]:
        if not insisted and time.monotonic() > deadline:
            insisted = True
            for one in left:
                one.send(signal.SIGKILL)
        time.sleep(0.02)


def _name(pid: int) -> str:
    arguments = _arguments(pid)
    return " ".join(Path(argument).name for argument in arguments[:1]) or "?"


def _arguments(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    except OSError:
        return []


def _started(pid: int) -> int | None:
    """None for no such process; a zombie counts as gone, its parent may be somebody who never waits."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
