# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mesh_info says of a mesh that is well, and of those in which people call for help."""

from __future__ import annotations

import secrets
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster as Port
from tests.lab import istioctl, mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import CHECKOUT, Cluster
from tests.lab.istiod.connected import ABSENT, NACK, STALE
from tests.lab.istiod.connected import FAULT as PROXY_FAULT
from tests.lab.stages import FAULT, NEVER_READY

from .conftest import REVISION, REVISION_VERSION, Namespaces, Planes
from .seen import pods
from .tool import Facts, Tool, until

ENABLED = {"istio-injection": "enabled"}
READABLE = (
    *("namespaces", "pods", "services", "configmaps", "replicationcontrollers", "deployments", "statefulsets", "daemonsets", "replicasets"),
    *("poddisruptionbudgets", "endpointslices", "mutatingwebhookconfigurations", "validatingwebhookconfigurations", "virtualservices"),
)
"""All that a reader of a mesh may list here; a few of Istio's kinds are not among them."""
LEAST = ("namespaces", "pods", "deployments", "statefulsets", "daemonsets", "mutatingwebhookconfigurations")


def named(found: t.Iterable[Json], name: str) -> Json:
    return next(item for item in found if item["name"] == name)


def about(found: Facts, *words: str) -> Json:
    """The one finding that has all of these words."""
    told = [one for one in found["findings"] if all(word in " ".join(map(str, one.values())) for word in words)]
    assert len(told) == 1, found["findings"]
    return t.cast("Json", told[0])


