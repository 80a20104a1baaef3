# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would become of new pods, asked of a real API server and of the stand-in istiod, and who refuses them, in plain words."""

from __future__ import annotations

import base64
import typing as t
from collections.abc import Callable, Mapping

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster as Port
from tests.lab import mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

from .conftest import REVISION, Namespaces, Planes
from .seen import limit_pods, pods
from .tool import Facts, Tool, until

ENABLED = {"istio-injection": "enabled"}
NEW = {"istio.io/rev": REVISION}
API = samples.deployment("api")
NOSUCH = {"inject.istio.io/templates": "nosuch"}
SOON = {"grace_time": 1}
MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
NOWHERE = {"matchLabels": {"kubernetes.io/metadata.name": "nowhere"}}


def found(result: Facts) -> dict[str, tuple[str | None, str | None]]:
    """Revision and form, by workload."""
    assert not result.get("failed"), result["msg"]
    return {one["workload"].partition("/")[2]: (one["revision"], one["sidecar"]) for one in result["workloads"]}


def _of(kind: str, name: str, *, version: str = "apps/v1", **spec: t.Any) -> Json:
    template = samples.deployment(name)["spec"]["template"]
    selector = {"selector": {"matchLabels": {"app": name}}} if version == "apps/v1" else {}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {**selector, "template": template, **spec}}


