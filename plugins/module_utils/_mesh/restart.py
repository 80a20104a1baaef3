# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads restart next, and how far the restarts are: one step over what the cluster shows now. Pure.

A rollout that somebody else began, or a run of ours that was killed, is waited for and judged again when it is done:
so nothing is restarted twice, and nothing that is already on its way is disturbed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import rolled_out, rollout, together
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Owner, Standing

RESTARTABLE = frozenset({"Deployment"})
STAMP = "kubectl.kubernetes.io/restartedAt"
"""kubectl's own annotation of the pod template, which operators know and keep; each new pod carries it."""

Started = Mapping[tuple[str, Owner], int]
"""What this run has restarted, with the generation that its controller has to observe."""


@dataclass(frozen=True, slots=True)
class Step:
    start: tuple[Judged, ...]
    """What is to be restarted now."""
    progress: Progress


def next_restarts(now: Snapshot, namespaces: Iterable[str], started: Started, stamp: str, concurrency: int) -> Step:
    """What to restart next so that at most ``concurrency`` workloads roll at a time, and how far the whole is."""
    names = set(namespaces)
    here = [judged for judged in now.judged if judged.workload.namespace in names and judged.workload.kind in RESTARTABLE]
    ours = {
        judged.workload.owner: _rolling(judged, started[judged.workload.owner], stamp)
        for judged in here
        if judged.workload.owner in started
    }
    others = sorted((j for j in here if j.workload.owner not in started and to_restart(j)), key=lambda judged: judged.workload.path)
    foreign = [rollout(judged.workload, judged.pods) for judged in others if not rolled_out(judged.workload)]
    ready = [judged for judged in others if rolled_out(judged.workload)]
    flying = [part for part in (*ours.values(), *foreign) if not part.finished]
    whole = together(flying)
    done = len(started) - sum(not part.finished for part in ours.values())  # one that was deleted meanwhile is done
    progress = Progress(done, len(started) + len(others), whole.waiting, whole.fatal, whole.failing)
    return Step(tuple(ready[: max(concurrency - len(flying), 0)]), progress)


def to_restart(judged: Judged) -> bool:
    """Stale and of a kind that we restart; a paused Deployment would not roll."""
    return judged.standing is Standing.STALE and judged.workload.kind in RESTARTABLE and not judged.workload.paused


def _rolling(judged: Judged, generation: int, stamp: str) -> Progress:
    workload = replace(judged.workload, generation=max(judged.workload.generation, generation))
    wrong = next((pod for pod in judged.pods if pod.shape.annotations.get(STAMP) == stamp and not judged.as_wanted(pod)), None)
    if wrong is None:
        return rollout(workload, judged.pods)
    has = f"the sidecar of {wrong.proxy.revision or 'an unknown revision'}, {wrong.proxy.version}" if wrong.proxy else "no sidecar"
    return Progress(
        0,
        1,
        fatal=MeshError(
            f"{workload.short} in {workload.namespace} was restarted, and its new pods are not as they should be.",
            where=f"pod {wrong.name} in namespace {wrong.namespace}",
            why=f"it has {has}; expected was one of {judged.decision.revision}",
            do="look at the events of the pod and at the injectors; no further workload is restarted",
        ),
    )
