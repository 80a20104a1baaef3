# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true of a mesh now: control planes, injectors, namespaces with what they resolve to, workloads and their proxies."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import record
from ansible_collections.meshops.istio.plugins.module_utils._kube.services import services_in
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take, what_injects
from ansible_collections.meshops.istio.plugins.module_utils._kube.validators import all_validators
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.status import report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.subsets import Subset, chosen
from ansible_collections.meshops.istio.plugins.module_utils._mesh.trouble import trouble
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import Validator
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._verbs import mesh_facts as facts
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Result, Verb

SPEC: dict[str, t.Any] = {
    "gather_subset": {"type": "list", "elements": "str", "default": [str(Subset.WORKLOADS)]},
    "report": {"type": "bool", "default": False},
    "cluster_name": {"type": "str"},
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    subsets: frozenset[Subset]
    istio_namespace: str
    report: bool
    cluster_name: str | None

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        return cls(chosen(params["gather_subset"]), params["istio_namespace"], params["report"], params["cluster_name"])


def run(options: Options, context: Context) -> Result:
    cluster, whole = context.cluster, Subset.WORKLOADS in options.subsets
    snapshot = take(cluster) if whole else what_injects(cluster)
    validators = all_validators(cluster)
    services = services_in(cluster, _called(snapshot, validators, options.istio_namespace))
    found = trouble(snapshot, validators, services)
    kubernetes = str((cluster.get("/version") or {}).get("gitVersion", "unknown")).removeprefix("v")
    stored = record.stored(cluster, options.istio_namespace)
    name = options.cluster_name or cluster.host
    lines = report(snapshot, name, kubernetes, stored.record if stored else None, stored.written if stored else "", found)
    if options.report:
        context.say("\n".join(["", *lines, ""]))
    told: dict[str, object] = {"cluster_uid": cluster.uid(), "kubernetes": kubernetes, "report": lines, "findings": facts.findings(found)}
    if Subset.MIN in options.subsets:
        told |= _least(snapshot, validators, services)
    if whole:
        told |= {"workloads": facts.workloads(snapshot), "gateways": facts.gateways(snapshot)}
    return Result(msg=_sentence(snapshot, len(found), whole=whole), facts={**told, "unknown": list(snapshot.unknowns())})


def _called(snapshot: Snapshot, validators: tuple[Validator, ...], istio_namespace: str) -> set[str]:
    """The namespaces of all that webhooks of Istio call."""
    injecting = (one.namespace for one in snapshot.injectors if one.service)
    judging = (one.namespace for one in validators if one.service)
    return {istio_namespace, *injecting, *judging, *(plane.namespace for plane in snapshot.control_planes)}


def _least(snapshot: Snapshot, validators: tuple[Validator, ...], services: Services) -> dict[str, object]:
    return {
        "control_planes": facts.control_planes(snapshot, services),
        "injectors": facts.injectors(snapshot, services),
        "validators": facts.validators(validators, services),
        "namespaces": facts.namespaces(snapshot),
    }


def _sentence(snapshot: Snapshot, findings: int, *, whole: bool) -> str:
    counted = [(len(snapshot.control_planes), "control plane"), (len(snapshot.namespaces), "namespace")]
    counted += [(len(snapshot.judged), "workload")] if whole else []
    return ", ".join(count(number, noun) for number, noun in (*counted, (findings, "finding")))


VERB = Verb("mesh_info", SPEC, Options.of, run)