def _job(name: str) -> Json:
    job = _of("Job", name, version="batch/v1", suspend=True)
    job["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    return job


def _cron_job(name: str) -> Json:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": _job(name)["spec"]["template"]}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


KINDS = {
    "sts/db": ("/apis/apps/v1", "statefulsets", _of("StatefulSet", "db", serviceName="db")),
    "ds/agent": ("/apis/apps/v1", "daemonsets", _of("DaemonSet", "agent")),
    "rs/plain": ("/apis/apps/v1", "replicasets", _of("ReplicaSet", "plain")),
    "rc/old": ("/api/v1", "replicationcontrollers", _of("ReplicationController", "old", version="v1")),
    "job/once": ("/apis/batch/v1", "jobs", _job("once")),
    "cronjob/nightly": ("/apis/batch/v1", "cronjobs", _cron_job("nightly")),
}


def test_every_kind_is_asked_about_both_ways(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Before a label moves, at the new istiod; and what the API server says now. What a controller has made counts as the controller's."""
    container = samples.deployment("container", annotations={"sidecar.istio.io/nativeSidecar": "false"})
    out = samples.deployment("out", labels={"sidecar.istio.io/inject": "false"})
    name = namespaces(ENABLED, [API, container, out])
    for api, plural, one in KINDS.values():
        lab.api.post(f"{api}/namespaces/{name}/{plural}", one)
    before = [pod["metadata"]["name"] for pod in pods(lab, name) if pod["metadata"]["labels"]["app"] in ("api", "container", "out")]

    rehearsed = tool.verb("injection_probe", question="rehearsal", namespaces=[name], revision=REVISION)
    native = {"deploy/api", *KINDS}
    forms = dict.fromkeys(native, "native") | {"deploy/container": "container"}
    assert found(rehearsed) == {**{path: (REVISION, form) for path, form in forms.items()}, "deploy/out": (None, None)}
    assert {one["version"] for one in rehearsed["workloads"] if one["revision"]} == {"1.30.3"}
    assert {one["image"] for one in rehearsed["workloads"] if one["revision"]} == {"docker.io/istio/proxyv2:1.30.3"}

    probed = tool.verb("injection_probe", namespaces=[name])
    assert found(probed) == {**{path: ("default", form) for path, form in forms.items()}, "deploy/out": (None, None)}
    assert probed["judged_as"] == tool.user
    assert f"judged as user {tool.user}" in probed["msg"]
    assert tool.said == [rehearsed["msg"], probed["msg"]], "whoever watches sees it too"
    assert (rehearsed["predicted"], probed["predicted"], tool.writes()) == (False, False, [])
    after = [pod["metadata"]["name"] for pod in pods(lab, name) if pod["metadata"]["labels"]["app"] in ("api", "container", "out")]
    assert after == before, "nothing was stored"


def test_workloads_are_named_as_results_name_them(tool: Tool, namespaces: Namespaces) -> None:
    one, other = namespaces(ENABLED, [API, samples.deployment("worker")]), namespaces({}, [API])
    result = tool.verb("injection_probe", workloads=[f"{one}/deploy/worker", f"{other}/deploy/api"])
    assert [(w["workload"], w["revision"]) for w in result["workloads"]] == [
        (f"{one}/deploy/worker", "default"),
        (f"{other}/deploy/api", None),
    ]
    assert "Some workloads do not exist" in tool.fails("injection_probe", workloads=[f"{one}/deploy/nosuch"])
    assert "NAMESPACE/KIND/NAME" in tool.fails("injection_probe", workloads=["worker"])
    assert "Some namespaces do not exist" in tool.fails("injection_probe", namespaces=["nosuch"])


def test_an_unknown_injection_template_is_found_before_anything_moves(tool: Tool, namespaces: Namespaces) -> None:
    bad = samples.deployment("bad", 0, annotations=NOSUCH)
    name = namespaces(ENABLED, [API, bad])
    said = tool.fails("injection_probe", question="rehearsal", namespaces=[name], revision=REVISION, **SOON)
    assert "New pods of 1 workload would be refused." in said
    assert f"deploy/bad in {name}: webhook istio-sidecar-injector-{REVISION} refuses it" in said
    assert 'requested template "nosuch" not found' in said


def _quota(lab: Cluster, name: str) -> str:
    limit_pods(lab, name, 0)
    return "quota tight does not allow it: exceeded quota: tight, requested: pods=1, used: pods="


def _pod_security(lab: Cluster, name: str) -> str:
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    return "Pod Security restricted:latest does not allow it: "


def _limits(lab: Cluster, name: str) -> str:
    limits = {"metadata": {"name": "small"}, "spec": {"limits": [{"type": "Container", "max": {"cpu": "50m"}}]}}
    lab.api.post(f"/api/v1/namespaces/{name}/limitranges", limits)
    return "a LimitRange does not allow it: "


def _account(lab: Cluster, name: str) -> str:
    patch = {"spec": {"template": {"spec": {"serviceAccountName": "robot"}}}}
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", patch, "application/strategic-merge-patch+json")
    return "its service account robot is not there"


REFUSALS: dict[str, Callable[[Cluster, str], str]] = {
    "a quota": _quota,
    "Pod Security, because of istio-init": _pod_security,
    "a LimitRange, because of the sidecar's resources": _limits,
    "a service account that is not there": _account,
}


@pytest.mark.parametrize("refusing", REFUSALS.values(), ids=REFUSALS)
def test_who_refuses_is_told_in_plain_words(
    lab: Cluster, tool: Tool, namespaces: Namespaces, refusing: Callable[[Cluster, str], str]
) -> None:
    name = namespaces(NEW, [API])
    words = refusing(lab, name)
    said = tool.fails("injection_probe", namespaces=[name], revision=REVISION, **SOON)
    assert "New pods of 1 workload would be refused." in said
    assert f"deploy/api in {name}: {words}" in said
    assert f"by dry runs as user {tool.user}" in said


@pytest.fixture
def policy(lab: Cluster, namespaces: Namespaces) -> t.Iterator[str]:
    """A policy of the cluster's that lets no more than one container into the pods of one namespace; its name."""
    name = namespaces(NEW, [API])
    group = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    validation = {"expression": "!has(object.spec.initContainers)", "message": "no init containers here"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    lab.api.post(f"{group}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": only}
    lab.api.post(f"{group}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    yield name
    for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        lab.api.delete(f"{group}/{kind}/{name}")


def test_a_policy_that_refuses_is_named(lab: Cluster, tool: Tool, policy: str) -> None:
    pods = f"/api/v1/namespaces/{policy}/pods"
    until(lambda: _refused(lab, pods), "the policy, of which an API server learns in its own time")
    said = tool.fails("injection_probe", namespaces=[policy], revision=REVISION, **SOON)
    assert f"deploy/api in {policy}: ValidatingAdmissionPolicy {policy} refuses it: no init containers here" in said


def _refused(lab: Cluster, path: str, annotations: Mapping[str, str] | None = None) -> bool:
    pod = {
        "metadata": {"generateName": "p-", "annotations": dict(annotations or {})},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1"}]},
    }
    try:
        lab.api.post(path, pod, dryRun="All")
    except ApiProblem:
        return True
    return False


@pytest.fixture
def strict(lab: Cluster, namespaces: Namespaces) -> t.Iterator[str]:
    """A namespace with a second webhook, of somebody else, that refuses what is in it, and is called first; its name."""
    name = namespaces({}, [samples.deployment("api", annotations=NOSUCH)])
    entry = lab.api.get(f"{MUTATING}/istio-sidecar-injector-{REVISION}")["webhooks"][0]
    only = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}, "objectSelector": {}}
    lab.api.post(MUTATING, {"metadata": {"name": f"a-{name}"}, "webhooks": [entry | only | {"name": "images.example.com"}]})
    yield name
    lab.api.delete(f"{MUTATING}/a-{name}")


def test_another_webhook_that_refuses_is_named(lab: Cluster, tool: Tool, strict: str) -> None:
    pods = f"/api/v1/namespaces/{strict}/pods"
    until(lambda: _refused(lab, pods, NOSUCH), "the webhook, of which an API server learns in its own time")
    said = tool.fails("injection_probe", namespaces=[strict], **SOON)
    assert f"deploy/api in {strict}: webhook images.example.com refuses it: " in said
    assert "ask the webhook's owner" in said


def test_a_dead_istiod_is_told_both_ways(lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes) -> None:
    planes.append((lab, "dying"))
    mesh.install_istiod(lab, revision="dying")
    mesh.wait_ready(lab, "dying")
    name = namespaces({"istio.io/rev": "dying"}, [API])
    lab.api.patch(f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments/{mesh.release('dying')}/scale", {"spec": {"replicas": 0}})
    gone = f"/api/v1/namespaces/{mesh.NAMESPACE}/pods"
    lab.api.until(gone, lambda left: not left, timeout=30, what="its pods to go", labelSelector="istio.io/rev=dying")
    probed = tool.fails("injection_probe", namespaces=[name], **SOON)
    assert f"deploy/api in {name}: webhook rev.namespace.sidecar-injector.istio.io cannot be called" in probed
    assert "bring what the webhook calls back first" in probed
    rehearsed = tool.fails("injection_probe", question="rehearsal", namespaces=[name], revision="dying", **SOON)
    assert f"deploy/api in {name}: webhook istio-sidecar-injector-dying cannot be called" in rehearsed


def test_what_is_not_there_cannot_be_rehearsed_at(tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [API])
    asked = {"question": "rehearsal", "namespaces": [name], "revision": "nosuch"}
    assert 'There is no injector of revision "nosuch".' in tool.fails("injection_probe", **asked)
    predicted = tool.verb("injection_probe", check_mode=True, version="1.31.0", **asked)
    assert found(predicted) == {"deploy/api": ("nosuch", None)}
    assert predicted["predicted"] is True


def test_in_check_mode_what_has_not_moved_is_predicted_and_the_rest_asked(tool: Tool, namespaces: Namespaces) -> None:
    moved, staying = namespaces(NEW, [API]), namespaces(ENABLED, [API])
    result = tool.verb("injection_probe", check_mode=True, namespaces=[moved, staying], revision=REVISION)
    assert {one["workload"]: (one["revision"], one["sidecar"], one["predicted"]) for one in result["workloads"]} == {
        f"{moved}/deploy/api": (REVISION, "native", False),
        f"{staying}/deploy/api": (REVISION, None, True),
    }
    assert tool.writes() == []


def test_the_answer_and_the_prediction_are_both_told_where_they_differ(
    lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes
) -> None:
    """An istiod whose proxies are of another version than it is itself; and one that takes sidecars away, told before a label moves."""
    planes.append((lab, "picky"))
    never = [{"matchLabels": {"app": "api"}}]
    values = {"sidecarInjectorWebhook": {"neverInjectSelector": never}, "global": {"proxy": {"image": "docker.io/istio/proxyv2:1.28.1"}}}
    mesh.install_istiod(lab, revision="picky", values=values)
    mesh.wait_ready(lab, "picky")
    name = namespaces(ENABLED, [API, samples.deployment("web", 0)])
    told = tool.fails("injection_probe", question="rehearsal", namespaces=[name], revision="picky", **SOON)
    assert f"deploy/api in {name}: no sidecar, and its new pods get that of default today" in told
    both = f"deploy/web in {name}: the sidecar of picky (1.28.1), not of version 1.29.6"
    assert both in told
    other = namespaces({"istio.io/rev": "picky"}, [samples.deployment("web", 0)])
    assert both.replace(name, other) in tool.fails("injection_probe", namespaces=[other], **SOON)


def test_hundreds_of_workloads_in_one_task(lab: Cluster, tool: Tool, namespaces: Namespaces, monkeypatch: pytest.MonkeyPatch) -> None:
    """One list call a kind, and the pods asked about: nothing is read for each of them."""
    names = [namespaces(NEW, [samples.deployment(f"a{number}", 0) for number in range(100)], wait=False) for _three in range(3)]
    account = "/api/v1/serviceaccounts"
    lab.api.until(account, lambda all_: {one["metadata"]["namespace"] for one in all_} >= set(names), timeout=30, what="accounts")
    read: list[str] = []
    send = Port._send

    def counted(port: Port, method: str, path: str, *more: t.Any) -> t.Any:
        if method == "GET":
            read.append(path)
        return send(port, method, path, *more)

    monkeypatch.setattr(Port, "_send", counted)
    rehearsed = tool.verb("injection_probe", question="rehearsal", namespaces=names, revision=REVISION)
    probed = tool.verb("injection_probe", namespaces=names, revision=REVISION)
    for result in (rehearsed, probed):
        assert {(one["revision"], one["sidecar"]) for one in result["workloads"]} == {(REVISION, "native")}
        assert len(result["workloads"]) == 300
    assert len(read) == 26, "each kind once in each of the two, the control planes, and the settings of both of them"


def test_a_control_plane_is_proved_in_a_namespace_of_its_own(lab: Cluster, tool: Tool) -> None:
    result = tool.verb("injection_probe", question="control_plane", revision=REVISION, version="1.30.3")
    assert found(result) == {"deploy/probe": (REVISION, "native")}
    (made, gone) = tool.writes()
    assert made == "create /api/v1/namespaces"
    assert gone.startswith("delete /api/v1/namespaces/meshops-probe-")
    _none_left(lab)
    predicted = tool.verb("injection_probe", check_mode=True, question="control_plane", revision="nosuch", version="1.31.0")
    assert (found(predicted), predicted["predicted"]) == ({"deploy/probe": ("nosuch", None)}, True)
    assert tool.writes() == [made, gone]


def test_what_a_killed_proof_has_left_goes_with_the_next_and_nothing_else(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    left, theirs = (
        namespaces({**NEW, **more}, name=name, wait=False)
        for name, more in (
            ("meshops-probe-0000aa", {"meshops.io/scratch": "injection-probe"}),
            ("meshops-probe-mine", {}),
        )
    )
    result = tool.verb("injection_probe", question="control_plane", revision=REVISION)
    assert result["changed"] is True
    assert f"delete /api/v1/namespaces/{left}" in tool.writes()
    assert "deletionTimestamp" not in lab.api.get(f"/api/v1/namespaces/{theirs}")["metadata"]


def test_a_control_plane_that_cannot_prove_itself_leaves_nothing(lab: Cluster, tool: Tool) -> None:
    wrong = tool.verb("injection_probe", question="control_plane", revision=REVISION, version="1.31.0", **SOON)
    assert wrong["failed"]
    assert "the sidecar of 1-30-3 (1.30.3), not of version 1.31.0" in wrong["msg"]
    _none_left(lab)
    assert 'There is no injector of revision "nosuch".' in tool.fails("injection_probe", question="control_plane", revision="nosuch")


def _none_left(lab: Cluster) -> None:
    scratch = lab.api.get("/api/v1/namespaces", labelSelector="meshops.io/scratch")["items"]
    assert [one["metadata"]["name"] for one in scratch if "deletionTimestamp" not in one["metadata"]] == []


def test_another_root_of_trust_stops_it(lab: Cluster, tool: Tool) -> None:
    """As with a control plane that brings a certificate authority of its own: both injectors show their roots."""
    path = f"{MUTATING}/strange"
    ours = lab.api.get(f"{MUTATING}/istio-sidecar-injector-{REVISION}")
    other = lab.api.get("/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")["data"]["client-ca-file"]
    entry = ours["webhooks"][0] | {
        "clientConfig": {"url": "https://127.0.0.1:1/inject", "caBundle": base64.b64encode(other.encode()).decode()}
    }
    lab.api.post(
        path.rpartition("/")[0],
        {"metadata": {"name": "strange", "labels": {"istio.io/rev": "strange"}}, "webhooks": [entry | {"namespaceSelector": NOWHERE}]},
    )
    try:
        said = tool.fails("injection_probe", question="control_plane", revision=REVISION, from_revision="strange")
        assert f'Control plane "{REVISION}" has another root of trust than control plane strange.' in said
        assert "mutual TLS would fail" in said
        given_out = tool.fails("injection_probe", question="control_plane", revision="strange", from_revision="default")
        assert 'Control plane "strange" has another root of trust than control plane default.' in given_out
    finally:
        lab.api.delete(path)
