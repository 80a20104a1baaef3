# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The next step with a workload whose stale pods are replaced one at a time: by eviction, or by a controller of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import exhausted
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Action, Begun, Delete, Evict, Ledger
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at, trouble
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Pod


def next_eviction(judged: Judged, begun: Begun, now: Snapshot, ledger: Ledger, *, back: bool) -> tuple[Progress, tuple[Action, ...]]:
    """The next pod to evict, if its turn has come: all others are ready, or it was not ready itself before the first one went."""
    there = [pod for pod in judged.pods if pod.uid not in ledger.gone]
    progress = replaced(judged, begun, there)
    stale = [pod for pod in there if not judged.as_wanted(pod)]
    if progress.fatal or not stale:
        return progress, ()
    pod = _turn(judged, begun, there, stale)
    if pod is None:
        return progress, ()
    if judged.workload.ordered and broken(pod, back=back):
        return progress, (Delete(judged, pod, begun),)
    budget = exhausted(now.budgets, pod.namespace, pod.shape.labels) if pod.ready else ""
    if budget or pod.uid in ledger.denied:
        line = f"{at(judged.workload)}: eviction of pod {pod.name}, {budget or 'its PodDisruptionBudget'} allows none now"
        return replace(progress, waiting=(line,)), ()
    return progress, (Evict(judged, pod, begun),)


def replaced(judged: Judged, begun: Begun, there: Iterable[Pod]) -> Progress:
    """How many of the pods are as they should be, and what stands in the way of the new ones."""
    there = list(there)
    new = [pod for pod in there if pod.uid not in begun.seen]
    right = [pod for pod in there if judged.as_wanted(pod)]
    wrong = next((pod for pod in new if not judged.as_wanted(pod)), None)
    if wrong:
        return Progress(0, 1, fatal=unexpected(judged, wrong))
    if len(right) == len(there) and _healthy(judged, begun, there):
        return Progress(1, 1)
    ready = sum(pod.ready for pod in right)
    line = f"{at(judged.workload)}: {ready} of {_wanted(judged, begun) or len(there)} pods"
    caused = trouble(judged.workload, new, line)
    others = trouble(judged.workload, (pod for pod in right if pod.uid in begun.seen), line, ours=False)
    return replace(caused if caused.fatal or caused.failing else others, pods=ready)


def broken(pod: Pod, *, back: bool) -> bool:
    """It never was ready, and does not only need its time: forward that must be known, on the way back the first is enough."""
    return pod.never_ready and (back or bool(pod.waiting))


def unexpected(judged: Judged, pod: Pod) -> MeshError:
    """A pod that this run has brought about is not what was predicted: the next ones would be alike."""
    has = f"the sidecar of {pod.proxy.revision or 'an unknown revision'}, {pod.proxy.version}" if pod.proxy else "no sidecar"
    return MeshError(
        f"{at(judged.workload)} was restarted, and its new pods are not as they should be.",
        where=f"pod {pod.name} in namespace {pod.namespace}",
        why=f"it has {has}; expected was {judged.decision.revision or 'none'}",
        do="look at the events of the pod and at the injectors; started again, it is restarted once more",
    )


def _turn(judged: Judged, begun: Begun, there: list[Pod], stale: list[Pod]) -> Pod | None:
    """What is not ready serves nobody, and goes first; then the highest ordinal.

    One that is not ready any more may suffer from the one that is away, as members of a quorum do: it waits for all others, too.
    """
    ill = [pod for pod in stale if not pod.ready]
    before = [pod for pod in ill if pod.uid in begun.ill]
    pod = max(before or ill or stale, key=lambda pod: (pod.ordinal, pod.name))
    return pod if before or _healthy(judged, begun, there, but=0 if pod.ready else 1) else None


def _healthy(judged: Judged, begun: Begun, there: list[Pod], but: int = 0) -> bool:
    """All pods that are wanted are ready, but so many."""
    workload = judged.workload
    enough = sum(pod.ready for pod in there) >= _wanted(judged, begun) - but
    return enough and (workload.of_pods or workload.available >= workload.replicas - but)


def _wanted(judged: Judged, begun: Begun) -> int:
    """Nobody makes a bare pod anew; how many pods a kind wants that is not read is what it had."""
    workload = judged.workload
    if workload.kind == "Pod" and not workload.group:
        return 0
    return begun.pods if workload.of_pods else workload.replicas
