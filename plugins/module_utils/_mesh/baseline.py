# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was ill before the first write, so that a wave is not stopped for what it did not bring about. Pure.

It is taken once, when the upgrade begins, and lives in the record: a rerun compares with it, not with what an earlier run has left.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.admission import same_refusal
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import lasts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at, rolling, waits_for
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged

_LONGEST_WHY = 300
"""Characters, since a record has room for many."""


@dataclass(frozen=True, slots=True)
class Ill:
    """A workload that had fewer pods available than it wants, or a rollout that did not come to its end."""

    available: int
    wanted: int
    why: str = ""
    """``app: CrashLoopBackOff``, or what its controller says; empty where nothing is said."""

    def text(self) -> str:
        """``0 of 1 pods (app: CrashLoopBackOff)``."""
        return f"{self.available} of {self.wanted} pods" + (f" ({self.why.partition('; ')[0]})" if self.why else "")


Baseline: t.TypeAlias = Mapping[str, Ill]
"""By path: ``pay/deploy/api``."""


def baseline(snapshot: Snapshot, namespaces: Iterable[str]) -> dict[str, Ill]:
    found = ((judged.workload.path, ill(judged)) for judged in snapshot.within(namespaces))
    return {path: was for path, was in sorted(found, key=lambda one: one[0]) if was}


def ill(judged: Judged) -> Ill | None:
    """None for what is well, what is just rolling, and what comes to its end by itself."""
    workload = judged.workload
    available, wanted = _health(judged)
    stuck = next((pod for pod in judged.pods if pod.waiting and not pod.deleting and not pod.finished), None)
    why = workload.failure or (waits_for(stuck) if stuck else "")
    short = available < wanted
    if not lasts(workload) or not (why if rolling(workload) and not workload.of_pods else short):
        return None
    return Ill(available, wanted, why[:_LONGEST_WHY])


def _health(judged: Judged) -> tuple[int, int]:
    workload = judged.workload
    if workload.of_pods:
        return sum(pod.ready for pod in judged.pods), len(judged.pods)
    return workload.available, workload.replicas


def no_worse(judged: Judged, was: Ill) -> bool:
    """As many pods are available as there were, or as are wanted now.

    What its status says of an older template does not count, and while pods are ending it is on its way. How many are wanted of what only
    its pods tell of is not known: it is worse when it has none.
    """
    available, wanted = _health(judged)
    if any(pod.deleting for pod in judged.pods) or (judged.workload.of_pods and not judged.pods):
        return False
    return judged.workload.observed >= judged.workload.generation and available >= min(was.available, wanted)


def borne(progress: Progress, judged: Judged, known: Baseline) -> Progress:
    """The same, and nothing that fails, where it is no worse than it was. What ends a wait at once is borne only for the reason of before:
    a sidecar that cannot run, or a refusal, is what was just brought about.
    """
    was = known.get(judged.workload.path)
    if was is None or progress.finished or not no_worse(judged, was):
        return progress
    if progress.fatal and not _same(progress.fatal.why, was.why):
        return progress
    return replace(progress, failing=None, fatal=None, borne=(as_before(judged, was),))


def as_before(judged: Judged, was: Ill) -> str:
    return f"{at(judged.workload)} was unhealthy before the upgrade, {was.text()}, and is no worse"


def _same(now: str, was: str) -> bool:
    return bool(was) and (now.endswith(was) or same_refusal(now, was))


def read(found: object) -> dict[str, Ill]:
    """As a record or an option holds it. Raises MeshError for what is no baseline."""
    try:
        return {str(path): Ill(**_checked(one)) for path, one in dict(t.cast("Mapping[str, t.Any]", found or {})).items()}
    except (TypeError, ValueError) as problem:
        do = "give what upgrade_state returns as record.baseline, or nothing"
        raise MeshError("The baseline cannot be read.", where="baseline", why=str(problem), do=do) from problem


def _checked(one: object) -> dict[str, t.Any]:
    fields = dict(t.cast("Mapping[str, t.Any]", one))
    numbers = all(isinstance(fields.get(name), int) for name in ("available", "wanted"))
    if not numbers or not isinstance(fields.get("why", ""), str):
        raise TypeError(f"it has no numbers of pods: {one}")
    return fields
