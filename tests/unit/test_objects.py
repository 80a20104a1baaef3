# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose an object is, what of it is applied, and what of a recorded control plane may go."""

from __future__ import annotations

import copy
import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._kube.crds import lowered
from ansible_collections.meshops.istio.plugins.module_utils._kube.prepared import Prepare
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import Belongs, Identity, belongs, own_names
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Live, Stock, check_ours, kept_because, read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength
from ansible_collections.meshops.istio.plugins.module_utils._render.strengthen import as_strong, least_of, strong_values

from .figures.table import Figures

NS = "istio-system"
SHARED = {"istio-reader-service-account"}


GROUPS = {one.kind: one.group for one in own_names("x", NS)} | {"CustomResourceDefinition": "apiextensions.k8s.io"}


def _identity(item: t.Mapping[str, t.Any]) -> Identity:
    return Identity(GROUPS[item["kind"]], item["kind"], item["namespace"] or "", item["name"])


def test_all_of_a_real_rendering_is_told_apart(figures: Figures) -> None:
    """Of 1.29.6 and 1.30.3, revisioned and not: its own is exactly what the names say, the rest is shared, and nothing is outside."""
    for name, objects in figures.objects.items():
        given = name.partition(" revision=")[2]
        revision = "default" if given == "(none)" else given
        found = {_identity(item): belongs(_identity(item), item["labels"], revision, NS) for item in objects}
        shared = {one for one in found if one.kind == "CustomResourceDefinition" or one.name in SHARED}
        assert {one for one, whose in found.items() if whose is Belongs.SHARED} == shared, name
        assert {one for one, whose in found.items() if whose is Belongs.OWN} == found.keys() - shared, name
        assert found.keys() - shared <= own_names(revision, NS), name


CM, DEPLOYMENT = Identity("", "ConfigMap", NS, "istio-x"), Identity("apps", "Deployment", NS, "istiod-x")
WHOSE: dict[str, tuple[Identity, dict[str, str], Belongs]] = {
    "a tag's Service": (Identity("", "Service", NS, "istiod-x"), {"istio.io/tag": "prod"}, Belongs.TAG),
    "another revision's": (Identity("apps", "Deployment", NS, "istiod-y"), {"istio.io/rev": "y"}, Belongs.OUTSIDE),
    "the same name elsewhere": (Identity("apps", "Deployment", "shop", "istiod-x"), {}, Belongs.OUTSIDE),
    "another kind of that name": (Identity("apps", "DaemonSet", NS, "istiod-x"), {}, Belongs.OUTSIDE),
    "a secret of it": (Identity("", "Secret", NS, "istio-ca-secret"), {}, Belongs.OUTSIDE),
    "the root certificate": (Identity("", "ConfigMap", NS, "istio-ca-root-cert"), {}, Belongs.OUTSIDE),
    "a filter of 1.9": (Identity("networking.istio.io", "EnvoyFilter", NS, "stats-filter-1.9-x"), {"istio.io/rev": "x"}, Belongs.OWN),
    "a gateway of a revision": (
        Identity("apps", "Deployment", NS, "istio-ingressgateway-x"),
        {"istio.io/rev": "x", "operator.istio.io/component": "IngressGateways"},
        Belongs.SHARED,
    ),
    "a gateway by its component": (
        Identity("apps", "Deployment", "edge", "edge"),
        {"operator.istio.io/component": "IngressGateways"},
        Belongs.SHARED,
    ),
    "the default validator": (
        Identity("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", "istiod-default-validator"),
        {"istio.io/rev": "x"},
        Belongs.SHARED,
    ),
    "the namespace": (Identity("", "Namespace", "", NS), {}, Belongs.SHARED),
    "another namespace": (Identity("", "Namespace", "", "shop"), {}, Belongs.OUTSIDE),
    "a CRD of somebody else": (Identity("apiextensions.k8s.io", "CustomResourceDefinition", "", "a.example.com"), {}, Belongs.OUTSIDE),
}


@pytest.mark.parametrize(("one", "labels", "whose"), WHOSE.values(), ids=WHOSE)
def test_whose_it_is(one: Identity, labels: dict[str, str], whose: Belongs) -> None:
    assert belongs(one, labels, "x", NS) is whose


def test_names_in_another_namespace() -> None:
    names = {one.name for one in own_names("x", "mesh")}
    assert {"istio-sidecar-injector-x-mesh", "istio-validator-x-mesh", "istiod-clusterrole-x-mesh", "istiod-x"} <= names


# The stock


