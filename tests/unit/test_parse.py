# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the port makes of objects as API servers give them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import endpoints
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Owner
from tests.unit.figures.table import Figures

Json = dict[str, t.Any]


def deployment(containers: list[str], *, labels: Json | None = None, annotations: Json | None = None) -> Json:
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": [{"name": name, "image": "x"} for name in containers]},
    }
    return {"metadata": {"namespace": "edge", "name": "one", "uid": "1", "labels": labels or {}}, "spec": {"template": template}}


GATEWAYS = {
    "an application": (deployment(["app"]), Gateway.NONE),
    "a gateway that is rendered whole": (deployment(["istio-proxy"]), Gateway.RENDERED),
    "a gateway that injection makes": (deployment(["istio-proxy"], annotations={"inject.istio.io/templates": "gateway"}), Gateway.INJECTED),
    "a gateway among other templates": (
        deployment(["app"], annotations={"inject.istio.io/templates": "grpc-agent, gateway"}),
        Gateway.INJECTED,
    ),
    "one that Gateway API manages": (
        deployment(["istio-proxy"], labels={"gateway.istio.io/managed": "istio.io-gateway-controller"}),
        Gateway.MANAGED,
    ),
    "an application that kube-inject has written": (
        deployment(["app", "istio-proxy"], annotations={"sidecar.istio.io/status": '{"revision": "default"}'}),
        Gateway.NONE,
    ),
    "an application that sets its own proxy": (deployment(["app", "istio-proxy"]), Gateway.NONE),
}


@pytest.mark.parametrize(("item", "gateway"), GATEWAYS.values(), ids=GATEWAYS)
def test_a_gateway_is_told_from_what_has_a_sidecar(item: Json, gateway: Gateway) -> None:
    assert workload("Deployment")(item).gateway is gateway


def test_the_sidecar_of_a_real_injected_pod_is_found_wherever_it_is(figures: Figures) -> None:
    for name, said in figures.pods.items():
        containers = {kind: said[kind] for kind in ("containers", "initContainers") if kind in said}
        metadata = {"namespace": "shop", "name": "web", "uid": "1", "labels": said["labels"], "annotations": said["annotations"]}
        found = pod({"metadata": metadata, "spec": containers})
        if "istio-proxy" not in json.dumps(containers):
            continue
        assert found.proxy is not None, name
        assert found.proxy.revision == said["annotations"]["istio.io/rev"], name
        assert found.proxy.version in (name.split()[0], None), name
        assert found.proxy.native == ("native" in name), name


def sidecar(containers: Json, **metadata: Json) -> Json:
    return {"metadata": {"namespace": "shop", "name": "web", "uid": "1", **metadata}, "spec": {"containers": [{"name": "app"}, containers]}}


def connecting(variable: str, value: str, version: str = "1.29.6") -> Json:
    return {"name": "istio-proxy", "image": f"istio/proxyv2:{version}", "env": [{"name": variable, "value": value}]}


PROXY, OLD_PROXY = ({"name": "istio-proxy", "image": f"istio/proxyv2:{version}"} for version in ("1.29.6", "1.9.8-asm.6"))
ANNOTATED, LABELLED = {"istio.io/rev": "1-29-6"}, {"istio.io/rev": "prod"}
ADDRESS = '{"discoveryAddress":"istiod-1-29-6.istio-system.svc:15012"}'


def status(revision: str | None) -> Json:
    return {"sidecar.istio.io/status": json.dumps({"containers": None, **({"revision": revision} if revision else {})})}


