# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What pods ask of a node and of their namespace: processor time and memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Amounts:
    """Thousandths of a processor, and bytes; 0 where nothing is said."""

    cpu: int = 0
    memory: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.cpu + other.cpu, self.memory + other.memory)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.cpu - other.cpu, self.memory - other.memory)

    def most(self, other: Amounts) -> Amounts:
        return Amounts(max(self.cpu, other.cpu), max(self.memory, other.memory))

    def fits(self, room: Amounts) -> bool:
        return self.cpu <= room.cpu and self.memory <= room.memory

    def text(self) -> str:
        """``cpu 600m, memory 256Mi``."""
        return f"cpu {cpu_text(self.cpu)}, memory {memory_text(self.memory)}"


@dataclass(frozen=True, slots=True)
class Resources:
    """Of a container, or of a whole pod."""

    requests: Amounts = field(default_factory=Amounts)
    limits: Amounts = field(default_factory=Amounts)

    def __add__(self, other: Resources) -> Resources:
        return Resources(self.requests + other.requests, self.limits + other.limits)

    def most(self, other: Resources) -> Resources:
        return Resources(self.requests.most(other.requests), self.limits.most(other.limits))


def cpu_text(milli: int) -> str:
    return f"{milli // 1000}" if milli % 1000 == 0 else f"{milli}m"


def memory_text(size: int) -> str:
    for unit, factor in (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)):
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
