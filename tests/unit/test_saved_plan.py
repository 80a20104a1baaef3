# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan that is kept: what makes it hold no more, what does not, and how it is read."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Callable
from dataclasses import replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._mesh.duration import expected
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan, make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan_table import COLUMNS, fitted, plan_report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_before
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Recipe
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rights import Right, missing_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.saved import check_holds, read, written
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, tag, unrevisioned

SHOP, CART = namespace("shop", injection="enabled"), namespace("cart", injection="enabled")
WEB, API = deployment("web", "shop"), deployment("api", "cart")
MESH = mesh((SHOP, CART, namespace("plain")), ((WEB, proxy()), (API, proxy())))
TARGET = Target(NEW, "1.30.3", None, (("shop",), ("cart",)), frozenset(), "istio-system")
Change = Callable[[Snapshot], Snapshot]


def plan_of(snapshot: Snapshot, target: Target = TARGET) -> tuple[Plan, Snapshot]:
    return make_plan(snapshot, target), as_before(snapshot, target.revision)


def document(snapshot: Snapshot, target: Target = TARGET, cluster: str = "uid-1") -> dict[str, t.Any]:
    plan, before = plan_of(snapshot, target)
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(written(plan, before, target, cluster, 10))))


def held_against(snapshot: Snapshot, target: Target = TARGET, cluster: str = "uid-1", saved: object = None) -> str:
    """What the error says; empty where the plan of MESH still holds."""
    plan, before = plan_of(snapshot, target)
    try:
        check_holds(read(saved or document(MESH), "mesh_plan"), plan, snapshot, before, target, cluster, "mesh_plan")
    except MeshError as problem:
        return problem.text()
    return ""


def moved(one: Namespace) -> Namespace:
    return replace(one.asking(Asks(revision=NEW)), prior=one.asks)


def workload(of: Workload, **changes: t.Any) -> Change:
    return lambda snapshot: replace(snapshot, workloads=tuple(replace(w, **changes) if w == of else w for w in snapshot.workloads))


def installed(snapshot: Snapshot) -> Snapshot:
    planes = (*snapshot.control_planes, plane(NEW, "1.30.3"))
    return replace(snapshot, injectors=(*snapshot.injectors, expected_injector(NEW)), control_planes=planes)


def half_done(snapshot: Snapshot) -> Snapshot:
    """Wave 1 is moved and restarted, by this very upgrade."""
    there = installed(snapshot)
    pods = tuple(replace(pod, proxy=proxy(NEW, "1.30.3")) if pod.namespace == "shop" else pod for pod in there.pods)
    return replace(there, namespaces=tuple(moved(n) if n.name == "shop" else n for n in there.namespaces), pods=pods)


def then(*changes: Change) -> Change:
    def all_of_them(snapshot: Snapshot) -> Snapshot:
        for change in changes:
            snapshot = change(snapshot)
        return snapshot

    return all_of_them


