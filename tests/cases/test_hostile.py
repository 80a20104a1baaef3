# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is strange in a cluster, as far as a real API server lets it in; what this user may not see; and how often it is asked."""

from __future__ import annotations

import contextlib
import typing as t
from collections import Counter
from collections.abc import Iterator

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import cluster as port
from tests.lab import istioctl, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster

from .conftest import REVISION, Namespaces
from .tool import Facts, Tool

APPS, CORE = "apps", ""
LISTED = {
    CORE: ("namespaces", "pods", "services", "configmaps", "replicationcontrollers"),
    APPS: ("deployments", "statefulsets", "daemonsets", "replicasets"),
    "policy": ("poddisruptionbudgets",),
    "discovery.k8s.io": ("endpointslices",),
    "admissionregistration.k8s.io": ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
}


@contextlib.contextmanager
def reader(lab: Cluster, user: str, without: str) -> Iterator[None]:
    """A user who may read all that mesh_info reads, but for one kind."""
    rules = [
        {"apiGroups": [group], "resources": [kind for kind in kinds if kind != without], "verbs": ["get", "list"]}
        for group, kinds in LISTED.items()
    ]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": user}
    who = [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]
    lab.api.post(f"{istioctl.RIGHTS}/clusterroles", {"metadata": {"name": user}, "rules": rules})
    lab.api.post(f"{istioctl.RIGHTS}/clusterrolebindings", {"metadata": {"name": user}, "roleRef": role, "subjects": who})
    try:
        yield
    finally:
        lab.api.delete(f"{istioctl.RIGHTS}/clusterrolebindings/{user}")
        lab.api.delete(f"{istioctl.RIGHTS}/clusterroles/{user}")


def of(found: Facts, namespace: str) -> list[Json]:
    return [one for one in found["workloads"] if one["namespace"] == namespace]