def created(lab: Cluster, name: str, pod: str) -> str:
    """What the API server says to a plain pod: refused, or how many containers it got."""
    body = {"metadata": {"name": pod}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    try:
        made = lab.api.post(f"/api/v1/namespaces/{name}/pods", body, dryRun="All")
    except ApiProblem as problem:
        return f"refused: {problem.message}"
    return "with a sidecar" if "sidecar.istio.io/status" in (made["metadata"].get("annotations") or {}) else "without a sidecar"


def _all_fail(validators: list[Json]) -> bool:
    return all(entry["failurePolicy"] == "Fail" for one in validators for entry in one["webhooks"])


def test_a_mesh_is_told_whole(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Each in the words of what it is: who installed it, whom it calls, and what a new pod would get."""
    unlabelled = namespaces(None, [samples.deployment("asks", labels={"sidecar.istio.io/inject": "true"}), samples.deployment("plain")])
    enabled = namespaces(ENABLED, [samples.deployment("out", labels={"sidecar.istio.io/inject": "false"}), samples.deployment("api", 2)])
    lab.api.until(istioctl.VALIDATING, _all_fail, timeout=30, what="istiod to find its validators working")
    found = tool.verb("mesh_info", gather_subset=["workloads"])
    plane = next(one for one in found["control_planes"] if one["revision"] == REVISION)
    assert (plane["namespace"], plane["name"], plane["version"]) == (mesh.NAMESPACE, f"istiod-{REVISION}", REVISION_VERSION)
    assert (plane["replicas"], plane["ready"], plane["tags"]) == ({"wanted": 1, "ready": 1}, True, [])
    assert (plane["installed_by"], plane["evidence"]) == ("helm", f"annotation meta.helm.sh/release-name=istiod-{REVISION}")
    assert len(plane["ca_roots"]) == 1
    injector = named(found["injectors"], f"istio-sidecar-injector-{REVISION}")
    target = {name: injector[name] for name in ("service", "namespace", "port", "path", "url", "service_exists", "endpoints", "ca")}
    assert target == {
        "service": f"istiod-{REVISION}",
        "namespace": mesh.NAMESPACE,
        "port": 443,
        "path": "/inject",
        "url": None,
        "service_exists": True,
        "endpoints": 1,
        "ca": True,
    }
    assert [entry["rules"] for entry in injector["entries"]] == [["CREATE v1 pods"]] * 2
    assert (injector["default"], injector["legacy"], injector["disabled"]) == (False, False, False)
    validator = named(found["validators"], "istiod-default-validator")
    assert (validator["default"], validator["service"], validator["failure_policy"]) == (True, "istiod", "Fail")
    workloads = {one["path"]: (one["asks"], one["gets"], one["sidecar"], one["pods"], one["versions"]) for one in found["workloads"]}
    assert workloads[f"{unlabelled}/deploy/asks"] == ("in", "default", "native", 1, {"1.29.6": 1})
    assert workloads[f"{unlabelled}/deploy/plain"] == ("default", None, None, 1, {})
    assert workloads[f"{enabled}/deploy/out"] == ("out", None, None, 1, {})
    assert workloads[f"{enabled}/deploy/api"] == ("default", "default", "native", 2, {"1.29.6": 2})
    assert (tool.writes(), found["unknown"]) == ([], [])


def test_less_is_read_where_less_is_asked_for(tool: Tool) -> None:
    assert "workloads" not in tool.verb("mesh_info", gather_subset=["!all"])
    assert "injectors" not in tool.verb("mesh_info", gather_subset=["workloads", "!min"])
    assert "choose from all, min, workloads" in tool.fails("mesh_info", gather_subset=["pods"])


def test_gateways_are_told_apart(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    made = samples.deployment("edge", annotations={"inject.istio.io/templates": "gateway"})
    name = namespaces(ENABLED, [samples.gateway("whole"), samples.gateway("managed", managed=True), made])
    found = tool.verb("mesh_info")
    told = {one["name"]: (one["type"], one["proxies"], one["gets"]) for one in found["gateways"] if one["namespace"] == name}
    assert told == {
        "whole": ("rendered", {"default": 1}, None),
        "managed": ("gateway-api", {"default": 1}, None),
        "edge": ("injected", {"default": 1}, "default"),
    }
    assert not [one for one in found["workloads"] if one["namespace"] == name]


def test_what_an_uninstalled_control_plane_leaves_is_named(lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes) -> None:
    """A tag that a user made dangles, and whoever asked for the revision gets nothing: analyze says not a word of either (recorded, C)."""
    gone, tag = f"r{secrets.token_hex(3)}", f"t{secrets.token_hex(3)}"
    planes.append((lab, gone))
    mesh.install_istiod(lab, gone)
    mesh.wait_ready(lab, gone)
    istioctl.tag_set(lab, tag, gone)
    try:
        pay = namespaces({"istio.io/rev": gone}, [samples.deployment("api")])
        shop = namespaces({"istio.io/rev": tag}, [samples.deployment("web")])
        mesh.uninstall(lab, gone)
        # What is on its way out may answer for a moment still
        until(lambda: created(lab, pay, "new") == "without a sidecar", "the webhook to be gone")
        until(lambda: f'service "istiod-{gone}" not found' in created(lab, shop, "new"), "the Service to be gone")
        found = tool.verb("mesh_info")
        refused = about(found, f'Tag "{tag}" cannot be called')
        assert refused["where"] == f"MutatingWebhookConfiguration istio-revision-tag-{tag}; namespaces {shop}"
        assert f"Service {mesh.NAMESPACE}/istiod-{gone} does not exist" in refused["why"]
        assert f"revision_tag with tag={tag}" in refused["do"]
        silent = about(found, f"istio.io/rev={gone}", "which nobody serves")
        assert pay in silent["where"]
        assert shop not in silent["where"]
        assert f"the sidecars of {pay}/deploy/api go with the next restart" in silent["why"]
        deserted = about(found, f'Proxies of "{gone}" run on without a control plane')
        assert deserted["where"] == f"{pay}/deploy/api, {shop}/deploy/web"
        said = " ".join(" ".join(found["report"]).split())
        for one in (refused, silent, deserted):
            assert " ".join(f"{one['weight']}: {one['what']} where: {one['where']}".split()) in said
        told = found["report"][next(n for n, line in enumerate(found["report"]) if line.startswith("warning")) :]
        assert max(map(len, told)) <= 100
    finally:
        for folder in (istioctl.MUTATING, f"/api/v1/namespaces/{mesh.NAMESPACE}/services"):
            for one in lab.api.get(folder, labelSelector=f"istio.io/tag={tag}")["items"]:
                lab.api.delete(f"{folder}/{one['metadata']['name']}")


def test_an_injection_label_that_nobody_serves_is_named_with_its_cause(
    lab: Cluster, tool: Tool, namespaces: Namespaces, as_it_was: None
) -> None:
    """The injector is disabled, as istioctl does it, and the default tag that should stand in its place is gone."""
    name = namespaces(ENABLED, [samples.deployment("api")])
    injector = lab.api.get(f"{istioctl.MUTATING}/istio-sidecar-injector")
    for entry in injector["webhooks"]:
        entry |= {"namespaceSelector": istioctl.NEVER, "objectSelector": istioctl.NEVER}
    lab.api.put(f"{istioctl.MUTATING}/istio-sidecar-injector", injector)
    found = tool.verb("mesh_info")
    silent = about(found, "Namespaces ask for sidecars by istio-injection=enabled, which nobody serves")
    assert name in silent["where"]
    assert "is disabled, and there is no default tag in its place" in silent["why"]
    assert f"{name}/deploy/api" in silent["why"]
    about(found, 'The injector of "default" is disabled, and nothing stands in its place', "istio-sidecar-injector")


def test_a_validator_that_points_nowhere_is_named_by_what_it_does(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    """It is of a revision that is not there, so that no istiod mends it (recorded, I and J)."""
    path = f"{istioctl.VALIDATING}/istiod-default-validator"
    validator = lab.api.get(path)
    validator["metadata"]["labels"]["istio.io/rev"] = "nosuch"
    for policy, effect in (("Ignore", "are stored without being judged"), ("Fail", "are refused")):
        for entry in validator["webhooks"]:
            entry["clientConfig"]["service"]["name"] = "nosuch"
            entry["failurePolicy"] = policy
        validator = lab.api.put(path, validator)
        told = about(tool.verb("mesh_info", gather_subset=["min"]), f"Objects of Istio {effect}", "istiod-default-validator")
        assert f"Service {mesh.NAMESPACE}/nosuch, which does not exist" in told["why"]
        assert "validator_only=true" in told["do"]


def test_an_unrevisioned_installation_by_istioctl_is_well_and_told(other_lab: Cluster, tmp_path: Path) -> None:
    """It has two injectors, of which one is disabled (recorded, D): who does not know that, removes the one that does the work."""
    found = Tool(other_lab, tmp_path).verb("mesh_info")
    assert [(one["name"], one["default"], one["disabled"]) for one in found["injectors"]] == [
        (istioctl.DEFAULT_TAG, True, False),
        ("istio-sidecar-injector", False, True),
    ]
    assert [(one["revision"], one["tags"], one["installed_by"]) for one in found["control_planes"]] == [
        ("default", ["default"], "istioctl")
    ]
    assert [one["weight"] for one in found["findings"]] == ["note"]
    assert "tag default is istio-revision-tag-default" in about(found, "the default tag does its work")["where"]
    assert len(pods(other_lab, "shop")) == 1


# what is asked for only on request


def syncz(lab: Cluster, revision: str = "default") -> Json:
    """The first pod of a revision's istiod."""
    found = lab.api.get(f"/api/v1/namespaces/{mesh.NAMESPACE}/pods", labelSelector=f"app=istiod,istio.io/rev={revision}")["items"]
    return t.cast("Json", found[0])


# It asks once more with validate_certs: false, of which urllib3 warns
@pytest.mark.filterwarnings("ignore:Unverified HTTPS request:urllib3.exceptions.InsecureRequestWarning")
def test_all_is_told_on_request(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Each control plane's own word for its version, its mesh config, who is connected, and objects that only one of them reads."""
    name = namespaces({"istio.io/rev": REVISION}, [samples.deployment("api", 2)])
    services = f"/apis/networking.istio.io/v1/namespaces/{name}/virtualservices"
    kind = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    for label in (REVISION, "nosuch"):
        labels = {"name": f"for-{label}", "labels": {"istio.io/rev": label}}
        lab.api.post(
            services, {**kind, "metadata": labels, "spec": {"hosts": ["api"], "http": [{"route": [{"destination": {"host": "api"}}]}]}}
        )
    lab.api.until(f"/api/v1/namespaces/{name}/pods", lambda found: len(found) == 2, timeout=30, what="its pods")
    found = tool.verb("mesh_info", gather_subset=["all"])
    plane = next(one for one in found["control_planes"] if one["revision"] == REVISION)
    assert plane["reported_versions"] == {REVISION_VERSION: 1}
    assert (plane["mesh_config"]["trust_domain"], plane["mesh_config"]["discovery_selectors"]) == ("cluster.local", [])
    assert plane["mesh_config"]["discovery_address"] == f"istiod-{REVISION}.{mesh.NAMESPACE}.svc:15012"
    assert named(found["namespaces"], name)["discovered_by"] == [one["revision"] for one in found["control_planes"]]
    assert found["trusted_roots"] == plane["ca_roots"]
    objects = {one["name"]: (one["resource"], one["read_by"]) for one in found["objects"] if one["namespace"] == name}
    resource = "virtualservices.networking.istio.io"
    assert objects == {f"for-{REVISION}": (resource, REVISION), "for-nosuch": (resource, None)}
    assert f"{name}/{resource}/for-nosuch (nosuch)" in about(found, "Objects of Istio are read by no control plane")["where"]
    heard = next(one for one in found["connections"] if one["revision"] == REVISION)
    assert (heard["read"], heard["versions"]) == (True, {REVISION_VERSION: heard["proxies"]})
    assert heard["proxies"] >= 2
    assert not [one for one in found["disagreements"] if one["namespace"] == name]
    assert (tool.writes(), found["unknown"]) == ([], [])
    unchecked = tool.verb("mesh_info", gather_subset=["!all", "connections"], validate_certs=False)
    assert all(one["read"] for one in unchecked["connections"]), "commands in pods go by the same login and trust as all requests"


def test_what_istiods_say_is_held_against_what_pods_say(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """One that no istiod knows, one that refuses its configuration, one that lags behind, and one whose annotations are two stories."""
    faults = {"lost": ABSENT, "no": NACK, "late": STALE, "well": ""}
    name = namespaces(ENABLED, [samples.deployment(app, annotations={PROXY_FAULT: fault}) for app, fault in faults.items()])
    well = next(pod for pod in pods(lab, name) if pod["metadata"]["name"].startswith("well"))
    other = {"metadata": {"annotations": {"istio.io/rev": REVISION}}}
    lab.api.patch(f"/api/v1/namespaces/{name}/pods/{well['metadata']['name']}", other)
    found = tool.verb("mesh_info", gather_subset=["workloads", "connections"])
    said = {one["path"].rpartition("/")[2]: one for one in found["disagreements"] if one["namespace"] == name}
    assert {app: one["against"] for app, one in said.items()} == {"lost": ["connection"], "well": ["status", "connection", "prediction"]}
    assert (said["lost"]["connected"], said["lost"]["revision"]) == ("not connected", "default")
    assert (said["well"]["status"], said["well"]["revision"]) == ("default", REVISION)
    assert f"{name}/no-" in about(found, "Proxies refuse the configuration")["where"]
    assert f"{name}/late-" in about(found, "had not taken the newest configuration yet")["where"]
    report = " ".join(" ".join(found["report"]).split())
    assert "what is told of these pods does not agree:" in report
    sentence = f"{name}/deploy/lost ({said['lost']['pods'][0]}): the sidecar is of default; no istiod knows it"
    assert sentence in report
    assert sentence not in tool.play("status").succeeded().said, "nobody has asked istiods"
    assert sentence in tool.play("status", mesh_gather_subset=["all"]).succeeded().said


def as_a_reader(tool: Tool, resources: t.Iterable[str]) -> Facts:
    """All of mesh_info, by a user who may get and list only these."""
    api, rights = tool.lab.api, "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["*"], "resources": list(resources), "verbs": ["get", "list"]}]
    subjects = [{"apiGroup": rights, "kind": "User", "name": tool.user}]
    role = {"apiGroup": rights, "kind": "ClusterRole", "name": tool.user}
    api.post(f"{istioctl.RIGHTS}/clusterroles", {"metadata": {"name": tool.user}, "rules": rules})
    api.post(f"{istioctl.RIGHTS}/clusterrolebindings", {"metadata": {"name": tool.user}, "roleRef": role, "subjects": subjects})
    may = {"spec": {"user": tool.user, "resourceAttributes": {"verb": "list", "resource": "namespaces"}}}
    until(lambda: bool(api.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", may)["status"]["allowed"]), "the right to look")
    try:
        found = tool.verb("mesh_info", gather_subset=["all"], impersonate_groups=["readers"])
    finally:
        api.delete(f"{istioctl.RIGHTS}/clusterrolebindings/{tool.user}")
        api.delete(f"{istioctl.RIGHTS}/clusterroles/{tool.user}")
    assert not found.get("failed"), found["msg"]
    return found


def test_who_may_not_run_commands_is_told_that_connections_are_not_known(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """And nobody is called cut off for it."""
    name = namespaces(ENABLED, [samples.deployment("lost", annotations={PROXY_FAULT: ABSENT})])
    found = as_a_reader(tool, READABLE)
    pod = syncz(lab)["metadata"]["name"]
    assert any(f"{mesh.NAMESPACE}/{pod}: its connections could not be read" in one and "pods/exec" in one for one in found["unknown"])
    assert any(f"{mesh.NAMESPACE}/{pod}: its version could not be asked" in one for one in found["unknown"])
    assert not [one for one in found["disagreements"] if one["namespace"] == name]
    assert [one["proxies"] for one in found["connections"]] == [None] * len(found["connections"])


def test_who_may_see_little_is_told_what_is_not_known_and_nothing_that_is_not_so(tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    found = as_a_reader(tool, LEAST)
    assert named(found["namespaces"], name)["injectors"] == ["istio-sidecar-injector"]
    assert (found["validators"], found["trusted_roots"], found["objects"]) == (None, None, [])
    assert {(one["service_exists"], one["endpoints"]) for one in found["injectors"]} == {(None, None)}
    for what in (
        "ValidatingWebhookConfiguration: this user may not list any",
        f"ConfigMap meshops-upgrade in namespace {mesh.NAMESPACE}: this user may not see it",
        f"Services and EndpointSlices in namespace {mesh.NAMESPACE}",
        "ConfigMap istio: it could not be read",
        "ConfigMap istio-ca-root-cert",
        "virtualservices.networking.istio.io: this user may not list any",
        "ReplicaSet: this user may not list any",
    ):
        assert [one for one in found["unknown"] if what in one], (what, found["unknown"])
    assert "whether an upgrade is on record is not known" in found["report"][0]
    assert not [one for one in found["findings"] if name in one["where"]]


def test_an_istiod_that_does_not_answer_is_not_taken_for_one_without_proxies(
    lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes
) -> None:
    silent = f"r{secrets.token_hex(3)}"
    planes.append((lab, silent))
    mesh.install_istiod(lab, silent, values={"pilot": {"podAnnotations": {FAULT: NEVER_READY}}})
    path = f"/api/v1/namespaces/{mesh.NAMESPACE}/pods"
    lab.api.until(
        path, lambda found: bool(found) and "podIP" in found[0]["status"], timeout=30, what="pod", labelSelector=f"istio.io/rev={silent}"
    )
    name = namespaces(ENABLED, [samples.deployment("lost", annotations={PROXY_FAULT: ABSENT})])
    found = tool.verb("mesh_info", gather_subset=["workloads", "connections"])
    assert any("its connections could not be read" in one and silent in one for one in found["unknown"]), found["unknown"]
    assert not [one for one in found["disagreements"] if one["namespace"] == name]


def test_the_examples_of_the_filter_run(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """On a wave that has just moved: both workloads are stale, and nothing is orphaned."""
    cart, checkout = (namespaces(ENABLED, [samples.deployment("api")]) for _number in range(2))
    for name in (cart, checkout):
        lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": REVISION}}})
    text = yaml.safe_load((CHECKOUT / "plugins" / "filter" / "workloads.yml").read_text())["EXAMPLES"]
    for name, here in (("cart", cart), ("checkout", checkout), ("~/.kube/eu-1", str(lab.kubeconfig))):
        text = text.replace(name, here)
    (tool.folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": yaml.safe_load(text)}]))
    said = tool.run(["ansible-playbook", "play.yml"]).succeeded().text
    assert f"{cart}/deploy/api" in said
    assert f"{checkout}/deploy/api" in said


PARTS = [["!all"], ["workloads"], ["all"]]


def test_requests_grow_neither_with_namespaces_nor_with_pods(
    lab: Cluster, tool: Tool, namespaces: Namespaces, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With control planes, their pods and kinds only; a command in a pod is none of these requests, and one for each pod of istiod."""
    asked: list[str] = []
    send = Port._send

    def counted(self: Port, method: str, path: str, *rest: t.Any) -> t.Any:
        asked.append(f"{method} {path}")
        return send(self, method, path, *rest)

    monkeypatch.setattr(Port, "_send", counted)

    def requests(parts: list[str]) -> list[str]:
        asked.clear()
        assert not tool.verb("mesh_info", gather_subset=parts).get("failed")
        return sorted(asked)

    requests(["all"])  # an API server that has new kinds says of each "later" (429) at first
    before = [requests(parts) for parts in PARTS]
    for _number in range(3):
        namespaces(ENABLED, [samples.deployment(name, 2) for name in ("one", "two")])
    after = [requests(parts) for parts in PARTS]
    assert after == before
    assert len(before[0]) <= 16, before[0]
