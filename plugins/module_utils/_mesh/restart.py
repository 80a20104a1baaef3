# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads restart next, and how far the restarts are: one step over what the cluster shows now. Pure.

A rollout that somebody else began, or a run of ours that was killed, is waited for and judged again when it is done:
so nothing is restarted twice, and nothing that is already on its way is disturbed. Only a rollout that goes the wrong way is
taken back: on a rollback, or where its new pods are stuck with another sidecar than they would get now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Baseline, borne
from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import exhausted
from ansible_collections.meshops.istio.plugins.module_utils._mesh.evict import broken, next_eviction, replaced, unexpected
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Action, Begun, Delete, Evict, Ledger, Stamp, seen
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Recipe, Way, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at, rolled_out, rolling, rollout, together
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, TEMPLATE_HASH, Judged, Pod, Restarted, Standing


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be restarted, and how."""

    namespaces: frozenset[str]
    concurrency: int
    stamp: str
    leaving: str | None = None
    """A revision whose sidecars go: what has one of it and would get none loses it. Else such pods are never restarted."""
    back: bool = False
    """The namespaces have their former labels again: restarts of ours are taken back, also where they are stuck half way."""
    choices: Choices = field(default_factory=Choices)
    baseline: Baseline = field(default_factory=dict)
    """What was ill before the upgrade, and does not stop it as long as it is no worse."""

    def wants(self, judged: Judged) -> bool:
        """Whether it has pods that should be others, whoever may replace them."""
        return judged.standing is Standing.STALE or (judged.standing is Standing.ORPHANED and set(judged.proxies) == {self.leaving})

    def takes_back(self, judged: Judged, now: Snapshot) -> bool:
        """A restart of ours whose stamp is there still, and that is wrong now or has not come to its end."""
        workload = judged.workload
        ours = self.back and ours_of(judged, now) is not None
        return ours and not workload.paused and (self.wants(judged) or not rolled_out(workload))

    def restarts(self, judged: Judged, now: Snapshot) -> bool:
        """Whether it is restarted by us."""
        return self.takes_back(judged, now) or (self.wants(judged) and self.way(judged).by_us)

    def way(self, judged: Judged) -> Way:
        return way_of(judged.workload, self.choices)


def ours_of(judged: Judged, now: Snapshot) -> Restarted | None:
    """What is known of the stamp that the template has, if it is one of ours on the same way back."""
    known, home = judged.workload.restarted, now.namespace[judged.workload.namespace].home
    return known if known and (known.stamp, known.home) == (judged.workload.stamp, home) else None


@dataclass(frozen=True, slots=True)
class Step:
    actions: tuple[Action, ...]
    """What is to be done now."""
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Part:
    """One workload's share."""

    progress: Progress
    actions: tuple[Action, ...] = ()
    flying: bool = False
    """Its pods are being replaced: it counts among those that roll at the same time."""


def next_restarts(now: Snapshot, task: Task, ledger: Ledger) -> Step:
    """What to do next so that at most so many workloads roll at a time, and how far the whole is."""
    shown = now.within(task.namespaces)
    here = sorted((*shown, *_without_pods(shown, ledger)), key=lambda judged: judged.workload.path)
    parts = {judged.workload.uid: _borne(part, judged, task) for judged in here if (part := _part(judged, now, task, ledger))}
    parts |= _turns(here, parts, now, task)
    actions = tuple(action for part in parts.values() if part.flying for action in part.actions)
    whole = together([part.progress for part in parts.values() if not part.progress.finished])
    done = sum(part.progress.finished for part in parts.values()) + len(ledger.begun.keys() - parts.keys())  # those were deleted meanwhile
    total = len(parts.keys() | ledger.begun.keys())
    return Step(actions, replace(whole, done=done, total=total))


