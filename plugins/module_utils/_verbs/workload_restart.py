# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restart what is stale in some namespaces, each workload once, a few at a time, and wait until each is rolled out."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError
from ansible_collections.meshops.istio.plugins.module_utils._kube.rolling import deployments, follow, pods_by_owner, restart
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import RESTARTABLE, Target, predict, predict_restored
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import rolled_out, rollout, together
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Owner, Standing, Workload
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import WAIT_TIMEOUT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import wait_until

SPEC: dict[str, t.Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "restored": {"type": "bool", "default": False},
    "concurrency": {"type": "int", "default": 10},
    "wait_timeout": WAIT_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Options:
    namespaces: tuple[str, ...]
    revision: str | None
    version: str | None
    restored: bool
    concurrency: int
    timeout: int

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["concurrency"] < 1:
            raise MeshError("concurrency must be 1 or more.", where=f"concurrency: {params['concurrency']}", do="for example 10")
        return cls(
            tuple(params["namespaces"]),
            params["revision"],
            params["version"],
            params["restored"],
            params["concurrency"],
            params["wait_timeout"],
        )


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    if context.check_mode:
        snapshot = _predicted(options, snapshot)
    stale = snapshot.standing(Standing.STALE, namespaces=options.namespaces)
    restarting = [judged for judged in stale if judged.workload.kind in RESTARTABLE]
    rolling = [] if context.check_mode else _still_rolling(snapshot, options)
    if not context.check_mode and (restarting or rolling):
        _roll(options, context, [judged.workload for judged in restarting if judged.workload not in rolling], rolling)
    orphaned = snapshot.standing(Standing.ORPHANED, namespaces=options.namespaces)
    others = [judged for judged in stale if judged.workload.kind not in RESTARTABLE]
    return Result(
        msg=f"{len(restarting)} workloads in {len(options.namespaces)} namespaces restart",
        differences=tuple(Difference(_path(j), dict(j.proxies) or "no sidecar", {j.decision.revision: len(j.pods)}) for j in restarting),
        facts={"restarted": [_path(judged) for judged in restarting]},
        warnings=(
            *(f"{_path(j)} has a sidecar and would get none now: it is orphaned, and not restarted." for j in orphaned),
            *(f"{_path(j)} is stale, and a {j.workload.kind} is not restarted yet." for j in others),
        ),
        predicted=context.check_mode,
    )


def _predicted(options: Options, snapshot: Snapshot) -> Snapshot:
    """What the cluster will look like when the labels have moved: dry-run writes do not persist, so it is computed."""
    if options.restored:
        return predict_restored(snapshot, options.namespaces)
    if options.revision:
        target = Target(options.revision, options.version, None, (), frozenset(), "")
        return predict(snapshot, target, options.namespaces)
    return snapshot


def _path(judged: Judged) -> str:
    return f"{judged.workload.namespace}/{judged.workload.short}"


def _still_rolling(snapshot: Snapshot, options: Options) -> list[Workload]:
    """What a run that was killed has restarted already: waited for, not restarted once more.

    Its newest pods are as wanted and only old ones are stale, or its newest template is not observed yet.
    """
    names = set(options.namespaces)
    return [
        judged.workload
        for judged in snapshot.judged
        if judged.workload.namespace in names
        and judged.workload.kind in RESTARTABLE
        and not rolled_out(judged.workload)
        and not judged.workload.paused
        and judged.decision.revision is not None
        and any(pod.proxy and pod.proxy.revision == judged.decision.revision for pod in judged.pods)
    ]


def _roll(options: Options, context: Context, queue: list[Workload], rolling: list[Workload]) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    waiting = {(w.namespace, w.name): w.generation for w in rolling}
    total = len(queue) + len(waiting)
    done = 0
    with follow(context.cluster) as now:

        def step() -> Progress:
            nonlocal done
            there, pods = deployments(now), pods_by_owner(now.objects("pods"))
            parts = []
            for key, generation in list(waiting.items()):
                one = there.get(key)
                current = None if one is None else replace(one, generation=max(one.generation, generation))
                part = Progress(1, 1) if current is None else rollout(current, pods.get((key[0], Owner("Deployment", key[1])), ()))
                if part.finished:
                    del waiting[key]
                    done += 1
                else:
                    parts.append(part)
            while queue and len(waiting) < options.concurrency:
                waiting.update(_restart(context, queue.pop(0), stamp))
            whole = together(parts)
            return Progress(done, total, whole.waiting, whole.fatal, whole.failing)

        wait_until("restarts", now, step, context, options.timeout)


def _restart(context: Context, deployment: Workload, stamp: str) -> dict[tuple[str, str], int]:
    try:
        return {(deployment.namespace, deployment.name): restart(context.cluster, deployment, stamp)}
    except ApiError as problem:
        if problem.status == 404:  # deleted meanwhile: nothing is left to restart
            return {}
        raise


VERB = Verb("workload_restart", SPEC, Options.of, run)