def ztunnel(annotations: Json | None = None, **addresses: str) -> Json:
    """Its one container, with the variables of chart ztunnel (1.30)."""
    container = {"name": "istio-proxy", "image": "istio/ztunnel:1.30.3", "env": [{"name": n, "value": v} for n, v in addresses.items()]}
    metadata = {"namespace": "istio-system", "name": "ztunnel-x", "uid": "1", "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"containers": [container]}}


REVISIONS: dict[str, tuple[Json, str | None, str | None]] = {
    "the annotation first": (sidecar(PROXY, annotations=ANNOTATED | status("1-29-6"), labels=LABELLED), "1-29-6", None),
    "an annotation that the status contradicts": (sidecar(PROXY, annotations=ANNOTATED | status("1-30-3")), "1-29-6", "1-30-3"),
    "an annotation beside a status that is no JSON": (
        sidecar(PROXY, annotations=ANNOTATED | {"sidecar.istio.io/status": "{"}),
        "1-29-6",
        None,
    ),
    "then the status": (sidecar(connecting("CA_ADDR", "istiod.istio-system.svc:15012"), annotations=status("1-16-7")), "1-16-7", None),
    "then where it connects to": (sidecar(connecting("PROXY_CONFIG", ADDRESS), annotations=status(None)), "1-29-6", None),
    "then where its certificates come from": (sidecar(connecting("CA_ADDR", "istiod.istio-system.svc:15012")), "default", None),
    "an address elsewhere tells nothing": (sidecar(connecting("CA_ADDR", "meshca.googleapis.com:443")), None, None),
    "a ztunnel says it by an annotation": (ztunnel(XDS_ADDRESS="istiod.istio-system.svc:15012", annotations=ANNOTATED), "1-29-6", None),
    "or by what it dials": (ztunnel(CA_ADDRESS="ca.example.com:443", XDS_ADDRESS="istiod-1-29-6.mesh.svc:15012"), "1-29-6", None),
    "an empty annotation is none": (ztunnel(XDS_ADDRESS="istiod.mesh.svc:15012", annotations={"istio.io/rev": ""}), "default", None),
    "with its scheme": (ztunnel(XDS_ADDRESS="https://istiod-1-29-6.mesh.svc:15012"), "1-29-6", None),
    "or by whom it asks for certificates": (ztunnel(CA_ADDRESS="istiod-1-29-6.mesh.svc:15012"), "1-29-6", None),
    "a name that only begins alike tells nothing": (ztunnel(XDS_ADDRESS="istiod.example.com:15012"), None, None),
    "nor does it in a sidecar": (sidecar(connecting("PROXY_CONFIG", '{"discoveryAddress":"istiod.example.com:15012"}')), None, None),
    "a name without svc": (sidecar(connecting("PROXY_CONFIG", '{"discoveryAddress":"istiod-1-29-6.mesh:15012"}')), "1-29-6", None),
    "a ztunnel that dials elsewhere tells nothing": (ztunnel(CA_ADDRESS="ca.example.com:443"), None, None),
    "a label only where injection writes it": (sidecar(OLD_PROXY, labels={"istio.io/rev": "asm-198-6"}), "asm-198-6", None),
    "a label of a user's may be a tag": (sidecar(PROXY, labels=LABELLED), None, None),
}


@pytest.mark.parametrize(("item", "revision", "contradicted"), REVISIONS.values(), ids=REVISIONS)
def test_the_revision_of_a_proxy_is_read_in_the_order_in_which_it_can_be_relied_on(
    item: Json, revision: str | None, contradicted: str | None
) -> None:
    found = pod(item).proxy
    assert found is not None
    assert (found.revision, found.status) == (revision, contradicted)


OWNERS = {
    "a Deployment, by its ReplicaSet": ({"kind": "ReplicaSet", "name": "web-5d8f", "controller": True}, "5d8f", Owner("Deployment", "web")),
    "a ReplicaSet of nobody": ({"kind": "ReplicaSet", "name": "web", "controller": True}, None, Owner("ReplicaSet", "web")),
    "a Job": ({"kind": "Job", "name": "once", "controller": True}, None, Owner("Job", "once")),
    "nobody": (None, None, Owner("Pod", "web-5d8f-x")),
}


@pytest.mark.parametrize(("reference", "template", "owner"), OWNERS.values(), ids=OWNERS)
def test_whose_pod_it_is(reference: Json | None, template: str | None, owner: Owner) -> None:
    metadata: Json = {"namespace": "shop", "name": "web-5d8f-x", "uid": "1", "ownerReferences": [reference] if reference else []}
    metadata |= {"labels": {"pod-template-hash": template}} if template else {}
    assert pod({"metadata": metadata, "spec": {"containers": [{"name": "app"}]}}).owner == owner


def progressing(message: str) -> Json:
    return {"status": {"conditions": [{"type": "Available", "message": message}, {"type": "Progressing", "message": message}]}}


NEWEST: dict[str, tuple[str, Json, str]] = {
    "a StatefulSet's revision": ("StatefulSet", {"status": {"updateRevision": "web-5d8f"}}, "web-5d8f"),
    "a DaemonSet's generation": ("DaemonSet", {"annotations": {"deprecated.daemonset.template.generation": "3"}}, "3"),
    "a Deployment's ReplicaSet": ("Deployment", progressing('ReplicaSet "web-5d8f" has successfully progressed.'), "5d8f"),
    "also of one that is not done": ("Deployment", progressing('Created new replica set "web-5d8f"'), "5d8f"),
    "not where nothing is said": ("Deployment", progressing(""), ""),
    "not where there is no status": ("DaemonSet", {}, ""),
}


@pytest.mark.parametrize(("kind", "more", "newest"), NEWEST.values(), ids=NEWEST)
def test_what_a_controller_calls_its_newest_template(kind: str, more: Json, newest: str) -> None:
    metadata = {"namespace": "shop", "name": "web", "uid": "1", "annotations": more.get("annotations", {})}
    assert workload(kind)({"metadata": metadata, "status": more.get("status", {})}).newest == newest


ENDPOINTS = {
    "ready": ([{"conditions": {"ready": True}}], 1),
    "not ready": ([{"conditions": {"ready": False}}], 0),
    "unknown counts as ready": ([{"conditions": {}}, {}], 2),
    "none": (None, 0),
}


@pytest.mark.parametrize(("listed", "ready"), ENDPOINTS.values(), ids=ENDPOINTS)
def test_ready_endpoints_are_counted(listed: list[Json] | None, ready: int) -> None:
    found = endpoints.parse({"metadata": {"labels": {"kubernetes.io/service-name": "istiod"}}, "endpoints": listed})
    assert (found.service, found.ready) == ("istiod", ready)