def _turns(here: Iterable[Judged], parts: Mapping[str, _Part], now: Snapshot, task: Task) -> dict[str, _Part]:
    """What of the rest begins now: no more than may roll at a time, and what its budgets allow beside all that is rolling then."""
    flying = [judged.workload for judged in here if judged.workload.uid in parts and parts[judged.workload.uid].flying]
    found: dict[str, _Part] = {}
    for judged in here:
        workload = judged.workload
        part = parts.get(workload.uid)
        if part is None or part.flying or not part.actions:
            continue
        heeded = task.choices.respect_pdb and any(_disrupts(action, task) for action in part.actions)
        budget = exhausted(now.budgets, workload.namespace, workload.template.labels, flying) if heeded else ""
        if budget:
            line = f"{at(workload)}: {budget} allows no further disruption now (mesh_respect_pdb)"
            found[workload.uid] = _borne(_Part(replace(part.progress, waiting=(line,))), judged, task)
        elif len(flying) < task.concurrency:
            flying.append(workload)
            found[workload.uid] = replace(part, flying=True)
        else:
            found[workload.uid] = replace(part, actions=())
    return found


def _disrupts(action: Action, task: Task) -> bool:
    """Whether it takes away what serves; on the way back, what mends a workload must not wait until that is well."""
    match action:
        case Stamp():
            return not (task.back and not rolled_out(action.judged.workload))
        case Evict():
            return action.pod.ready
    return False


def _without_pods(shown: Iterable[Judged], ledger: Ledger) -> tuple[Judged, ...]:
    """What only its pods tell of is not gone while it has none: they are to come back, unless another one has its name by now."""
    there = {judged.workload.owner for judged in shown}
    begun = (one.judged for one in ledger.begun.values() if one.judged)
    return tuple(replace(judged, pods=()) for judged in begun if judged.workload.owner not in there)


def _borne(part: _Part, judged: Judged, task: Task) -> _Part:
    """What is borne takes no turn from what comes after it."""
    progress = part.progress if part.actions else borne(part.progress, judged, task.baseline)
    return replace(part, progress=progress, flying=part.flying and not progress.borne)


def _part(judged: Judged, now: Snapshot, task: Task, ledger: Ledger) -> _Part | None:
    """None for what has nothing to be done to it."""
    begun = ledger.begun.get(judged.workload.uid)
    if begun:
        return _go_on(judged, begun, now, task, ledger)
    if task.takes_back(judged, now):
        return _stamp(judged, now, task, ledger)
    if not task.wants(judged):
        return None
    match task.way(judged).recipe:
        case Recipe.STAMP:
            return _stamp(judged, now, task, ledger)
        case Recipe.EVICT:
            return _Part(*next_eviction(judged, seen(judged, Recipe.EVICT), now, ledger, back=task.back))
        case Recipe.WAIT:
            left = sum(not judged.as_wanted(pod) for pod in judged.pods)
            line = f"{at(judged.workload)}: {count(left, 'pod')} to come to an end (mesh_jobs)"
            return _Part(Progress(0, 1, (line,), pods=sum(pod.finished for pod in now.pods_of(judged.workload))))
    return None


def _stamp(judged: Judged, now: Snapshot, task: Task, ledger: Ledger) -> _Part:
    workload = judged.workload
    taken_back = task.takes_back(judged, now)
    if rolling(workload) and not taken_back and not _astray(judged, task) and not _short(judged, task):
        deadlock = _deadlocked(judged, task, ledger)
        return _Part(rollout(workload, judged.pods, ours=False), (Delete(judged, deadlock),) if deadlock else (), flying=True)
    if not taken_back and not rolling(workload) and _behind(judged):
        return _Part(_waiting_for_the_watch(judged), flying=True)
    return _Part(Progress(0, 1), (_restored(judged) if taken_back else _stamped(judged, now, task),))


def _stamped(judged: Judged, now: Snapshot, task: Task) -> Stamp:
    """A new stamp. The first one that was there before a move stays the way back, over any number of moves."""
    known = ours_of(judged, now)
    prior = known.prior if known else judged.workload.stamp
    restarted = None if task.back else Restarted(task.stamp, prior, now.namespace[judged.workload.namespace].home)
    return Stamp(judged, task.stamp, restarted, replace(seen(judged, Recipe.STAMP), stamp=task.stamp), task.way(judged).declared)


def _restored(judged: Judged) -> Stamp:
    """The former stamp, and with it the former template: pods that were not replaced yet are of it, and stay."""
    known = judged.workload.restarted
    return Stamp(judged, known.prior if known else None, None, seen(judged, Recipe.STAMP))


