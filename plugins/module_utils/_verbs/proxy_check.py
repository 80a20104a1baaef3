# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof that a move has arrived: every pod Ready, with a ready sidecar of the wanted revision and version."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.rolling import Live
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Baseline, as_before, no_worse, read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.proof import Fault, check_resolved, faults, in_the_mesh, left, unknown
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged
from ansible_collections.meshops.istio.plugins.module_utils._verbs.choices import BASELINE, RECIPES, choices_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import WAIT, Context, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    **BASELINE,
    **RECIPES,
    **WAIT,
}


@dataclass(frozen=True, slots=True)
class Options:
    namespaces: tuple[str, ...]
    revision: str | None
    version: str | None
    choices: Choices
    baseline: Baseline
    patience: Patience

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        return cls(
            namespaces=tuple(params["namespaces"]),
            revision=params["revision"],
            version=params["version"],
            choices=choices_of(params),
            baseline=read(params["baseline"]),
            patience=Patience.of(params),
        )


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    snapshot.check_known(options.namespaces)
    if options.revision:
        check_resolved(snapshot, options.namespaces, options.revision)
    first = _progress(snapshot, options)
    if first.failing:
        raise first.failing
    if not first.finished:
        snapshot = _wait(snapshot, options, context)
    here = snapshot.within(options.namespaces)
    ill = _ill(here, options)
    proved = [judged for judged in in_the_mesh(here, options.choices) if judged.workload.path not in ill]
    msg = f"{count(len(proved), 'workload')} in {count(len(options.namespaces), 'namespace')} proved"
    context.say(msg)
    return Result(
        msg=msg,
        facts={"workloads": [judged.workload.path for judged in proved]},
        warnings=(
            *(f"{line}." for line in ill.values()),
            *(f"{at(judged.workload)} is not proved: {way.sentence()}." for judged, way in left(here, options.choices)),
            *(f"{at(judged.workload)} is not proved: {judged.decision.sentence}." for judged in unknown(here)),
        ),
    )


def _wait(snapshot: Snapshot, options: Options, context: Context) -> Snapshot:
    """What the cluster shows when all is proved."""
    last = snapshot
    with Live(context.cluster, snapshot, options.namespaces) as live:

        def step() -> Progress:
            nonlocal last
            last = live.snapshot()
            return _progress(last, options)

        wait_until("proof", live.follow, step, context, options.patience)
    return last


def _progress(snapshot: Snapshot, options: Options) -> Progress:
    workloads = in_the_mesh(snapshot.within(options.namespaces), options.choices)
    found = {judged.workload.owner: faults(judged, options.revision, options.version) for judged in workloads}
    texts = [fault.text for one in found.values() for fault in one]
    lasting = [fault for one in found.values() for fault in one if fault.lasting]
    proved = sum(not one for one in found.values())
    ill = _ill(snapshot.within(options.namespaces), options)
    return Progress(proved, len(found), tuple(texts), failing=_problem(lasting) if lasting else None, borne=tuple(ill.values()))


def _ill(workloads: Sequence[Judged], options: Options) -> dict[str, str]:
    """What cannot be proved, and was ill before the upgrade and is no worse: by path, what is to be said of it."""
    faulty = [
        (judged, was)
        for judged in in_the_mesh(workloads, options.choices)
        if (was := options.baseline.get(judged.workload.path)) and no_worse(judged, was)
        if (found := faults(judged, options.revision, options.version)) and not any(fault.lasting for fault in found)
    ]
    return {judged.workload.path: f"{as_before(judged, was)}: it is not proved" for judged, was in faulty}


def _problem(lasting: list[Fault]) -> MeshError:
    more = f"; and {len(lasting) - 10} more" if len(lasting) > 10 else ""
    return MeshError(
        "Some proxies are not as they should be.",
        where="; ".join(fault.text for fault in lasting[:10]) + more,
        why="their workloads are rolled out, so waiting does not change it",
        do="look at the events of these pods and at the injectors; what is stale gets its new sidecar by a restart",
    )


VERB = Verb("proxy_check", SPEC, Options.of, run)
