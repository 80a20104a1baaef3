# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says of what restarts would meet: a table a topic. What the API server makes of it is in tests/cases/test_preflight.py."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.around import Around, Autoscaler, Claim, Node, Quota, Range
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import (
    HOSTNAME,
    Apart,
    Demands,
    Named,
    Reference,
    Replacing,
    Taint,
    Toleration,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, Weight
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import Held, Holder
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.preflight import surrounding_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Amounts, Resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, TEMPLATE, Workload
from tests.unit.meshes import NEW, deployment, mesh, namespace, pod, proxy

BLOCKER, WARNING, NOTE = Weight.BLOCKER, Weight.WARNING, Weight.NOTE
LABELS = {"app": "api"}
SURGING = Replacing("25%", "25%")
ALIKE = Selector(equal=(("app", "api"),))
GIB = 1 << 30
SIDECAR = Resources(Amounts(100, GIB // 8), Amounts(2000, GIB))


def amounts(cpu: int, memory: int = 0) -> Resources:
    return Resources(Amounts(cpu, memory))


def node(name: str, cpu: int = 4000, **more: t.Any) -> Node:
    return replace(Node(name, {HOSTNAME: name, "zone": "z1"}, (), False, Amounts(cpu, 8 * GIB), 110), **more)


def claim(mode: str, *, deleting: bool = False) -> Claim:
    return Claim("shop", "data", frozenset({mode}), deleting)


NOTHING = Around()


@dataclass(frozen=True)
class Case:
    """One workload ``deploy/api`` in namespace ``shop``, one pod of which runs on node ``n1``; what is told of it in a topic."""

    says: tuple[tuple[Weight, str], ...]
    demands: Demands = field(default_factory=lambda: Demands(replacing=SURGING))
    around: Around = NOTHING
    kind: str = "Deployment"
    more: Mapping[str, t.Any] = field(default_factory=dict)
    """Of the workload."""
    held: Held = field(default_factory=Held)
    """Of the namespace."""
    sidecar: Resources | None = None
    running: Resources = field(default_factory=Resources)


def found(case: Case, topic: Topic) -> tuple[Finding, ...]:
    shop = replace(namespace("shop", injection="enabled"), held=case.held)
    workload: Workload = replace(deployment("api", "shop", case.kind, LABELS), demands=case.demands, **case.more)
    there = mesh((shop,), ((workload, proxy()),))
    there = replace(there, pods=(replace(pod(workload, 0, proxy()), node="n1", resources=case.running),))
    plan = make_plan(there, Target(NEW, "1.30.3", None, (), frozenset(), "istio-system"))
    return tuple(one for one in surrounding_findings(plan, there, case.around, case.sidecar) if one.topic is topic)


def check(case: Case, topic: Topic) -> None:
    told = found(case, topic)
    lines = [(one.weight, one.line()) for one in told]
    assert len(lines) == len(case.says), lines
    for (weight, line), (heavy, words) in zip(lines, case.says, strict=True):
        assert weight is heavy, line
        assert words in line
    assert all(one.do for one in told), "each says what to do"


THREE = {"replicas": 3, "total": 3, "updated": 3, "available": 3}
ONE_NODE = Around(nodes=(node("n1"),))
DISRUPTION = {
    "nothing is told of what surges and has room": Case((), around=Around(nodes=(node("n1"),), quotas=(), ranges=(), claims=())),
    "Recreate": Case(
        ((WARNING, "Nothing serves while these restart (deploy/api in shop): their strategy is Recreate"),),
        Demands(replacing=Replacing(recreate=True)),
    ),
    "one replica that goes first": Case(
        ((WARNING, "they have one pod, which goes before the new one comes"),), Demands(replacing=Replacing("0", "1"))
    ),
    "all of several at once": Case(
        ((WARNING, "maxUnavailable lets all their pods go at once"),), Demands(replacing=Replacing("0", "100%")), more=THREE
    ),
    "two of three is no outage": Case((), Demands(replacing=Replacing("0", "34%")), more=THREE),
    "a StatefulSet of one": Case(((WARNING, "one pod"),), kind="StatefulSet"),
    "OnDelete": Case(((WARNING, "OnDelete"),), kind="DaemonSet", more={"on_delete": True}),
    "a rollout under way": Case(
        ((WARNING, "A rollout is under way already (deploy/api in shop: 1 of 2 pods are of the newest template)"),), more={"total": 2}
    ),
    "a volume for one pod, for ever": Case(
        ((BLOCKER, "would never come to the end of its restart (PersistentVolumeClaim data has access mode ReadWriteOncePod)"),),
        Demands(claims=("data",), replacing=SURGING),
        Around(claims=(claim("ReadWriteOncePod"),)),
    ),
    "a volume for one node, which the scheduler may choose": Case(
        ((WARNING, "PersistentVolumeClaim data has access mode ReadWriteOnce"),),
        Demands(claims=("data",), replacing=SURGING),
        Around(claims=(claim("ReadWriteOnce"),)),
    ),
    "a volume for many": Case((), Demands(claims=("data",), replacing=SURGING), Around(claims=(claim("ReadWriteMany"),))),
    "a volume for one pod that goes first": Case(
        ((WARNING, "they have one pod"),),
        Demands(claims=("data",), replacing=Replacing("0", "1")),
        Around(claims=(claim("ReadWriteOncePod"),)),
    ),
    "a port of the only node": Case(((BLOCKER, "hostPort 8080, and each node"),), Demands(ports=(8080,), replacing=SURGING), ONE_NODE),
    "a port, and a second node": Case((), Demands(ports=(8080,), replacing=SURGING), Around(nodes=(node("n1"), node("n2")))),
    "a port, and a second node that takes nobody": Case(
        ((BLOCKER, "hostPort 8080"),), Demands(ports=(8080,), replacing=SURGING), Around(nodes=(node("n1"), node("n2", cordoned=True)))
    ),
    "a port, and a second node with a taint": Case(
        ((BLOCKER, "hostPort 8080"),),
        Demands(ports=(8080,), replacing=SURGING),
        Around(nodes=(node("n1"), node("n2", taints=(Taint("gpu", "", "NoSchedule"),)))),
    ),
    "a port, and a second node whose taint it tolerates": Case(
        (),
        Demands(ports=(8080,), replacing=SURGING, tolerations=(Toleration("gpu", True, "", ""),)),
        Around(nodes=(node("n1"), node("n2", taints=(Taint("gpu", "", "NoSchedule"),)))),
    ),
    "a port, and nodes that cannot be seen": Case((), Demands(ports=(8080,), replacing=SURGING)),
    "apart from its like on the only node": Case(
        ((BLOCKER, "each node that takes it has one of its pods"),), Demands(apart=(Apart(HOSTNAME, ALIKE),), replacing=SURGING), ONE_NODE
    ),
    "apart by zone, and all nodes are in one": Case(
        ((BLOCKER, "each zone that takes it has one"),),
        Demands(apart=(Apart("zone", ALIKE),), replacing=SURGING),
        Around(nodes=(node("n1"), node("n2"))),
    ),
    "apart by zone, and one node has none": Case(
        (),
        Demands(apart=(Apart("zone", ALIKE),), replacing=SURGING),
        Around(nodes=(node("n1"), node("n2", labels={HOSTNAME: "n2"}))),
    ),
    "apart by zone, and no node has one": Case(
        (),
        Demands(apart=(Apart("zone", ALIKE),), replacing=SURGING),
        Around(nodes=(node("n1", labels={HOSTNAME: "n1"}),)),
    ),
    "apart from others only": Case((), Demands(apart=(Apart(HOSTNAME, Selector(equal=(("app", "db"),))),), replacing=SURGING), ONE_NODE),
    "a quota of pods that is full": Case(
        ((WARNING, "pods: 1 of 1 used, 1 more are asked for"),), around=Around(quotas=(Quota("shop", "tight", {"pods": 1}, {"pods": 1}),))
    ),
    "a full quota where a pod goes first": Case(
        ((WARNING, "they have one pod"),),
        Demands(replacing=Replacing("0", "1")),
        Around(quotas=(Quota("shop", "tight", {"pods": 1}, {"pods": 1}),)),
    ),
    "a quota that only the new sidecar exceeds": Case(
        (
            (
                WARNING,
                "requests.cpu: 500m of 1 used, 600m more are asked for): the first new pod has to be beside the old ones (with a sidecar",
            ),
        ),
        Demands(replacing=SURGING, resources=amounts(500)),
        Around(quotas=(Quota("shop", "tight", {"requests.cpu": 1000}, {"requests.cpu": 500}),)),
        sidecar=SIDECAR,
    ),
    "what running proxies ask for, where the new values are not known": Case(
        ((WARNING, "as its running pods ask for, with the sidecars that they have"),),
        Demands(replacing=SURGING, resources=amounts(500)),
        Around(quotas=(Quota("shop", "tight", {"cpu": 1000}, {"cpu": 510}),)),
        running=amounts(510),
    ),
    "a larger sidecar in place of a smaller one": Case(
        ((WARNING, "they have one pod"), (WARNING, "the new pods ask for more than the old ones")),
        Demands(replacing=Replacing("0", "1"), resources=amounts(500)),
        Around(quotas=(Quota("shop", "tight", {"cpu": 510}, {"cpu": 510}),)),
        sidecar=SIDECAR,
        running=amounts(510),
    ),
    "a quota of another namespace": Case((), around=Around(quotas=(Quota("cart", "tight", {"pods": 1}, {"pods": 1}),))),
    "a LimitRange below the sidecar": Case(
        ((WARNING, "LimitRange small does not allow the new sidecar of deploy/api in shop"),),
        around=Around(ranges=(Range("shop", "small", Amounts(), Amounts(1000)),)),
        sidecar=SIDECAR,
    ),
    "a LimitRange above what the sidecar asks for": Case(
        ((WARNING, "at least cpu 200m"),), around=Around(ranges=(Range("shop", "big", Amounts(200), Amounts()),)), sidecar=SIDECAR
    ),
    "a LimitRange that its own annotations keep": Case(
        (),
        Demands(replacing=SURGING, sidecar=amounts(10)),
        Around(ranges=(Range("shop", "small", Amounts(), Amounts(1000)),)),
        sidecar=SIDECAR,
    ),
    "no node with room": Case(
        ((WARNING, "No node has room for one pod more of deploy/api in shop (it asks for cpu 600m"),),
        Demands(replacing=SURGING, resources=amounts(500)),
        Around(nodes=(node("n1", cpu=1000),)),
        sidecar=SIDECAR,
        running=amounts(600),
    ),
    "no room, and a pod that goes first": Case(
        ((WARNING, "they have one pod"),),
        Demands(replacing=Replacing("0", "1"), resources=amounts(500)),
        Around(nodes=(node("n1", cpu=100),)),
    ),
    "a node that is full of pods": Case(((WARNING, "No node has room"),), around=Around(nodes=(node("n1", pods=1),))),
    "an autoscaler at its limit": Case(
        ((WARNING, "hpa/api: 3 of at most 3 pods"),),
        around=Around(autoscalers=(Autoscaler("shop", "api", "Deployment", "api", 3, False),)),
        more=THREE,
    ),
    "an autoscaler with more to give": Case((), around=Around(autoscalers=(Autoscaler("shop", "api", "Deployment", "api", 3, False),))),
}


@pytest.mark.parametrize("case", DISRUPTION.values(), ids=DISRUPTION)
def test_disruption(case: Case) -> None:
    check(case, Topic.DISRUPTION)


def names(*references: Reference) -> Demands:
    claims = tuple(one.name for one in references if one.kind is Named.CLAIM)
    return Demands(references=references, claims=claims, replacing=Replacing("1", "1"))


CONFIG = Reference(Named.CONFIG_MAP, "config", "volume config")
PULL = Reference(Named.SECRET, "registry", "imagePullSecrets", pulls=True)
DRIFT = {
    "a ConfigMap that is there": Case((), names(CONFIG), Around({Named.CONFIG_MAP: frozenset({("shop", "config")})})),
    "one of that name elsewhere is another": Case(
        ((BLOCKER, "deploy/api in shop could not restart: ConfigMap config is gone (its template names it: volume config)"),),
        names(CONFIG),
        Around({Named.CONFIG_MAP: frozenset({("cart", "config")})}),
    ),
    "gone, and named twice": Case(
        ((BLOCKER, "volume config, envFrom of container app"),),
        names(CONFIG, replace(CONFIG, where="envFrom of container app")),
        Around({Named.CONFIG_MAP: frozenset()}),
    ),
    "a ConfigMap is no Secret": Case(
        ((BLOCKER, "Secret config"),), names(replace(CONFIG, kind=Named.SECRET)), Around({Named.SECRET: frozenset()})
    ),
    "what may not be listed is not gone": Case((), names(CONFIG), Around({Named.CONFIG_MAP: None}, hidden=("ConfigMap",))),
    "a service account": Case(
        ((BLOCKER, "ServiceAccount robot is gone"),),
        names(Reference(Named.ACCOUNT, "robot", "serviceAccountName")),
        Around({Named.ACCOUNT: frozenset()}),
    ),
    "a Secret for pulling only warns": Case(
        ((WARNING, "names Secret registry for pulling its images"),), names(PULL), Around({Named.SECRET: frozenset()})
    ),
    "a claim": Case(
        ((BLOCKER, "PersistentVolumeClaim data is gone"),), names(Reference(Named.CLAIM, "data", "volume data")), Around(claims=())
    ),
    "a claim that waits for its end": Case(
        ((BLOCKER, "PersistentVolumeClaim data is being deleted"),),
        names(Reference(Named.CLAIM, "data", "volume data")),
        Around(claims=(claim("ReadWriteMany", deleting=True),)),
    ),
    "nothing of what is not restarted": Case((), names(CONFIG), Around({Named.CONFIG_MAP: frozenset()}), more={"paused": True}),
}


@pytest.mark.parametrize("case", DRIFT.values(), ids=DRIFT)
def test_drift(case: Case) -> None:
    check(replace(case, more={**THREE, **case.more}), Topic.DRIFT)


def label(manager: str, *, applied: bool = False, **more: t.Any) -> Held:
    return replace(Held({"istio-injection": (Holder(manager, applied),)}), **more)


def stamp(manager: str, key: str = STAMP) -> dict[str, t.Any]:
    return {"held": Held({key: (Holder(manager, False),)})}


OWNERSHIP = {
    "nobody": Case(()),
    "people": Case((), held=label("kubectl-label")),
    "people with another tool": Case((), held=label("OpenAPI-Generator")),
    "ourselves": Case((), held=label("meshops")),
    "a file that kubectl has applied": Case(
        ((NOTE, "Label istio-injection stands in the file"),),
        held=Held({"istio-injection": (Holder("kubectl-client-side-apply", False),)}, applied=frozenset({"istio-injection"})),
    ),
    "Flux corrects always": Case(
        ((BLOCKER, "Flux manages label istio-injection"),), held=label("kustomize-controller", applied=True, source="Kustomization apps")
    ),
    "Flux leaves it alone": Case((), held=label("kustomize-controller", applied=True, left_alone=True)),
    "Argo CD may": Case(
        ((WARNING, "Argo CD manages label istio-injection of namespaces that are to move, and would set it back (application shop)"),),
        held=label("argocd-controller", source="application shop"),
    ),
    "Argo CD before 2.5": Case(((WARNING, "Argo CD"),), held=label("argocd-application-controller")),
    "Helm": Case(((WARNING, "with the next helm upgrade of release base"),), held=label("helm", source="release base")),
    "an operator that nobody knows": Case(((WARNING, '"tenant-operator" manages label'),), held=label("tenant-operator")),
    "who holds another label": Case((), held=Held({"team": (Holder("kustomize-controller", True),)})),
    "a stamp that is in Git": Case(((WARNING, "Argo CD would take the stamp of a restart back"),), more=stamp("argocd-controller")),
    "a stamp of kubectl": Case((), more=stamp("kubectl-rollout")),
    "a template that Terraform holds": Case(((WARNING, "Terraform would take the stamp"),), more=stamp("HashiCorp", TEMPLATE)),
    "a template that Helm holds": Case((), more=stamp("helm", TEMPLATE)),
    "what an operator has made": Case(((WARNING, "deploy/api in shop, of VMAgent/main"),), more={"held": Held(owner="VMAgent/main")}),
}


@pytest.mark.parametrize("case", OWNERSHIP.values(), ids=OWNERSHIP)
def test_ownership(case: Case) -> None:
    check(case, Topic.OWNERSHIP)


def test_what_could_not_be_seen_is_said() -> None:
    """Not that it is fine."""
    told = found(Case((), around=Around({Named.SECRET: None}, hidden=("Secret", "Node"))), Topic.RIGHTS)
    assert [one.what for one in told] == ["This user may not list any Secret", "This user may not list any Node"]
    assert "no more than names are read" in told[0].do


def test_what_is_alike_is_told_once_with_all_places() -> None:
    shop = namespace("shop", injection="enabled")
    alike = [replace(deployment(f"api-{n}", "shop"), demands=Demands(replacing=Replacing(recreate=True))) for n in range(12)]
    there = mesh((shop,), tuple((one, proxy()) for one in alike))
    plan = make_plan(there, Target(NEW, "1.30.3", None, (), frozenset(), "istio-system"))
    (only,) = (one for one in surrounding_findings(plan, there, Around(), None) if one.topic is Topic.DISRUPTION)
    assert only.where.startswith("deploy/api-0 in shop, deploy/api-1 in shop")
    assert only.where.endswith("and 2 more")
