# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still needs a revision: each kind of referrer by itself is enough, and is told with the command that moves it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import Blocked
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Entry, Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, Asks, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import (
    Around,
    Caller,
    Pinned,
    Successor,
    TagService,
    check_unused,
    left_unserved,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Proxy, Workload
from tests.unit.meshes import deployment, mesh, namespace, plane, proxy, tag, unrevisioned

OLD, NEW = "1-29-6", "1-30-3"
NOTHING = Around((), (), ())
SERVICE = ("istio-system", f"istiod-{OLD}")
MOVED = namespace("shop", rev=NEW)
BOTH = (expected_injector(OLD), expected_injector(NEW))


@dataclass(frozen=True)
class Case:
    told: tuple[str, ...] = ()
    """What the user must be told; nothing: it may go."""
    namespaces: tuple[Namespace, ...] = (MOVED,)
    pods: tuple[tuple[Workload, Proxy | None], ...] = ((deployment("web", "shop"), proxy(NEW, "1.30.3")),)
    injectors: tuple[Injector, ...] = BOTH
    around: Around = NOTHING
    successor: Successor | None = None
    old: str = OLD

    def snapshot(self) -> Snapshot:
        found = mesh(self.namespaces, self.pods, self.injectors)
        return replace(found, control_planes=(plane(OLD, "1.29.6"), plane(NEW, "1.30.3")))


def callers(*found: Caller) -> Around:
    return replace(NOTHING, callers=found)


def validator(name: str, revision: str | None, tag: str | None = None) -> Caller:
    return Caller("ValidatingWebhookConfiguration", name, revision, tag, frozenset({SERVICE}))


def job(kind: str, labels: dict[str, str], where: str = "plain") -> Workload:
    return deployment("night", where, kind, labels)


def ztunnel() -> Workload:
    return replace(deployment("ztunnel", "istio-system", "DaemonSet"), gateway=Gateway.RENDERED)


COMPLETE = Successor(NEW, "move")
IN_DEFAULT = namespace("legacy", injection="enabled")
OPTED = deployment("own", "plain", labels={INJECT: "true"})
BY_POD = Entry(
    "object.sidecar-injector.istio.io",
    Selector(tuple(Requirement(key, Operator.DOES_NOT_EXIST) for key in (INJECTION, REVISION))),
    Selector((Requirement(INJECT, Operator.IN, ("true",)),)),
    has_ca=True,
)
DEFAULT_TAG = replace(tag("default", OLD), entries=(*unrevisioned().entries, BY_POD))

CASES = {
    "everything has moved": Case(),
    "a namespace still gets it": Case(
        ("namespaces cart", f"canary_upgrade to {NEW} with mesh_waves=[[cart]]"), namespaces=(MOVED, namespace("cart", rev=OLD))
    ),
    "a namespace names it although nobody serves it any more": Case(
        ("namespaces cart",), namespaces=(MOVED, namespace("cart", rev=OLD)), injectors=(expected_injector(NEW),)
    ),
    "a namespace would be rolled back to it": Case(
        ("the way back of namespaces shop", "meshops.istio.complete"), namespaces=(replace(MOVED, prior=Asks(revision=OLD)),)
    ),
    "the way back is given up by completing": Case(namespaces=(replace(MOVED, prior=Asks(revision=OLD)),), successor=COMPLETE),
    "a pod template asks for it": Case(
        ("the pod templates of plain/deploy/own", "kubectl -n plain patch deploy/own"),
        namespaces=(MOVED, namespace("plain")),
        pods=((deployment("own", "plain", labels={REVISION: OLD}), None),),
    ),
    "a CronJob's template asks for it at night": Case(
        (
            "the pod templates of plain/cronjob/night",
            "kubectl -n plain patch cronjob/night --type merge -p "
            f'\'{{"spec":{{"jobTemplate":{{"spec":{{"template":{{"metadata":{{"labels":{{"{REVISION}":"{NEW}"}}}}}}}}}}}}}}\'',
        ),
        namespaces=(MOVED, namespace("plain")),
        around=replace(NOTHING, jobs=(job("CronJob", {REVISION: OLD}),)),
    ),
    "a Job that waits asks for it": Case(
        ("the pod templates of plain/job/night", "wait until it is over; or delete it and make it anew"),
        namespaces=(MOVED, namespace("plain")),
        around=replace(NOTHING, jobs=(job("Job", {REVISION: OLD}),)),
    ),
    "a CronJob asks for a tag that follows": Case(
        ("workloads plain/cronjob/night", "tag prod", f"revision_tag with tag=prod and revision={NEW}"),
        namespaces=(MOVED, namespace("plain")),
        around=replace(NOTHING, jobs=(job("CronJob", {REVISION: "prod"}),)),
        injectors=(*BOTH, tag("prod", OLD)),
    ),
    "Jobs that ask for another, or that their namespace moves with it, keep nothing": Case(
        namespaces=(MOVED, namespace("plain")),
        around=replace(NOTHING, jobs=(job("CronJob", {REVISION: NEW}), job("Job", {}, "shop"), job("CronJob", {REVISION: OLD}, "gone"))),
    ),
    "a Job that runs is told by its own template": Case(
        ("the pod templates of plain/job/night", "running proxies of plain/job/night", "it leaves Jobs"),
        namespaces=(MOVED, namespace("plain")),
        pods=((replace(job("Job", {}), of_pods=True), proxy(OLD)),),
        around=replace(NOTHING, jobs=(job("Job", {REVISION: OLD}),)),
    ),
    "a bare pod asks for it": Case(
        ("bare pods plain/pod/night", "delete it and make it anew", "bare pods, which you make anew"),
        namespaces=(MOVED, namespace("plain")),
        pods=((job("Pod", {REVISION: OLD}), proxy(OLD)),),
    ),
    "each kind has its own way": Case(
        ("the pod templates of plain/deploy/own why:", "the pod templates of plain/cronjob/night why:"),
        namespaces=(MOVED, namespace("plain")),
        pods=((deployment("own", "plain", labels={REVISION: OLD}), None),),
        around=replace(NOTHING, jobs=(job("CronJob", {REVISION: OLD}),)),
    ),
    "a template's label counts even where the namespace beats it": Case(
        ("the pod templates of shop/deploy/own",), pods=((deployment("own", "shop", labels={REVISION: OLD}), proxy(NEW, "1.30.3")),)
    ),
    "pods opt in, and its default tag serves them": Case(
        ("workloads plain/deploy/own", "tag default", f"revision_tag with tag=default and revision={NEW}"),
        namespaces=(MOVED, namespace("plain")),
        pods=((OPTED, None),),
        injectors=(*BOTH, DEFAULT_TAG),
    ),
    "what follows the default tag goes with it": Case(
        namespaces=(MOVED, namespace("plain"), IN_DEFAULT),
        pods=((OPTED, proxy(NEW, "1.30.3")),),
        injectors=(*BOTH, DEFAULT_TAG),
        around=replace(NOTHING, tags=(TagService("istiod-revision-tag-default", "default", OLD),)),
        successor=COMPLETE,
    ),
    "what follows a default tag that is removed is told": Case(
        ("namespaces legacy",), namespaces=(MOVED, IN_DEFAULT), injectors=(*BOTH, DEFAULT_TAG), successor=Successor(NEW, "remove")
    ),
    "a proxy of a follower still runs it": Case(
        ("running proxies of legacy/deploy/web", "workload_restart with namespaces=[legacy]"),
        namespaces=(MOVED, IN_DEFAULT),
        pods=((deployment("web", "legacy"), proxy(OLD)),),
        injectors=(*BOTH, DEFAULT_TAG),
        successor=COMPLETE,
    ),
    "a tag points at it": Case(
        ("tag prod; namespaces cart follow it", f"revision_tag with tag=prod and revision={NEW}"),
        namespaces=(MOVED, namespace("cart", rev="prod")),
        injectors=(*BOTH, tag("prod", OLD)),
    ),
    "a tag that is only a Service points at it": Case(("tag ambient",), around=replace(NOTHING, tags=(TagService("x", "ambient", OLD),))),
    "the default validator calls it": Case(
        ("ValidatingWebhookConfiguration istiod-default-validator", "tag=default"),
        around=callers(validator("istiod-default-validator", OLD)),
    ),
    "the default validator follows": Case(around=callers(validator("istiod-default-validator", OLD, "default")), successor=COMPLETE),
    "its own validator is no referrer": Case(around=callers(validator(f"istio-validator-{OLD}-istio-system", OLD))),
    "a webhook of somebody else calls its Service": Case(
        ("ValidatingWebhookConfiguration theirs", f"istio-system/istiod-{OLD}"),
        around=callers(validator("theirs", None)),
        successor=COMPLETE,
    ),
    "a proxy runs it": Case(
        ("running proxies of shop/deploy/web", "workload_restart with namespaces=[shop]"), pods=((deployment("web", "shop"), proxy(OLD)),)
    ),
    "a gateway runs it": Case(
        ("gateways istio-system/deploy/gateway", "their own installer"),
        namespaces=(MOVED, namespace("istio-system")),
        pods=((replace(deployment("gateway", "istio-system"), gateway=Gateway.RENDERED), proxy(OLD)),),
    ),
    "a ztunnel dials it": Case(
        ("gateways istio-system/ds/ztunnel", "charts gateway and ztunnel"),
        namespaces=(MOVED, namespace("istio-system")),
        pods=((ztunnel(), proxy(OLD)),),
    ),
    "nobody can tell what a proxy runs": Case(
        (
            f'It cannot be told whether control plane "{OLD}" is still needed.',
            "where: pods shop/web-0",
            "workload_restart",
            f"the annotation {REVISION}",
        ),
        pods=((deployment("web", "shop"), replace(proxy(OLD), revision=None)),),
        successor=COMPLETE,
    ),
    "an object of Istio is pinned to it": Case(
        ("shop/virtualservices.networking.istio.io/web", "hides them from every other control plane"),
        around=replace(NOTHING, pinned=(Pinned("virtualservices.networking.istio.io", "shop", "web"),)),
        successor=COMPLETE,
    ),
    "an unrevisioned one serves istio-injection, and a tag takes over": Case(
        namespaces=(MOVED, IN_DEFAULT),
        injectors=(unrevisioned(), expected_injector(NEW)),
        old="default",
        successor=COMPLETE,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_referrers(case: Case) -> None:
    def check() -> None:
        check_unused(case.snapshot(), case.old, case.around, istio_namespace="istio-system", successor=case.successor)

    if not case.told:
        check()
        return
    with pytest.raises(Blocked) as refused:
        check()
    said = " ".join(refused.value.text().split())
    assert re.search(f'ontrol plane "{case.old}" is still needed\\.', said)
    for words in case.told:
        assert words in said


def test_a_pod_that_has_ended_keeps_nothing() -> None:
    snapshot = Case(pods=((deployment("job", "shop", kind="Job"), proxy(OLD)),)).snapshot()
    ended = replace(snapshot, pods=tuple(replace(pod, finished=True) for pod in snapshot.pods))
    check_unused(ended, OLD, NOTHING, istio_namespace="istio-system")


@pytest.mark.parametrize(
    ("injectors", "successor", "warned"),
    [
        ((*BOTH, DEFAULT_TAG), COMPLETE, False),
        ((*BOTH, DEFAULT_TAG), Successor(NEW, "remove"), True),
        (BOTH, COMPLETE, True),
    ],
    ids=["the default tag moves", "the default tag goes", "there never was one"],
)
def test_who_will_ask_in_vain_is_warned(injectors: tuple[Injector, ...], successor: Successor, warned: bool) -> None:
    found = left_unserved(Case(injectors=injectors).snapshot(), OLD, successor)
    assert bool(found) is warned
    assert not warned or "istio-injection=enabled is served by nobody" in found[0]
