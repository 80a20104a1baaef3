# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's stand-in for istiod against what real ones answered: a disagreement is a bug of the stand-in.

With MESH_RECORDINGS, a folder of recordings, against all of them; without, against the figures that were drawn from them.
"""

from __future__ import annotations

import ast
import base64
import json
from collections import Counter
from pathlib import Path

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import json_patch
from tests.lab.api import Json
from tests.lab.istiod import admission
from tests.lab.istiod.connected import ABSENT, FAULT, NACK, connected
from tests.lab.istiod.decision import Policy, injects
from tests.lab.istiod.native import native
from tests.lab.istiod.patch import CONFIG, NATIVE, REVISION, STATUS, TEMPLATES, Injection, Refused, injected
from tests.lab.istiod.selectors import asked
from tests.lab.istiod.settings import Identity, Settings
from tests.unit.figures.table import Decision, Figures

LAB = Path(__file__).parents[1] / "lab"
OLD = Injection("1-29-6", "1.29.6", image="docker.io/istio/proxyv2:1.29.6")


def test_it_decides_as_real_ones_do(figures: Figures) -> None:
    wrong = [f"{one.text}: {told}" for one in figures.decisions if (told := _difference(one, figures))]
    assert not wrong, "\n".join(wrong)


def _difference(said: Decision, figures: Figures) -> str:
    """Empty where both stages come out as recorded."""
    pod = _pod(said.pod.get("labels") or {}, said.pod.get("annotations") or {})
    pod["spec"]["hostNetwork"] = said.pod.get("hostNetwork", False)
    namespace = {"metadata": {"name": "recorded", "labels": said.namespace}}
    there = sorted(figures.webhooks[said.state], key=lambda item: str(item["metadata"]["name"]))
    called = Counter(asked(there, namespace, pod))
    versions, configs = figures.versions[said.state], figures.configs[said.state]
    injecting = [one for one in called if injects(versions[one], _policy(configs[one]), "recorded", pod)]
    revision = injecting[-1] if injecting else None
    return "" if (called, revision) == (said.asked, said.revision) else f"asked {dict(called)}, injected by {revision}; recorded {said}"


def _policy(config: Json) -> Policy:
    return Policy(config["policy"] == "enabled", tuple(config["neverInjectSelector"]), tuple(config["alwaysInjectSelector"]))


def test_it_leaves_on_a_pod_what_real_ones_leave(figures: Figures) -> None:
    for name, said in figures.pods.items():
        version = name.split()[0]
        injection = Injection(version.replace(".", "-"), version, image=f"docker.io/istio/proxyv2:{version}")
        given = {key: said["annotations"][key] for key in (NATIVE, TEMPLATES) if key in said["annotations"]}
        pod = _pod({"app": said["labels"]["app"]}, given)
        after = injected(pod, injection, native=native(pod, version, {}, {"node": "v1.36.3"}))
        assert _told(after) == said, name


def test_what_it_refuses_it_refuses_in_the_same_words(figures: Figures) -> None:
    given = {
        "1.30.3 annotation inject.istio.io/templates names an unknown template": {TEMPLATES: "nosuch"},
        "1.30.3 annotation sidecar.istio.io/proxyCPU is no quantity": {"sidecar.istio.io/proxyCPU": "lots"},
    }
    templates = ("waypoint", "agentgateway", "gateway", "grpc-agent", "grpc-simple", "kube-gateway", "sidecar")
    injection = Injection("1-30-3", "1.30.3", templates=templates)
    istiods = {name: message for name, message in figures.refusals.items() if "denied the request" in message}
    assert istiods.keys() == given.keys()
    for name, message in istiods.items():
        with pytest.raises(Refused) as refused:
            injected(_pod({}, given[name]), injection, native=False)
        assert message.endswith(f"denied the request: {refused.value}"), name


CONFIGS = {
    "{": "yaml: line 1: did not find expected node content",
    "[]": "json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
    "text": "json: cannot unmarshal string into Go value of type map[string]json.RawMessage",
    "holdApplicationUntilProxyStarts: true": "",
    "nosuchField: 1": "",
    "": "",
}
"""What real 1.29.6 and 1.30.3 said to a proxy.istio.io/config on 2026-11-26; nothing where they injected."""


@pytest.mark.parametrize("given", CONFIGS)
def test_a_proxy_config_that_is_none_is_refused_in_the_same_words(given: str) -> None:
    told = ""
    try:
        injected(_pod({}, {CONFIG: given}), OLD, native=False)
    except Refused as refused:
        told = str(refused)
    why = f"invalid value '{given}' for annotation '{CONFIG}': failed to convert to apply proxy config: {CONFIGS[given]}"
    assert told == (f"failed to run injection template: 1 error occurred:\n\t* {why}\n\n" if CONFIGS[given] else "")


def test_a_proxy_is_told_in_the_same_form(figures: Figures) -> None:
    (told,) = connected([_running("a")], "1-29-6", "istiod-1", ["istiod-1"])
    for proxies in figures.proxies.values():
        for said in proxies:
            assert _form(told) == _form(said)


NO_BATCH = Policy(never=({"matchLabels": {"role": "batch"}},))
ONLY_EDGE = Policy(enabled=False, always=({"matchLabels": {"role": "edge"}},))

POLICIES = {
    "a label that says never, where the pod says nothing": (
        Policy(never=({"matchLabels": {"role": "batch"}},)),
        {"role": "batch"},
        {},
        False,
    ),
    "but the pod's own word is heard first": (NO_BATCH, {"role": "batch", "sidecar.istio.io/inject": "true"}, {}, True),
    "never beats always": (Policy(never=NO_BATCH.never, always=NO_BATCH.never), {"role": "batch"}, {}, False),
    "an empty selector matches nothing": (Policy(never=({},)), {}, {}, True),
    "always beats a policy that is disabled": (
        Policy(enabled=False, always=({"matchLabels": {"role": "edge"}},)),
        {"role": "edge"},
        {},
        True,
    ),
    "a disabled policy injects nothing by itself": (Policy(enabled=False), {}, {}, False),
    "a pod may ask all the same": (Policy(enabled=False), {}, {"sidecar.istio.io/inject": "true"}, True),
    "a label beats an annotation": (Policy(), {"sidecar.istio.io/inject": "true"}, {"sidecar.istio.io/inject": "false"}, True),
}


@pytest.mark.parametrize("case", POLICIES.values(), ids=POLICIES)
def test_policy(case: tuple[Policy, dict[str, str], dict[str, str], bool]) -> None:
    policy, labels, annotations, injected_ = case
    assert injects("1.30.3", policy, "shop", _pod(labels, annotations)) is injected_


NATIVES = {
    "from 1.27 on by the kubelets": ("1.27.0", {}, {"a": "v1.33.1", "b": "v1.36.3"}, {}, True),
    "one old kubelet among them is enough": ("1.30.3", {}, {"a": "v1.32.9", "b": "v1.36.3"}, {}, False),
    "a version that is none is an old one": ("1.30.3", {}, {"a": "kwok-v0.8.0"}, {}, False),
    "no node, no native sidecar": ("1.30.3", {}, {}, {}, False),
    "before 1.27 never by itself": ("1.26.8", {}, {"a": "v1.36.3"}, {}, False),
    "but where it is switched on": ("1.26.8", {"ENABLE_NATIVE_SIDECARS": "true"}, {}, {}, True),
    "switched off": ("1.30.3", {"ENABLE_NATIVE_SIDECARS": "false"}, {"a": "v1.36.3"}, {}, False),
    "the pod's word beats the switch": ("1.30.3", {"ENABLE_NATIVE_SIDECARS": "false"}, {}, {NATIVE: "true"}, True),
}


@pytest.mark.parametrize("case", NATIVES.values(), ids=NATIVES)
def test_native(case: tuple[str, dict[str, str], dict[str, str], dict[str, str], bool]) -> None:
    version, environment, kubelets, annotations, expected = case
    assert native(_pod({}, annotations), version, environment, kubelets) is expected


def test_where_the_revision_stands_depends_on_the_version() -> None:
    places = {}
    for version in ("1.9.9", "1.11.0", "1.18.0"):
        metadata = injected(_pod(), Injection("old", version, image="proxyv2"), native=False)["metadata"]
        places[version] = (
            REVISION in metadata["labels"],
            "revision" in json.loads(metadata["annotations"][STATUS]),
            REVISION in metadata["annotations"],
        )
    assert places == {"1.9.9": (True, False, False), "1.11.0": (False, True, False), "1.18.0": (False, True, True)}


def test_the_last_of_two_injectors_wins() -> None:
    first = injected(_pod(), OLD, native=True)
    second = injected(first, Injection("1-30-3", "1.30.3", image="docker.io/istio/proxyv2:1.30.3"), native=False)
    told = _told(second)
    assert [one["name"] for one in told["containers"]] == ["app", "istio-proxy"]
    assert [one["name"] for one in told["initContainers"]] == ["istio-init"]
    assert {one["image"] for one in told["containers"][1:] + told["initContainers"]} == {"docker.io/istio/proxyv2:1.30.3"}
    assert told["annotations"][REVISION] == "1-30-3"
    assert len({one["name"] for one in second["spec"]["volumes"]}) == len(second["spec"]["volumes"])


def test_a_gateway_gets_the_image_that_it_leaves_open() -> None:
    pod = _pod({"istio": "ingress"}, {TEMPLATES: "gateway"})
    pod["spec"]["containers"] = [{"name": "istio-proxy", "image": "auto", "ports": [{"containerPort": 8443}]}]
    (container,) = injected(pod, OLD, native=True)["spec"]["containers"]
    assert container["image"] == OLD.image
    assert container["ports"] == [{"containerPort": 8443}]


def test_an_answer_is_a_patch_of_what_was_sent() -> None:
    identity = Identity("1-29-6", "1.29.6", "istio-system", "istiod-1", {})
    sent = _pod()
    request: Json = {"uid": "u", "namespace": "shop", "object": sent}
    review: Json = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    answer = admission.inject(review, identity, Settings(Policy(), OLD), {})
    assert answer["response"]["uid"] == "u"
    assert admission.is_patched(answer)
    after = injected(request["object"], OLD, native=False)
    patched = json_patch.apply(_pod(), json.loads(base64.b64decode(answer["response"]["patch"])))
    assert patched["spec"] == after["spec"]
    assert patched["metadata"]["annotations"] == after["metadata"]["annotations"]


def test_each_proxy_is_connected_to_one_replica_unless_it_has_a_fault() -> None:
    pods = [_running(str(number)) for number in range(20)] + [_running("gone", ABSENT)]
    replicas = ("istiod-1", "istiod-2")
    told = [[one["proxy"] for one in connected(pods, "1-29-6", name, replicas)] for name in replicas]
    assert sorted(told[0] + told[1]) == sorted(f"{number}.shop" for number in range(20))
    assert all(told)
    (refusing,) = connected([_running("a", NACK)], "1-29-6", "istiod-1", ["istiod-1"])
    assert all(resource["acked"] == "" and resource["lastError"] for resource in refusing["resources"].values())


def test_the_lab_imports_nothing_that_is_under_test() -> None:
    """A bug that both had would never be found."""
    found = []
    for path in LAB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.name}: {one}" for one in modules if one.split(".")[0] in ("ansible", "ansible_collections", "plugins")]
    assert not found


def _pod(labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Json:
    metadata = {"name": "web", "namespace": "shop", "labels": dict(labels or {}), "annotations": dict(annotations or {})}
    return {"metadata": metadata, "spec": {"containers": [{"name": "app", "image": "app"}]}}


def _running(name: str, fault: str = "") -> Json:
    pod = injected(_pod({}, {FAULT: fault} if fault else {}), OLD, native=False)
    pod["metadata"] |= {"name": name, "uid": name, "creationTimestamp": "2026-11-22T05:21:40Z"}
    return pod | {"status": {"phase": "Running"}}


def _told(pod: Json) -> Json:
    """An injected pod in the form of the recordings."""
    parts = ("name", "image", "restartPolicy")
    kinds = ("containers", "initContainers")
    shown = {kind: [{part: one[part] for part in parts if part in one} for one in pod["spec"].get(kind, [])] for kind in kinds}
    return {"labels": pod["metadata"]["labels"], "annotations": pod["metadata"]["annotations"], **shown}


def _form(value: object) -> object:
    return {key: _form(item) for key, item in value.items()} if isinstance(value, dict) else type(value).__name__
