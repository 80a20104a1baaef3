# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few metrics of an istiod that tools look at, under their real names, in Prometheus' text form."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping


class Metrics:
    """Counters that any thread may raise."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def text(self, version: str, proxies: Mapping[str, int]) -> str:
        """``proxies`` are the connected ones by their version."""
        with self._lock:
            counts = dict(self._counts)
        lines = [f'pilot_info{{version="{version}"}} 1', *(f'pilot_xds{{version="{one}"}} {n}' for one, n in sorted(proxies.items()))]
        return "\n".join([*lines, *(f"{name} {value}" for name, value in sorted(counts.items())), ""])