STOCK = Stock("x", "istioctl", {CM: "1", DEPLOYMENT: None}, Strength(3, {"minAvailable": 1}))
LIVE = Live(CM, "1", {"istio.io/rev": "x"}, None, frozenset({"meshops"}))
KEPT: dict[str, tuple[Live, str]] = {
    "all of it is right": (LIVE, ""),
    "no label at all": (replace(LIVE, labels={}), ""),
    "another UID": (replace(LIVE, uid="2"), "it was made anew by somebody else"),
    "no UID was recorded, since a run was killed, and we applied it": (replace(LIVE, identity=DEPLOYMENT), ""),
    "no UID was recorded, and somebody else applied it": (
        replace(LIVE, identity=DEPLOYMENT, applied_by=frozenset({"theirs"})),
        "it is not known whether it is ours",
    ),
    "another UID, though we applied it": (replace(LIVE, uid="2", applied_by=frozenset({"meshops"})), "it was made anew"),
    "it is in no stock": (replace(LIVE, identity=replace(CM, name="values-x")), "it is not known whether it is ours"),
    "a tag has it now": (replace(LIVE, labels={"istio.io/tag": "prod"}), "it belongs to tag prod"),
    "helm has it now": (replace(LIVE, release="istiod-x"), "it belongs to helm release istiod-x"),
    "something owns it": (replace(LIVE, controlled=True), "another object owns it"),
    "another revision has it": (replace(LIVE, labels={"istio.io/rev": "y"}), "it carries istio.io/rev=y"),
    "it is nobody's alone": (replace(LIVE, identity=replace(CM, name="istio-ca-root-cert")), "its name is not one that only this"),
}


@pytest.mark.parametrize(("one", "why"), KEPT.values(), ids=KEPT)
def test_what_may_go_is_right_in_name_and_uid_and_owner(one: Live, why: str) -> None:
    found = kept_because(one, STOCK, NS, "meshops")
    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_what_helm_or_somebody_else_made_is_not_ours() -> None:
    check_ours(STOCK, [LIVE, replace(LIVE, applied_by=frozenset())], "meshops")
    check_ours(None, [LIVE], "meshops")
    for one in (replace(LIVE, release="r"), replace(LIVE, uid="2", applied_by=frozenset({"istio-operator"}))):
        with pytest.raises(MeshError, match="made by somebody else"):
            check_ours(STOCK, [one], "meshops")


identities = st.builds(Identity, *[st.text(max_size=5)] * 4)
stocks = st.builds(
    Stock,
    st.just("x"),
    st.sampled_from(["found", "istioctl"]),
    st.dictionaries(identities, st.none() | st.text(max_size=5)),
    st.none() | st.builds(Strength, st.integers(0, 9), st.none() | st.dictionaries(st.text(max_size=3), st.integers())),
)


@given(stocks)
def test_a_stock_is_read_as_it_was_written(stock: Stock) -> None:
    assert read(stock.written(), "x") == stock


@pytest.mark.parametrize("text", ["", "[]", "7", "{}", '{"format": 2}', STOCK.written().replace('"format": 1', '"format": 2')])
def test_a_stock_of_another_format_is_not_guessed_at(text: str) -> None:
    with pytest.raises(MeshError, match="cannot be read"):
        read(text, "x")
    with pytest.raises(MeshError, match="cannot be read"):
        read(STOCK.written(), "another")


# As strong as the old one


def _plane(replicas: int | None, least: int | None, *, budget: bool = False) -> tuple[dict[str, t.Any], ...]:
    metadata = {"name": "istiod-x", "namespace": NS}
    spec = {"selector": {"matchLabels": {"app": "istiod"}}} | ({} if replicas is None else {"replicas": replicas})
    items: list[dict[str, t.Any]] = [{"kind": "Deployment", "metadata": metadata, "spec": spec}]
    if least is not None:
        items.append({"kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": {"minReplicas": least, "maxReplicas": 5}})
    if budget:
        items.append({"kind": "PodDisruptionBudget", "metadata": metadata, "spec": {"minAvailable": 9}})
    return tuple(items)


@given(st.none() | st.integers(0, 9), st.none() | st.integers(1, 9), st.integers(0, 20), st.booleans(), st.booleans())
def test_nothing_is_made_weaker_and_all_is_as_strong(
    replicas: int | None, least: int | None, old: int, rendered_one: bool, old_has_one: bool
) -> None:
    rendered = _plane(replicas, least, budget=rendered_one)
    before = copy.deepcopy(rendered)
    strong = as_strong(rendered, "istiod-x", Strength(old, {"minAvailable": 1} if old_has_one else None))
    assert least_of(strong, "istiod-x") == max(old, least_of(rendered, "istiod-x"))
    budgets = [item for item in strong if item["kind"] == "PodDisruptionBudget"]
    its = {"minAvailable": 1, "selector": {"matchLabels": {"app": "istiod"}}}
    assert [budget["spec"] for budget in budgets] == ([{"minAvailable": 9}] if rendered_one else [its] if old_has_one else [])
    scaler = next((item["spec"] for item in strong if item["kind"] == "HorizontalPodAutoscaler"), None)
    assert scaler is None or scaler["maxReplicas"] >= scaler["minReplicas"]
    assert rendered == before, "what is rendered stays as it is"
    assert as_strong(rendered, "istiod-x", None) == rendered


