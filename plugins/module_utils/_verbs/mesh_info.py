# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true of a mesh now: control planes, injectors, namespaces with what they resolve to, workloads and their proxies."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import record
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.status import report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Result, Verb

SPEC: dict[str, t.Any] = {"report": {"type": "bool", "default": False}, "cluster_name": {"type": "str"}, **ISTIO_NAMESPACE}


@dataclass(frozen=True, slots=True)
class Options:
    istio_namespace: str
    report: bool
    cluster_name: str | None

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        return cls(params["istio_namespace"], params["report"], params["cluster_name"])


def run(options: Options, context: Context) -> Result:
    snapshot = take(context.cluster)
    kubernetes = str((context.cluster.get("/version") or {}).get("gitVersion", "unknown")).removeprefix("v")
    name = options.cluster_name or context.cluster.host
    stored = record.stored(context.cluster, options.istio_namespace)
    lines = report(snapshot, name, kubernetes, stored.record if stored else None, stored.written if stored else "")
    if options.report:
        context.say("\n".join(["", *lines, ""]))
    return Result(
        msg=", ".join(
            count(len(found), noun)
            for found, noun in (
                (snapshot.control_planes, "control plane"),
                (snapshot.namespaces, "namespace"),
                (snapshot.judged, "workload"),
            )
        ),
        facts={"cluster_uid": context.cluster.uid(), "kubernetes": kubernetes, "report": lines, **facts(snapshot)},
    )


def facts(snapshot: Snapshot) -> dict[str, object]:
    """The snapshot as plain values for the result."""
    return {
        "control_planes": [
            {"revision": p.revision, "namespace": p.namespace, "name": p.name, "version": p.version, "ready": p.ready}
            for p in snapshot.control_planes
        ],
        "injectors": [
            {
                "name": i.name,
                "revision": i.revision,
                "tag": i.tag,
                "service": i.service,
                "disabled": i.disabled,
                "ca": all(e.has_ca for e in i.entries),
            }
            for i in snapshot.injectors
        ],
        "namespaces": [
            {
                "name": n.name,
                "labels": n.asks.labels(),
                "gets": snapshot.gets(n.name).revision,
                "prior": n.prior.labels() if n.prior else None,
            }
            for n in snapshot.namespaces
        ],
        "workloads": [_workload(judged) for judged in snapshot.judged],
    }


def _workload(judged: Judged) -> dict[str, object]:
    workload = judged.workload
    return {
        "kind": workload.kind,
        "namespace": workload.namespace,
        "name": workload.name,
        "gets": judged.decision.revision,
        "proxies": judged.proxies,
        "standing": str(judged.standing),
        "stale": judged.standing is Standing.STALE,
    }


VERB = Verb("mesh_info", SPEC, Options.of, run)
