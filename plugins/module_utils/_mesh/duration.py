# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a wave's restarts may take, and how many pods go at once. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe, Way
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged

UNKNOWN_SECONDS = 30
"""For a pod, where none of the running ones tells how long it took."""


@dataclass(frozen=True, slots=True)
class Expected:
    pods: int
    """That are replaced."""
    at_once: int
    """At most, over all workloads that roll at the same time."""
    minutes: int
    pace: str
    """How long one pod is taken to need, and from what that is known."""
    basis: str
    """What else the minutes are computed from."""


def expected(restarts: Sequence[tuple[Judged, Way]], concurrency: int) -> Expected:
    """Of one wave. Each workload takes its pods in steps, and ``concurrency`` of them roll beside each other."""
    known = [pod.seconds for judged, _way in restarts for pod in judged.pods if pod.seconds is not None]
    usual = _middle(known) if known else UNKNOWN_SECONDS
    lasting = [_seconds(judged, way, usual) for judged, way in restarts]
    seconds = max([math.ceil(sum(lasting) / concurrency), *lasting], default=0)
    most = sorted((at_once(judged, way) for judged, way in restarts), reverse=True)[:concurrency]
    pace = f"{usual} s for a pod, as the {len(known)} running ones took" if known else f"{usual} s for a pod, which is a guess"
    basis = f"as many pods at once as each strategy replaces; {count(concurrency, 'workload')} at once (mesh_restart_concurrency)"
    pods = sum(_pods(judged) for judged, _way in restarts)
    return Expected(pods, sum(most), math.ceil(seconds / 60), pace if restarts else "", basis if restarts else "")


def at_once(judged: Judged, way: Way) -> int:
    """How many pods of one workload are replaced at the same time."""
    return min(_pods(judged), judged.workload.at_once if way.recipe is Recipe.STAMP else 1)


def _pods(judged: Judged) -> int:
    return max(len(judged.pods), 1)


def _seconds(judged: Judged, way: Way, usual: int) -> int:
    own = [pod.seconds for pod in judged.pods if pod.seconds is not None]
    return math.ceil(_pods(judged) / at_once(judged, way)) * (_middle(own) if own else usual)


def _middle(seconds: Sequence[int]) -> int:
    """What half of them took at most: one pod that waited for a node an hour says nothing of the others."""
    return sorted(seconds)[len(seconds) // 2]