HOLDS: dict[str, Change] = {
    "nothing has changed": lambda snapshot: snapshot,
    "pods come, go and are unhealthy": lambda s: replace(s, pods=(replace(s.pods[0], name="another", uid="x", ready=False),)),
    "replicas and status": workload(WEB, replicas=7, available=2, updated=1, generation=9, observed=8),
    "a restart's stamp": workload(WEB, template=PodShape({}, {"kubectl.kubernetes.io/restartedAt": "now"})),
    "a label that nobody selects by": lambda s: replace(
        s, namespaces=tuple(replace(n, labels={**n.labels, "team": "pay"}) for n in s.namespaces)
    ),
    "the control plane of the plan has been installed": installed,
    "half of it is moved by this very upgrade": half_done,
    "what is done is changed afterwards": then(half_done, workload(WEB, uid="anew")),
    "a namespace in no wave": lambda s: replace(s, namespaces=(*s.namespaces, namespace("later", injection="enabled"))),
}
CHANGED: dict[str, tuple[Change, str]] = {
    "a label of a namespace": (
        lambda s: replace(s, namespaces=(SHOP, replace(CART, labels={"istio.io/rev": OLD}))),
        "namespace cart: label istio-injection was enabled, is -; namespace cart: label istio.io/rev was -, is default",
    ),
    "a namespace that was made anew": (
        lambda s: replace(s, namespaces=(SHOP, replace(CART, uid="anew"))),
        "namespace cart: uid was uid-cart, is anew",
    ),
    "a strategy": (workload(API, strategy='{"type": "Recreate"}'), 'deploy/api in cart: strategy was -, is {"type": "Recreate"}'),
    "how it is restarted": (workload(API, paused=True), "deploy/api in cart: way was stamp, is report"),
    "an injection field of a template": (
        workload(API, template=PodShape({"sidecar.istio.io/inject": "false"})),
        "deploy/api in cart: label sidecar.istio.io/inject was -, is false",
    ),
    "a workload that is new": (
        lambda s: replace(s, workloads=(*s.workloads, deployment("db", "cart"))),
        "deploy/db in cart: it is new",
    ),
    "a workload that is gone": (lambda s: replace(s, workloads=(WEB,)), "deploy/api in cart: it is gone"),
    "a tag": (
        lambda s: replace(s, injectors=(*s.injectors, tag("prod", OLD))),
        "MutatingWebhookConfiguration istio-revision-tag-prod: it is new",
    ),
    "a selector of an injector": (
        lambda s: replace(s, injectors=(replace(unrevisioned(), entries=unrevisioned().entries[:1]),)),
        "MutatingWebhookConfiguration istio-sidecar-injector: entry namespace.sidecar-injector.istio.io was",
    ),
    "a setting of an injector": (
        lambda s: replace(s, control_planes=(replace(plane(OLD, "1.29.6"), settings=Settings(policy="disabled")),)),
        "ConfigMap istio-system/istio-sidecar-injector: policy was enabled, is disabled",
    ),
    "the wave that is left, where one is done": (
        then(half_done, workload(API, uid="anew")),
        "deploy/api in cart: uid was cart/api, is anew",
    ),
    "a wave that was moved, and taken back by hand": (
        then(half_done, lambda s: replace(s, namespaces=(replace(SHOP, uid="anew"), CART))),
        "namespace shop: uid was uid-shop, is anew",
    ),
}


@pytest.mark.parametrize("change", HOLDS.values(), ids=HOLDS)
def test_a_plan_holds_where_only_what_does_not_decide_has_changed(change: Change) -> None:
    assert held_against(change(MESH)) == ""


@pytest.mark.parametrize(("change", "says"), CHANGED.values(), ids=CHANGED)
def test_a_plan_holds_no_more_where_what_decides_has_changed_and_says_what(change: Change, says: str) -> None:
    told = held_against(change(MESH))
    assert "The mesh is not as it was when mesh_plan was made." in told
    assert says in told


OTHERS: dict[str, tuple[Callable[[], str], str]] = {
    "another cluster": (lambda: held_against(MESH, cluster="uid-2"), "plan of another cluster"),
    "another revision": (lambda: held_against(MESH, replace(TARGET, revision="1-31-0")), "plan of another upgrade"),
    "another version": (
        lambda: held_against(MESH, replace(TARGET, version="1.30.4")),
        "1-30-3 1.30.3, this upgrade moves to 1-30-3 1.30.4",
    ),
    "other waves": (
        lambda: held_against(MESH, replace(TARGET, waves=(("cart",), ("shop",)))),
        "namespace shop: it is not in wave 1 any more; namespace cart: it is in wave 1 now",
    ),
    "a wave more": (
        lambda: held_against(MESH, replace(TARGET, waves=(*TARGET.waves, ("plain",)))),
        "wave 3 (plain) is not in it",
    ),
    "another recipe": (
        lambda: held_against(MESH, replace(TARGET, choices=Choices(bare_pods=Recipe.EVICT))),
        "",
    ),
    "a text": (lambda: held_against(MESH, saved="later"), "mesh_plan is not a plan"),
    "something else": (lambda: held_against(MESH, saved={"waves": [["shop"]]}), "mesh_plan is not a plan"),
    "another format": (lambda: held_against(MESH, saved={**document(MESH), "format": 9}), "of another version of meshops.istio"),
    "an edited one": (lambda: held_against(MESH, saved={**document(MESH), "from_revision": "x"}), "it was edited, or cut off"),
    "keys that JSON cannot have": (
        lambda: held_against(MESH, saved=t.cast("dict[object, object]", document(MESH)) | {1: "x"}),
        "it was edited, or cut off",
    ),
    "one that was blocked": (
        lambda: held_against(MESH, saved=document(MESH, replace(TARGET, waves=(("nosuch",),)))),
        "a plan that was blocked",
    ),
}