def _go_on(judged: Judged, begun: Begun, now: Snapshot, task: Task, ledger: Ledger) -> _Part:
    if begun.recipe is Recipe.EVICT:
        progress, actions = next_eviction(judged, begun, now, ledger, back=task.back)
        return _Part(progress, actions, flying=not progress.finished)
    if judged.workload.of_pods:
        progress = replaced(judged, begun, judged.pods)
        return _Part(progress, flying=not progress.finished)
    workload = replace(judged.workload, generation=max(judged.workload.generation, begun.generation))
    judged = replace(judged, workload=workload)
    progress = _rolled(judged, begun)
    if progress.finished and (_behind(judged) if begun.stamp is None else _beside(judged, begun)):
        return _Part(_waiting_for_the_watch(judged), flying=True)
    if progress.finished and begun.stamp is None and task.wants(judged):  # strays: the former template, made while it had other labels
        return _Part(*next_eviction(judged, seen(judged, Recipe.EVICT), now, ledger, back=task.back), flying=True)
    deadlock = None if progress.finished else _deadlocked(judged, task, ledger)
    return _Part(progress, (Delete(judged, deadlock),) if deadlock else (), flying=not progress.finished)


def _rolled(judged: Judged, begun: Begun) -> Progress:
    """How far a rollout of this run is. After a restored stamp, what it has left behind may still complain for a moment."""
    if begun.stamp is None:
        progress = rollout(judged.workload, [pod for pod in judged.pods if judged.as_wanted(pod)])
        return replace(progress, fatal=None, failing=progress.failing or progress.fatal)
    new = [pod for pod in judged.pods if pod.shape.annotations.get(STAMP) == begun.stamp]
    wrong = next((pod for pod in new if not judged.as_wanted(pod)), None)
    return Progress(0, 1, fatal=unexpected(judged, wrong)) if wrong else rollout(judged.workload, new)


def _behind(judged: Judged) -> bool:
    """Its controller is done, and pods of an older template are shown still: their watch is behind, and they say nothing.

    On a node that would take none any more a DaemonSet's pod runs on, and is not counted: what counts is one pod a node, and as many of
    the newest template as its controller has.
    """
    workload = judged.workload
    if workload.of_pods:
        return False
    newest = sum(workload.has_made(pod) for pod in judged.pods)
    if workload.kind == "DaemonSet":
        nodes = [pod.node for pod in judged.pods if pod.node]
        return len(set(nodes)) < len(nodes) or newest < workload.updated
    return len(judged.pods) > workload.total or newest < len(judged.pods)


def _beside(judged: Judged, begun: Begun) -> bool:
    """A former pod of a DaemonSet is left where its controller does not count: it replaces that too, in its own time."""
    return judged.workload.kind == "DaemonSet" and any(pod.uid in begun.seen and not judged.as_wanted(pod) for pod in judged.pods)


def _waiting_for_the_watch(judged: Judged) -> Progress:
    return Progress(0, 1, (f"{at(judged.workload)}: its former pods to go",))


def _astray(judged: Judged, task: Task) -> bool:
    """A rollout whose new pods have another sidecar than they would get now; forward, only one that is stuck with it."""
    workload = judged.workload
    newest = [pod for pod in judged.pods if workload.stamp and pod.shape.annotations.get(STAMP) == workload.stamp]
    wrong = [pod for pod in newest if not judged.as_wanted(pod)]
    return any(task.back or (pod.waiting and not pod.ready) for pod in wrong)


def _short(judged: Judged, task: Task) -> bool:
    """Pods of it were missing before the upgrade and are still, and no other is being replaced: there is no rollout to wait for."""
    workload = judged.workload
    known = workload.path in task.baseline and workload.observed >= workload.generation
    return known and workload.total == workload.updated < workload.replicas


def _deadlocked(judged: Judged, task: Task, ledger: Ledger) -> Pod | None:
    """A broken pod of an older template that an ordered StatefulSet waits for, and would wait for ever.

    Source: Kubernetes documentation, "StatefulSets", forced rollback: such a pod must be deleted by hand.
    """
    workload = judged.workload
    if not workload.ordered or workload.on_delete or workload.observed < workload.generation or not rolling(workload):
        return None
    older = [pod for pod in judged.pods if workload.newest and pod.shape.labels.get(TEMPLATE_HASH) != workload.newest]
    stuck = [pod for pod in older if pod.uid not in ledger.gone and broken(pod, back=task.back)]
    return min(stuck, key=lambda pod: pod.ordinal, default=None)
