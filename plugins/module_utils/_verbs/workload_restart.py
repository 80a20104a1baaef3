# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart what is stale in some namespaces, each workload once, a few at a time, and wait until each is rolled out."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.rolling import follow, live, restart
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import predict, predict_restored
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import RESTARTABLE, Task, next_restarts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "restored": {"type": "bool", "default": False},
    "concurrency": {"type": "int", "default": 10},
    **WAIT,
}


@dataclass(frozen=True, slots=True)
class Options:
    task: Task
    revision: str | None
    version: str | None
    restored: bool
    patience: Patience

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["concurrency"] < 1:
            raise MeshError("concurrency must be 1 or more.", where=f"concurrency: {params['concurrency']}", do="for example 10")
        restored, revision = params["restored"], params["revision"]
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return cls(
            task=Task(frozenset(params["namespaces"]), params["concurrency"], stamp, leaving=revision if restored else None),
            revision=revision,
            version=params["version"],
            restored=restored,
            patience=Patience.of(params),
        )


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    snapshot.check_known(options.task.namespaces)
    if context.check_mode:
        snapshot = _predicted(options, snapshot)
        restarted = [judged for judged in snapshot.within(options.task.namespaces) if options.task.wants(judged)]
    else:
        restarted = _roll(options, context, snapshot)
    return Result(
        msg=f"{count(len(restarted), 'workload')} {'would restart' if context.check_mode else 'restarted'}",
        differences=tuple(_difference(judged) for judged in restarted),
        facts={"restarted": [judged.workload.path for judged in restarted]},
        warnings=tuple(_left_alone(options.task, snapshot.within(options.task.namespaces))),
        predicted=context.check_mode,
    )


def _predicted(options: Options, snapshot: Snapshot) -> Snapshot:
    """What the cluster will look like when the labels have moved: dry-run writes do not persist, so it is computed."""
    if options.restored:
        return predict_restored(snapshot, options.task.namespaces)
    if options.revision:
        return predict(snapshot, options.revision, options.version, options.task.namespaces)
    return snapshot


def _roll(options: Options, context: Context, snapshot: Snapshot) -> list[Judged]:
    """All that was restarted, when all of it and all that was rolling already is rolled out."""
    started: dict[str, int] = {}
    restarted: list[Judged] = []
    with follow(context.cluster, RESTARTABLE) as now:

        def step() -> Progress:
            found = next_restarts(live(now, snapshot, RESTARTABLE), options.task, started)
            for judged in () if found.progress.fatal else found.start:
                generation = restart(context.cluster, judged.workload, options.task.stamp)
                if generation is not None:
                    started[judged.workload.uid] = generation
                    restarted.append(judged)
            return found.progress

        wait_until("restarts", now, step, context, options.patience)
    return restarted


def _difference(judged: Judged) -> Difference:
    pods = len(judged.pods)
    bare = pods - sum(judged.proxies.values())
    now = [f"{count(number, 'pod')} on {revision}" for revision, number in judged.proxies.items()]
    now += [f"{count(bare, 'pod')} without a sidecar"] if bare else []
    then = f"on {judged.decision.revision}" if judged.decision.revision else "without a sidecar"
    return Difference(judged.workload.path, ", ".join(now), f"{count(pods, 'pod')} {then}")


def _left_alone(task: Task, workloads: Iterable[Judged]) -> Iterable[str]:
    for judged in workloads:
        workload = judged.workload
        if task.wants(judged):
            continue
        if judged.standing is Standing.ORPHANED:
            yield f"{workload.short} in {workload.namespace} has a sidecar and would get none now: it is orphaned, and not restarted."
        elif judged.standing is Standing.STALE and workload.paused:
            yield f"{workload.short} in {workload.namespace} is stale and paused: resume it to have it restarted."
        elif judged.standing is Standing.STALE:
            yield f"{workload.short} in {workload.namespace} is stale, and a {workload.kind} is not restarted by this version."


VERB = Verb("workload_restart", SPEC, Options.of, run)