@pytest.mark.parametrize(("ask", "says"), OTHERS.values(), ids=OTHERS)
def test_a_plan_of_something_else_is_refused(ask: Callable[[], str], says: str) -> None:
    told = ask()
    assert says in told if says else told == ""


def test_the_hash_is_over_what_decides_alone() -> None:
    here, ill = document(MESH), document(workload(WEB, available=0)(MESH))
    assert (here["hash"] == ill["hash"], here["checksum"] == ill["checksum"]) == (True, False)
    assert document(workload(WEB, uid="anew")(MESH))["hash"] != here["hash"]
    assert [wave["digest"] for wave in document(workload(WEB, uid="anew")(MESH))["waves"]][1] == here["waves"][1]["digest"]


def test_the_order_does_not_depend_on_how_the_cluster_lists() -> None:
    here = mesh((SHOP, CART), ((WEB, proxy()), (deployment("db", "shop"), proxy()), (API, proxy())))
    other = replace(here, workloads=here.workloads[::-1], namespaces=here.namespaces[::-1], pods=here.pods[::-1])
    assert json.dumps(written(*plan_of(other), TARGET, "uid-1", 10)) == json.dumps(written(*plan_of(here), TARGET, "uid-1", 10))


def test_minutes_are_computed_from_how_long_pods_took() -> None:
    big = replace(deployment("web", "shop"), replicas=12, at_once=3)
    there = mesh((SHOP,), ((big, proxy()),))
    pods = tuple(replace(there.pods[0], name=f"web-{number}", uid=str(number), seconds=40) for number in range(12))
    plan, _before = plan_of(replace(there, pods=pods), replace(TARGET, waves=()))
    found = expected(plan.ways, 10)
    assert (found.pods, found.at_once, found.minutes) == (12, 3, 3)  # four steps of 40 s
    assert found.pace.startswith("40 s for a pod, as the 12 running ones took")
    unknown, _before = plan_of(there, replace(TARGET, waves=()))
    assert "which is a guess" in expected(unknown.ways, 10).pace


@given(st.lists(st.lists(st.text("ab -/=", max_size=150), min_size=4, max_size=4), max_size=5))
def test_a_table_never_is_wider_than_the_terminal_and_loses_no_word(rows: list[list[str]]) -> None:
    lines = fitted(("A", "B", "C", "D"), rows)
    assert max(map(len, lines)) <= COLUMNS
    assert sorted("".join(lines).replace(" ", "")) == sorted("ABCD" + "".join("".join(row) for row in rows).replace(" ", ""))


def test_rules_stand_in_the_report_as_they_can_be_pasted() -> None:
    missing = (Right("list", "pods"), Right("get", "configmaps", "", "istio-system"))
    plan, _before = plan_of(MESH)
    text = "\n".join(
        plan_report(plan.told(missing_findings(missing, missing, "the upgrade", "meshops-upgrade")), "predicted: this and that", 10)
    )
    pasted = list(yaml.safe_load_all(text[text.index("---") : text.index("WARNINGS")]))
    assert [one["kind"] for one in pasted] == ["ClusterRole", "Role"]


def test_the_report_says_all_of_it_in_a_hundred_columns() -> None:
    long = namespace("a-namespace-with-a-name-that-is-as-long-as-kubernetes-takes-them", injection="enabled")
    bare = replace(deployment("once", "shop", "Pod"), of_pods=True)
    gone = replace(deployment("left", "cart"), of_pods=True)
    pods = ((WEB, proxy()), (bare, proxy()), (gone, proxy()), (deployment("api", long.name), proxy()))
    target = replace(TARGET, waves=(("shop", long.name), ("cart",)))
    plan, _before = plan_of(mesh((SHOP, CART, long, namespace("web", injection="enabled")), pods), target)
    lines = plan_report(plan, "predicted: this and that", 10)
    text = "\n".join(lines)
    assert max(map(len, lines)) <= COLUMNS
    for said in ("MOVES", "RESTARTS", "NEEDS YOU", "LEFT", "BLOCKERS (1)", "WARNINGS (1)", "pod/once", "about 1 minute", "mesh_exclude"):
        assert said in text, text
