# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is true of a mesh now: control planes, injectors, namespaces with what they resolve to, workloads and their proxies."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import record
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import unless_forbidden
from ansible_collections.meshops.istio.plugins.module_utils._kube.services import services_in
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take, what_injects
from ansible_collections.meshops.istio.plugins.module_utils._kube.validators import all_validators
from ansible_collections.meshops.istio.plugins.module_utils._mesh.connections import with_versions
from ansible_collections.meshops.istio.plugins.module_utils._mesh.disagreements import disagreements
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.status import Seen, report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.subsets import Subset, chosen
from ansible_collections.meshops.istio.plugins.module_utils._mesh.trouble import trouble
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import Validator
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._verbs import mesh_facts as facts
from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_details import Details, read
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
    snapshot = take(cluster, partly=True) if whole else what_injects(cluster, partly=True)
    validators = unless_forbidden(lambda: all_validators(cluster))
    services = services_in(cluster, _called(snapshot, validators or (), options.istio_namespace))
    details = read(cluster, options.subsets, snapshot, options.istio_namespace)
    if details.connected:
        snapshot = with_versions(snapshot, details.connected)
    found = (*trouble(snapshot, validators or (), services), *details.findings(snapshot, services))
    disagreeing = disagreements(snapshot, details.connected)
    recorded = unless_forbidden(lambda: (record.stored(cluster, options.istio_namespace),))
    stored = recorded[0] if recorded else None
    unknown = (*snapshot.unknowns(), *_unseen(validators, recorded, options), *services.unknowns(), *details.unknowns())
    seen = Seen(findings=found, disagreements=disagreeing, unknown=unknown, recorded=recorded is not None)
    kubernetes = str((cluster.get("/version") or {}).get("gitVersion", "unknown")).removeprefix("v")
    name = options.cluster_name or cluster.host
    lines = report(snapshot, name, kubernetes, stored.record if stored else None, stored.written if stored else "", seen)
    if options.report:
        context.say("\n".join(["", *lines, ""]))
    told: dict[str, object] = {
        "cluster_uid": unless_forbidden(cluster.uid),
        "kubernetes": kubernetes,
        "report": lines,
        "findings": facts.findings(found),
    }
    if Subset.MIN in options.subsets:
        told |= _least(snapshot, validators, services, details)
    if whole:
        told |= {"workloads": facts.workloads(snapshot), "gateways": facts.gateways(snapshot)}
        told |= {"disagreements": facts.disagreements(disagreeing)}
    told |= details.facts(snapshot, services)
    return Result(msg=_sentence(snapshot, len(found), whole=whole), facts={**told, "unknown": list(unknown)})


def _unseen(validators: object, recorded: object, options: Options) -> Iterator[str]:
    """What this user may not see, each as a sentence."""
    if validators is None:
        yield "ValidatingWebhookConfiguration: this user may not list any, so that what there is of them is not known."
    if recorded is None:
        where = record.place(options.istio_namespace)
        yield f"{where}: this user may not see it, so that it is not known whether an upgrade is under way."


def _called(snapshot: Snapshot, validators: tuple[Validator, ...], istio_namespace: str) -> set[str]:
    """The namespaces of all that webhooks of Istio call."""
    injecting = (one.namespace for one in snapshot.injectors if one.service)
    judging = (one.namespace for one in validators if one.service)
    return {istio_namespace, *injecting, *judging, *(plane.namespace for plane in snapshot.control_planes)}


def _least(snapshot: Snapshot, validators: tuple[Validator, ...] | None, services: Services, details: Details) -> dict[str, object]:
    return {
        "control_planes": [one | details.of_plane(str(one["revision"])) for one in facts.control_planes(snapshot, services)],
        "injectors": facts.injectors(snapshot, services),
        "validators": None if validators is None else facts.validators(validators, services),
        "namespaces": [fact | details.of_namespace(one) for fact, one in zip(facts.namespaces(snapshot), snapshot.namespaces, strict=True)],
    }


def _sentence(snapshot: Snapshot, findings: int, *, whole: bool) -> str:
    counted = [(len(snapshot.control_planes), "control plane"), (len(snapshot.namespaces), "namespace")]
    counted += [(len(snapshot.judged), "workload")] if whole else []
    return ", ".join(count(number, noun) for number, noun in (*counted, (findings, "finding")))


VERB = Verb("mesh_info", SPEC, Options.of, run)
