# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the port makes of objects as API servers give them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import endpoints
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner
from tests.unit.figures.table import Figures

Json = dict[str, t.Any]


def deployment(containers: list[str], *, labels: Json | None = None, annotations: Json | None = None) -> Json:
    template = {
        "metadata": {"annotations": annotations or {}},
        "spec": {"containers": [{"name": name, "image": "x"} for name in containers]},
    }
    return {"metadata": {"namespace": "edge", "name": "one", "uid": "1", "labels": labels or {}}, "spec": {"template": template}}


GATEWAYS = {
    "an application": (deployment(["app"]), False),
    "a gateway that is rendered whole": (deployment(["istio-proxy"]), True),
    "a gateway that injection makes": (deployment(["istio-proxy"], annotations={"inject.istio.io/templates": "gateway"}), True),
    "a gateway among other templates": (deployment(["app"], annotations={"inject.istio.io/templates": "grpc-agent, gateway"}), True),
    "one that Gateway API manages": (deployment(["istio-proxy"], labels={"gateway.istio.io/managed": "istio.io-gateway-controller"}), True),
    "an application that kube-inject has written": (
        deployment(["app", "istio-proxy"], annotations={"sidecar.istio.io/status": '{"revision": "default"}'}),
        False,
    ),
    "an application that sets its own proxy": (deployment(["app", "istio-proxy"]), False),
}


@pytest.mark.parametrize(("item", "gateway"), GATEWAYS.values(), ids=GATEWAYS)
def test_a_gateway_is_told_from_what_has_a_sidecar(item: Json, gateway: bool) -> None:
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
