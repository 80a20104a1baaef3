# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof that a move has arrived: every pod Ready, with a ready sidecar of the wanted revision and version."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import PODS, pod
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Standing, proxy_faults
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import WAIT_TIMEOUT, Context, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late, wait_until

SPEC: dict[str, t.Any] = {
    "namespaces": {"type": "list", "elements": "str", "required": True},
    "revision": {"type": "str"},
    "version": {"type": "str"},
    "wait_timeout": WAIT_TIMEOUT,
}


@dataclass(frozen=True, slots=True)
class Options:
    namespaces: tuple[str, ...]
    revision: str | None
    version: str | None
    timeout: int

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        return cls(tuple(params["namespaces"]), params["revision"], params["version"], params["wait_timeout"])


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    faults = _faults(snapshot, options)
    if faults:
        faults = _wait(snapshot, options, context)
    if faults:
        raise MeshError(
            "Some proxies are not as they should be.",
            where="; ".join(faults[:10]) + (f" and {len(faults) - 10} more" if len(faults) > 10 else ""),
            do="look at these pods; a pod of the wrong revision is restarted by workload_restart",
        )
    checked = snapshot.standing(Standing.CURRENT, Standing.STALE, namespaces=options.namespaces)
    return Result(msg=f"{len(checked)} workloads proved", facts={"workloads": len(checked)})


def _faults(snapshot: Snapshot, options: Options) -> list[str]:
    """Workloads that nobody injects, by their own wish, are no fault."""
    judged = snapshot.standing(Standing.CURRENT, Standing.STALE, namespaces=options.namespaces)
    return [fault for one in judged for fault in proxy_faults(one, options.revision, options.version)]


def _wait(snapshot: Snapshot, options: Options, context: Context) -> list[str]:
    with Follow(context.cluster, {"pods": Kind(PODS, pod)}) as now:

        def found() -> list[str]:
            return _faults(replace(snapshot, pods=now.objects("pods")), options)

        def step() -> Progress:
            faults = found()
            return Progress(0 if faults else 1, 1, tuple(faults))

        try:
            wait_until("proxies", now, step, context, options.timeout)
        except Late:
            return found()
    return []


VERB = Verb("proxy_check", SPEC, Options.of, run)