def test_what_this_user_may_not_list_is_unknown(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(samples.INJECTED, [samples.deployment("api")])
    with reader(lab, tool.user, without="pods"):
        found = tool.verb("mesh_info", impersonate_groups=["readers"])
    (api,) = of(found, name)
    assert (api["standing"], api["gets"]) == ("unknown", "default")
    assert [api[one] for one in ("pods", "proxies", "versions", "sidecar", "stale")] == [None] * 5
    assert any(one.startswith("Pod: this user may not list any") for one in found["unknown"]), found["unknown"]
    row = next(line for line in found["report"] if line.startswith(name))
    assert row.split() == [name, "istio-injection=enabled", "default", "1", "?", "?"]


def test_control_planes_that_cannot_be_seen_are_not_taken_for_gone(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(samples.INJECTED, [samples.deployment("api")])
    with reader(lab, tool.user, without="deployments"):
        found = tool.verb("mesh_info", impersonate_groups=["readers"])
    assert any(one.startswith("Deployment: this user may not list any") for one in found["unknown"]), found["unknown"]
    assert "control planes: not known, since this user may not list Deployments" in found["report"]
    assert not [one for one in found["findings"] if "without a control plane" in one["what"]]
    (api,) = of(found, name)
    assert (api["name"], api["proxies"]) == ("api", {"default": 1}), "its pods tell of it"


def test_without_what_all_depends_on_the_missing_right_is_named(lab: Cluster, tool: Tool) -> None:
    for kind in ("namespaces", "mutatingwebhookconfigurations"):
        with reader(lab, tool.user, without=kind):
            told = tool.fails("mesh_info", impersonate_groups=["readers"])
        assert "is forbidden" in told, told
        assert f'cannot list resource "{kind}"' in told, told


JUNK = '{"name": ["名前", null' * 8000
"""200 KB of what looks like JSON and is none."""


def strange() -> Iterator[tuple[str, Json]]:
    """Paths within a namespace, and what a real API server takes there."""
    notes = {"sidecar.istio.io/status": "{not json", "istio.io/rev": "", "example.com/big": "большой" * 1000}
    proxy = {"name": "istio-proxy", "image": "istio/proxyv2@sha256:" + "0" * 64, "env": [{"name": "PROXY_CONFIG", "value": "{"}]}
    app = {"name": "app", "image": "app"}
    for name, said in {"junk": notes, "long": {"sidecar.istio.io/status": JUNK}}.items():
        yield "/api/v1/namespaces/{}/pods", {"metadata": {"name": name, "annotations": said}, "spec": {"containers": [app, proxy]}}
    item = samples.deployment("api", annotations={"kubectl.kubernetes.io/restartedAt": "昨日", "proxy.istio.io/config": JUNK[:1000]})
    item["metadata"]["annotations"] = {"meshops.io/prior-restart": '{"stamp": 5}'}
    yield "/apis/apps/v1/namespaces/{}/deployments", item
    yield "/apis/policy/v1/namespaces/{}/poddisruptionbudgets", {"metadata": {"name": "none"}, "spec": {"maxUnavailable": "0%"}}


@pytest.fixture
def theirs(lab: Cluster, tool: Tool) -> Iterator[None]:
    """Webhooks of other products: one without entries, one whose entry has nothing but what is required."""
    folder = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
    least = {
        "name": "a.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    made = {f"{tool.user}-empty": None, f"{tool.user}-least": [least]}
    for name, webhooks in made.items():
        lab.api.post(folder, {"metadata": {"name": name, "labels": {"istio.io/rev": "theirs"}}, "webhooks": webhooks})
    yield
    for name in made:
        lab.api.delete(f"{folder}/{name}")


def test_what_is_strange_in_a_cluster_is_read_as_far_as_it_goes(lab: Cluster, tool: Tool, namespaces: Namespaces, theirs: None) -> None:
    name = namespaces()
    for path, item in strange():
        lab.api.post(path.format(name), item)
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"annotations": {"meshops.io/prior-injection": "[1, 2"}}})
    found = tool.verb("mesh_info")
    assert not found.get("failed"), found
    proxies = {one["name"]: (one["proxies"], one["versions"]) for one in of(found, name) if one["kind"] == "Pod"}
    assert proxies == {"junk": ({"unknown": 1}, {"unknown": 1}), "long": ({"unknown": 1}, {"unknown": 1})}
    assert not [one for one in found["injectors"] if tool.user in one["name"]]
    plan = tool.verb("upgrade_plan", revision=REVISION, from_revision="default", waves=[[name]])
    assert plan.get("error", {}).get("kind") != "unexpected", plan
    assert name in str(plan)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the port sends, by method and path."""
    sent: list[str] = []
    send = port.Cluster._send

    def counted(self: port.Cluster, method: str, path: str, *rest: t.Any) -> t.Any:
        sent.append(f"{method} {path}")
        return send(self, method, path, *rest)

    monkeypatch.setattr(port.Cluster, "_send", counted)
    return sent


def test_requests_grow_with_pages_and_with_nothing_else(
    lab: Cluster, tool: Tool, namespaces: Namespaces, requests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = namespaces(samples.INJECTED)

    def asked() -> dict[str, list[str]]:
        found = {}
        options = {"revision": REVISION, "from_revision": "default", "waves": [[first]]}
        for verb, more in (("mesh_info", {}), ("upgrade_plan", options)):
            requests.clear()
            tool.verb(verb, **more)
            found[verb] = sorted(requests)
        return found

    asked()  # an API server that has new kinds says of each "later" (429) at first
    few = asked()
    for _number in range(10):
        name = namespaces()
        for number in range(30):
            spec = {"containers": [{"name": "app", "image": "app"}], "schedulingGates": [{"name": "never.example.com/run"}]}
            lab.api.post(f"/api/v1/namespaces/{name}/pods", {"metadata": {"name": f"pod-{number}"}, "spec": spec})
    assert asked() == few, "300 pods in 10 namespaces more"
    monkeypatch.setattr(port, "PAGE", 150)
    for verb, more in asked().items():
        pages = Counter(more) - Counter(few[verb])
        assert set(pages) == {"GET /api/v1/pods"}, verb
        assert 2 <= pages["GET /api/v1/pods"] <= 4, verb
