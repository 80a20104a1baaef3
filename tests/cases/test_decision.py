# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of new pods, against what they come to when the API server is asked: a mesh with settings of every kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.lab import istioctl, mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

from .conftest import REVISION as NEW
from .conftest import Namespaces, Planes
from .test_info import READABLE
from .tool import Tool

STRICT = "strict"
VALUES: Json = {
    "global": {"proxy": {"autoInject": "disabled"}},
    "sidecarInjectorWebhook": {
        "alwaysInjectSelector": [{"matchLabels": {"role": "edge"}}, {}],
        "neverInjectSelector": [{"matchExpressions": [{"key": "role", "operator": "In", "values": ["batch"]}]}],
        "templates": {"mine": ""},
    },
}
INJECT, REVISION, TEMPLATES = "sidecar.istio.io/inject", "istio.io/rev", "inject.istio.io/templates"
OF_NAMESPACES: tuple[dict[str, str], ...] = (
    {},
    {"istio-injection": "enabled"},
    {"istio-injection": "enabled", REVISION: STRICT},
    {"istio-injection": "disabled", REVISION: STRICT},
    {REVISION: STRICT},
    {REVISION: "nosuch"},
)
OF_PODS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "plain": ({}, {}),
    "yes": ({INJECT: "true"}, {}),
    "no": ({INJECT: "false"}, {}),
    "no-by-annotation": ({}, {INJECT: "false"}),
    "yes-by-annotation": ({}, {INJECT: "true"}),
    "a-word": ({INJECT: "off"}, {}),
    "edge": ({"role": "edge"}, {}),
    "edge-no": ({"role": "edge"}, {INJECT: "false"}),
    "batch": ({"role": "batch"}, {}),
    "batch-yes": ({"role": "batch", INJECT: "true"}, {}),
    "rev": ({REVISION: STRICT, INJECT: "true"}, {}),
    "mine": ({INJECT: "true"}, {TEMPLATES: "sidecar,mine"}),
    "template": ({INJECT: "true"}, {TEMPLATES: "nosuch"}),
    "quantity": ({INJECT: "true"}, {"sidecar.istio.io/proxyCPU": "lots"}),
    "node": ({INJECT: "true"}, {}),
}
ON_THE_NODE = "node"


@pytest.fixture
def strict(lab: Cluster, planes: Planes) -> None:
    planes.append((lab, STRICT))
    mesh.install_istiod(lab, revision=STRICT, values=VALUES)
    mesh.wait_ready(lab, STRICT)


def of_template(lab: Cluster, namespace: str, template: Json) -> tuple[str, str | None]:
    """What the API server makes of a pod: its outcome and its revision."""
    body = template | {"metadata": template["metadata"] | {"generateName": "asked-"}}
    try:
        made = lab.api.post(f"/api/v1/namespaces/{namespace}/pods", body, dryRun="All")
    except ApiProblem as problem:
        return "refused", problem.message
    revision = (made["metadata"].get("annotations") or {}).get(REVISION)
    return ("sidecar", revision) if revision else ("none", None)


def workloads() -> list[Json]:
    found = [samples.deployment(name, 0, labels=labels, annotations=annotations) for name, (labels, annotations) in OF_PODS.items()]
    for one in found:
        one["spec"]["template"]["spec"]["hostNetwork"] = one["metadata"]["name"] == ON_THE_NODE
    return found


def test_what_is_told_of_new_pods_is_what_they_come_to(lab: Cluster, tool: Tool, namespaces: Namespaces, strict: None) -> None:
    there = [namespaces(labels, workloads()) for labels in OF_NAMESPACES]
    told = {(one["namespace"], one["name"]): one for one in tool.verb("mesh_info")["workloads"]}
    wrong = []
    for (name, labels), one in itertools.product(zip(there, OF_NAMESPACES, strict=True), workloads()):
        said = told[name, one["metadata"]["name"]]
        outcome, revision = of_template(lab, name, one["spec"]["template"])
        if said["outcome"] != outcome or (outcome != "refused" and said["gets"] != revision):
            wrong.append(f"{labels}, {one['metadata']['name']}: {said['why']}; it came to {outcome}, {revision}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(OF_NAMESPACES) * len(OF_PODS)} are told otherwise:", *wrong])
    assert {one["outcome"] for one in told.values()} >= {"sidecar", "none", "refused"}


@pytest.fixture
def reader(lab: Cluster, tool: Tool) -> Iterator[dict[str, object]]:
    """A user that may read all but the ConfigMaps of control planes: the login's options."""
    may = [name for name in READABLE if name != "configmaps"]
    rules = [
        {"apiGroups": ["*"], "resources": may, "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["meshops-upgrade"], "verbs": ["get"]},
    ]
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": tool.user}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": tool.user}
    lab.api.post(f"{istioctl.RIGHTS}/clusterroles", {"metadata": {"name": tool.user}, "rules": rules})
    lab.api.post(f"{istioctl.RIGHTS}/clusterrolebindings", {"metadata": {"name": tool.user}, "roleRef": role, "subjects": [subject]})
    yield {"impersonate_groups": ["readers"]}
    for kind in ("clusterrolebindings", "clusterroles"):
        lab.api.delete(f"{istioctl.RIGHTS}/{kind}/{tool.user}")


def test_who_may_not_see_the_settings_is_told_that_nothing_is_known(
    lab: Cluster, tool: Tool, namespaces: Namespaces, reader: dict[str, object]
) -> None:
    """Neither stale nor orphaned, and not restarted: it could be either."""
    name = namespaces({"istio-injection": "enabled"}, [samples.deployment("api")])
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, REVISION: NEW}}})
    found = tool.verb("mesh_info", **reader)
    (told,) = [one for one in found["workloads"] if one["namespace"] == name]
    assert (told["outcome"], told["gets"], told["standing"], told["stale"]) == ("unknown", None, "unknown", False)
    assert f"cannot be seen (ConfigMap istio-sidecar-injector-{NEW})" in told["why"]
    done = tool.verb("workload_restart", check_mode=True, namespaces=[name], **reader)
    assert (done["changed"], done["restarted"]) == (False, [])
    assert any(f"deploy/api in {name} is not restarted" in warning for warning in done["warnings"]), done
    assert tool.changes("workload_restart", check_mode=True, namespaces=[name]), "who may see them is told that it is stale"
