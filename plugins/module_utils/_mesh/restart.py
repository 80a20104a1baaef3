# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads restart next, and how far the restarts are: one step over what the cluster shows now. Pure.

A rollout that somebody else began, or a run of ours that was killed, is waited for and judged again when it is done:
so nothing is restarted twice, and nothing that is already on its way is disturbed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import rolling, rollout, together
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing, Workload

RESTARTABLE = frozenset({"Deployment"})
STAMP = "kubectl.kubernetes.io/restartedAt"
"""kubectl's own annotation of the pod template, which operators know and keep; each new pod carries it."""


def restartable(workload: Workload) -> bool:
    """Whether there is a template to stamp, and a controller that rolls by it."""
    return workload.kind in RESTARTABLE and not workload.of_pods


Started = Mapping[str, int]
"""What this run has restarted, by UID, with the generation that its controller has to observe."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be restarted, and how."""

    namespaces: frozenset[str]
    concurrency: int
    stamp: str
    leaving: str | None = None
    """A revision that is taken back: what has its sidecar and would get none loses it again. Else such pods are never restarted."""

    def wants(self, judged: Judged) -> bool:
        """Stale and of a kind that we restart; a paused Deployment would not roll."""
        if not restartable(judged.workload) or judged.workload.paused:
            return False
        return judged.standing is Standing.STALE or (judged.standing is Standing.ORPHANED and set(judged.proxies) == {self.leaving})


@dataclass(frozen=True, slots=True)
class Step:
    start: tuple[Judged, ...]
    """What is to be restarted now."""
    progress: Progress


def next_restarts(now: Snapshot, task: Task, started: Started) -> Step:
    """What to restart next so that at most so many workloads roll at a time, and how far the whole is."""
    here = [judged for judged in now.within(task.namespaces) if restartable(judged.workload)]
    ours = [_ours(judged, started[judged.workload.uid], task.stamp) for judged in here if judged.workload.uid in started]
    others = sorted((j for j in here if j.workload.uid not in started and task.wants(j)), key=lambda judged: judged.workload.path)
    foreign = [rollout(judged.workload, judged.pods) for judged in others if rolling(judged.workload)]
    ready = [judged for judged in others if not rolling(judged.workload)]
    flying = [part for part in (*ours, *foreign) if not part.finished]
    whole = together(flying)
    done = len(started) - sum(not part.finished for part in ours)  # one that was deleted meanwhile is done
    progress = Progress(done, len(started) + len(others), whole.waiting, whole.fatal, whole.failing)
    return Step(tuple(ready[: max(task.concurrency - len(flying), 0)]), progress)


def _ours(judged: Judged, generation: int, stamp: str) -> Progress:
    workload = replace(judged.workload, generation=max(judged.workload.generation, generation))
    new = [pod for pod in judged.pods if pod.shape.annotations.get(STAMP) == stamp]
    wrong = next((pod for pod in new if not judged.as_wanted(pod)), None)
    if wrong is None:
        return rollout(workload, new)
    has = f"the sidecar of {wrong.proxy.revision or 'an unknown revision'}, {wrong.proxy.version}" if wrong.proxy else "no sidecar"
    return Progress(
        0,
        1,
        fatal=MeshError(
            f"{workload.short} in {workload.namespace} was restarted, and its new pods are not as they should be.",
            where=f"pod {wrong.name} in namespace {wrong.namespace}",
            why=f"it has {has}; expected was {judged.decision.revision or 'none'}",
            do="look at the events of the pod and at the injectors; started again, it is restarted once more",
        ),
    )