OURS = {"autoscaleMin": 3, "replicaCount": 3}
VALUES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any] | None, int, dict[str, t.Any]]] = {
    "as many as the old one": ({}, None, 3, {"pilot": OURS}),
    "beside the user's own": ({"pilot": {"env": {}}}, None, 3, {"pilot": {"env": {}, **OURS}}),
    "one is what the chart gives": ({}, None, 1, {}),
    "more than the chart allows": ({}, None, 7, {"pilot": {"autoscaleMin": 7, "replicaCount": 7, "autoscaleMax": 7}}),
    "the user's own most": ({"autoscaleMax": 9}, None, 7, {"autoscaleMax": 9, "pilot": {"autoscaleMin": 7, "replicaCount": 7}}),
    "the user says how many": ({"autoscaleMin": 1}, None, 3, {"autoscaleMin": 1}),
    "the user says it below pilot": ({"pilot": {"replicaCount": 1}}, None, 3, {"pilot": {"replicaCount": 1}}),
    "it keeps what it has": ({}, {"pilot": OURS}, 5, {"pilot": OURS}),
    "it keeps having none": ({}, {}, 5, {}),
}


@pytest.mark.parametrize(("values", "before", "old", "wanted"), VALUES.values(), ids=VALUES)
def test_values_that_make_it_as_strong(
    values: dict[str, t.Any], before: dict[str, t.Any] | None, old: int, wanted: dict[str, t.Any]
) -> None:
    assert strong_values(values, before, Strength(old)) == wanted


# What is applied


def test_a_ca_bundle_is_never_written_empty_and_istiods_policy_stays() -> None:
    def entry(policy: str, **client: object) -> dict[str, t.Any]:
        return {"name": "a", "clientConfig": {"service": {"name": "istiod"}, **client}, "failurePolicy": policy}

    def configuration(one: dict[str, t.Any]) -> dict[str, t.Any]:
        kind = "ValidatingWebhookConfiguration"
        return {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": "v"}, "webhooks": [one]}

    def applied(rendered: dict[str, t.Any], there: dict[str, t.Any] | None) -> dict[str, t.Any]:
        body = Prepare(frozenset())(configuration(rendered), configuration(there) if there else None)
        return t.cast("dict[str, t.Any]", body["webhooks"][0])

    assert applied(entry("Ignore", caBundle=""), None) == entry("Ignore")
    assert applied(entry("Ignore"), entry("Fail", caBundle="abc")) == entry("Fail")
    assert applied(entry("Fail"), entry("Ignore")) == entry("Fail")
    assert applied(entry("Fail", caBundle="mine"), entry("Fail", caBundle="abc")) == entry("Fail", caBundle="mine")


def test_replicas_are_left_to_the_autoscaler_and_never_let_fall() -> None:
    metadata: dict[str, t.Any] = {"name": "d", "namespace": NS}
    rendered: dict[str, t.Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": 1, "x": 2}}
    scaled = Prepare(frozenset({(NS, "d")}))
    assert Prepare(frozenset())(rendered, None)["spec"] == {"replicas": 1, "x": 2}
    assert scaled(rendered, None)["spec"] == {"x": 2}
    fields = [{"manager": "meshops", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    ours = {**rendered, "metadata": {**metadata, "managedFields": fields}, "spec": {"replicas": 4}}
    assert scaled(rendered, ours)["spec"] == {"x": 2, "replicas": 4}


def _crd(*versions: str, served: bool = True, **properties: object) -> dict[str, t.Any]:
    schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": properties}}}}
    return {"spec": {"versions": [{"name": name, "served": served, "schema": schema} for name in versions]}}


DEEP: dict[str, t.Any] = {"items": {"properties": {"b": {"additionalProperties": {"properties": {"c": {}}}}}}}
CRDS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], tuple[str, ...]]] = {
    "the same": (_crd("v1", a=DEEP), _crd("v1", a=DEEP), ()),
    "more": (_crd("v1", a={}), _crd("v1", "v2", a=DEEP), ()),
    "a version less": (_crd("v1", "v2"), _crd("v2"), ("version v1",)),
    "a version not served": (_crd("v1"), _crd("v1", served=False), ("version v1",)),
    "a field less": (_crd("v1", a={}, z={}), _crd("v1", a={}), ("v1 field spec.z",)),
    "a field less deep inside": (_crd("v1", a=DEEP), _crd("v1", a={"items": {"properties": {"b": {}}}}), ("v1 field spec.a.b.c",)),
}


@pytest.mark.parametrize(("before", "after", "gone"), CRDS.values(), ids=CRDS)
def test_what_a_crd_would_lose(before: dict[str, t.Any], after: dict[str, t.Any], gone: tuple[str, ...]) -> None:
    assert lowered(before, after) == gone
