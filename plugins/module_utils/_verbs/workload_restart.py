# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart what is stale in some namespaces, each workload once, a few at a time, and wait until each is rolled out."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ansible_collections.meshops.istio.plugins.module_utils._kube import restarts
from ansible_collections.meshops.istio.plugins.module_utils._kube.rolling import Live
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh import baseline
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Action, Delete, Evict, Ledger, Stamp
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import predict, predict_restored, predict_unlabelled
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import Task, next_restarts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Pod, Standing
from ansible_collections.meshops.istio.plugins.module_utils._verbs.choices import BASELINE, CHOICES, choices_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "restored": {"type": "bool", "default": False},
    "leaving": {"type": "str"},
    "concurrency": {"type": "int", "default": 10},
    **BASELINE,
    **CHOICES,
    **WAIT,
}
_DENIED_SECONDS = 2.0
"""Before an eviction that was denied is asked for again, where the server does not say."""


@dataclass(frozen=True, slots=True)
class Options:
    task: Task
    revision: str | None
    version: str | None
    patience: Patience

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["concurrency"] < 1:
            raise MeshError("concurrency must be 1 or more.", where=f"concurrency: {params['concurrency']}", do="for example 10")
        return cls(
            task=Task(
                namespaces=frozenset(params["namespaces"]),
                concurrency=params["concurrency"],
                stamp=_now(),
                leaving=params["leaving"],
                back=params["restored"],
                choices=choices_of(params),
                baseline=baseline.read(params["baseline"]),
            ),
            revision=params["revision"],
            version=params["version"],
            patience=Patience.of(params),
        )


def _now() -> str:
    """RFC 3339, as kubectl writes it, but finer: two restarts within a second must not have the same stamp, or the second is none."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    snapshot.check_known(options.task.namespaces)
    done = Done()
    if context.check_mode:
        snapshot = _predicted(options, snapshot)
        done.touched = {j.workload.path: j for j in snapshot.within(options.task.namespaces) if options.task.restarts(j, snapshot)}
    else:
        snapshot = replace(snapshot, hidden=_roll(options, context, snapshot, done))
    touched = dict(sorted(done.touched.items()))
    return Result(
        msg=f"{count(len(touched), 'workload')} {'would restart' if context.check_mode else 'restarted'}",
        differences=tuple(_difference(judged) for judged in touched.values()),
        facts={"restarted": list(touched), "evicted": [f"{pod.namespace}/pod/{pod.name}" for pod in done.pods]},
        warnings=(*(f"{line}." for line in done.borne), *_left_alone(options.task, snapshot, context), *snapshot.unknowns()),
        predicted=context.check_mode,
    )


def _predicted(options: Options, snapshot: Snapshot) -> Snapshot:
    """What the cluster will look like when the labels have moved: dry-run writes do not persist, so it is computed."""
    task = options.task
    if task.back:
        return predict_restored(snapshot, task.namespaces)
    if options.revision:
        return predict(snapshot, options.revision, options.version, task.namespaces)
    return predict_unlabelled(snapshot, task.namespaces) if task.leaving else snapshot


@dataclass(slots=True)
class Done:
    """What was done, in its order."""

    touched: dict[str, Judged] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    borne: tuple[str, ...] = ()
    """What did not come to its end, as each was before the upgrade."""


def _roll(options: Options, context: Context, snapshot: Snapshot, done: Done) -> tuple[str, ...]:
    """Until all that was restarted, and all that was rolling already, is rolled out. Returns the kinds that could not be seen meanwhile."""
    ledger = Ledger()
    denied: dict[str, float] = {}
    with Live(context.cluster, snapshot, options.task.namespaces) as live:

        def step() -> Progress:
            nonlocal ledger
            now = context.clock()
            still = {uid: until for uid, until in denied.items() if until > now}
            found = next_restarts(live.snapshot(), options.task, replace(ledger, denied=frozenset(still)))
            for action in () if found.progress.fatal else found.actions:
                try:
                    ledger = _do(action, context, ledger, done)
                except restarts.Denied as answer:
                    denied[_pod(action)] = still[_pod(action)] = now + (answer.seconds or _DENIED_SECONDS)
            return replace(found.progress, again=max(min(still.values()) - now, 0.0)) if still else found.progress

        done.borne = wait_until("restarts", live.follow, step, context, options.patience).borne
        return live.snapshot().hidden


def _do(action: Action, context: Context, ledger: Ledger, done: Done) -> Ledger:
    judged = action.judged
    uid = judged.workload.uid
    match action:
        case Stamp():
            generation = restarts.stamp(context.cluster, action)
            if generation is None:
                return ledger
            ledger = ledger.with_begun(uid, replace(action.begun, generation=generation))
        case Evict() | Delete():
            ledger = _replace(action, context, ledger)
            done.pods.append(action.pod)
    done.touched.setdefault(judged.workload.path, judged)
    return ledger


def _replace(action: Evict | Delete, context: Context, ledger: Ledger) -> Ledger:
    judged, pod = action.judged, action.pod
    if isinstance(action, Evict):
        restarts.evict(context.cluster, pod)
        context.say(f"{at(judged.workload)}: pod {pod.name} is evicted")
    else:
        restarts.delete(context.cluster, pod)
        context.say(f"{at(judged.workload)}: pod {pod.name} was never ready and holds the others up, it is deleted")
    known = ledger.begun.get(judged.workload.uid)
    if action.begun and (known is None or known.recipe is not Recipe.EVICT):
        ledger = ledger.with_begun(judged.workload.uid, action.begun)
    return ledger.without(pod)


def _pod(action: Action) -> str:
    return action.pod.uid if isinstance(action, Evict) else ""


def _difference(judged: Judged) -> Difference:
    pods = len(judged.pods)
    bare = pods - sum(judged.proxies.values())
    now = [f"{count(number, 'pod')} on {revision}" for revision, number in judged.proxies.items()]
    now += [f"{count(bare, 'pod')} without a sidecar"] if bare else []
    then = f"on {judged.decision.revision}" if judged.decision.revision else "without a sidecar"
    return Difference(judged.workload.path, ", ".join(now), f"{count(pods, 'pod')} {then}")


def _left_alone(task: Task, snapshot: Snapshot, context: Context) -> Iterable[str]:
    for judged in snapshot.within(task.namespaces):
        if task.restarts(judged, snapshot):
            continue
        if judged.standing is Standing.ORPHANED and not task.wants(judged):
            yield f"{at(judged.workload)} has a sidecar and would get none now: it is orphaned, and not restarted."
        elif judged.standing is Standing.UNKNOWN:
            yield f"{at(judged.workload)} is not restarted: {judged.decision.sentence}."
        elif task.wants(judged) and (context.check_mode or task.way(judged).recipe is not Recipe.WAIT):
            yield f"{at(judged.workload)} is stale: {task.way(judged).sentence()}."


VERB = Verb("workload_restart", SPEC, Options.of, run)
