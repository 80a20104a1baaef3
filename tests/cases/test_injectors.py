# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An injector that nothing renders: made without an instant in which pods are refused, disabled, given back exactly, and removed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import Identity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Stock
from tests.lab import istioctl, mesh
from tests.lab.api import Json
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .stream import Stream
from .test_tags import INJECTOR, MUTATING, NEW, OLD, Killed, die_after, is_there
from .tool import Tool

URL = "https://istiod.example.com/inject/cluster/eu-1"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


@pytest.fixture
def without_webhooks(lab: Cluster, revision: str, as_it_was: None) -> str:
    """A control plane that is installed without its injector, as for an operator that manages webhooks by itself."""
    mesh.install_istiod(lab, revision=revision, version="1.30.3", values={"global": {"operatorManageWebhooks": True}})
    mesh.wait_ready(lab, revision)
    return revision


def path_of(revision: str) -> str:
    return f"{MUTATING}/istio-sidecar-injector-{revision}"


def asked(item: Json) -> dict[str, tuple[Json, Json]]:
    """By entry: the selectors."""
    return {entry["name"]: (entry["namespaceSelector"], entry["objectSelector"]) for entry in item["webhooks"]}


def test_an_injector_is_made_and_nobody_is_refused(lab: Cluster, tool: Tool, namespaces: Namespaces, without_webhooks: str) -> None:
    revision, name = without_webhooks, namespaces({"istio.io/rev": without_webhooks})
    would = tool.verb("injection_webhook", check_mode=True, revision=revision)
    assert (would["changed"], tool.writes()) == (True, [])
    with Stream(lab, name) as pods:
        made = tool.verb("injection_webhook", revision=revision)
        assert not made.get("failed"), made["msg"]
        assert made["name"] == f"istio-sidecar-injector-{revision}"
        pods.wait(revision)
        assert tool.writes() == [f"create {MUTATING}", f"update {path_of(revision)}"], "it matches nothing until istiod has filled it in"
        assert not tool.changes("injection_webhook", revision=revision), "although istiod has written its caBundle"
    assert not [answer for answer in pods.harmed if answer.refused], "before, pods had no sidecars; refused is another thing"
    assert asked(lab.api.get(path_of(revision))) == asked(_rendered(revision))
    assert f"namespace {name}" in tool.fails("injection_webhook", revision=revision, state="disabled")
    assert f"namespace {name}" in tool.fails("injection_webhook", revision=revision, state="absent")
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio.io/rev": NEW}}})
    before = lab.api.get(path_of(revision))
    assert tool.changes("injection_webhook", revision=revision, state="disabled")
    assert not tool.changes("injection_webhook", revision=revision, state="disabled")
    assert tool.changes("injection_webhook", revision=revision)
    assert lab.api.get(path_of(revision))["webhooks"] == before["webhooks"]
    assert tool.changes("injection_webhook", check_mode=True, revision=revision, state="absent")
    assert is_there(lab, path_of(revision))
    assert tool.changes("injection_webhook", revision=revision, state="absent")
    assert not tool.changes("injection_webhook", revision=revision, state="absent")
    assert not is_there(lab, path_of(revision))


def _rendered(revision: str) -> Json:
    """As the chart makes it, which is held to recordings."""
    found = mesh.rendered("istiod", values={"revision": revision})
    return next(one for one in found if one["kind"] == "MutatingWebhookConfiguration")


def test_one_that_was_killed_is_finished(
    lab: Cluster, tool: Tool, namespaces: Namespaces, without_webhooks: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = namespaces({"istio.io/rev": without_webhooks})
    with Stream(lab, name) as pods:
        with monkeypatch.context() as patched:
            die_after(patched, 1)
            with pytest.raises(Killed):
                tool.verb("injection_webhook", revision=without_webhooks)
        made = tool.verb("injection_webhook", revision=without_webhooks)
        assert not made.get("failed"), made["msg"]
        pods.wait(without_webhooks)
    assert not [answer for answer in pods.harmed if answer.refused]
    assert len(tool.writes()) == 2


def test_an_istiod_elsewhere_is_called_by_url(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    made = tool.verb("injection_webhook", revision="managed", url=URL)
    assert not made.get("failed"), made["msg"]
    assert not tool.changes("injection_webhook", revision="managed", url=URL)
    clients = [entry["clientConfig"] for entry in lab.api.get(path_of("managed"))["webhooks"]]
    assert clients == [{"url": URL}] * 2, "no empty caBundle"
    assert tool.changes("injection_webhook", revision="managed", url=URL, ca_bundle=PEM)
    assert not tool.changes("injection_webhook", revision="managed", url=URL, ca_bundle=base64.b64encode(PEM.encode()).decode())
    assert base64.b64decode(lab.api.get(path_of("managed"))["webhooks"][0]["clientConfig"]["caBundle"]).decode().strip() == PEM
    assert tool.changes("injection_webhook", revision="managed", state="absent")


def test_what_1_9_had_is_given_back_exactly(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    """One entry, in the form of that time."""
    name = "istio-sidecar-injector-asm-195-2"
    lab.api.post(MUTATING, _of_1_9(lab, name))
    before = lab.api.get(f"{MUTATING}/{name}")
    assert tool.changes("injection_webhook", revision="asm-195-2", state="disabled")
    never = {"matchLabels": {"istio.io/deactivated": "never-match"}}
    assert asked(lab.api.get(f"{MUTATING}/{name}")) == {"sidecar-injector.istio.io": (never, never)}
    assert tool.changes("injection_webhook", revision="asm-195-2", service="istiod-1-30-3")
    after = lab.api.get(f"{MUTATING}/{name}")
    for kept in ("resourceVersion", "managedFields", "generation"):
        for item in (before, after):
            item["metadata"].pop(kept)
    assert after == before
    message = tool.fails("injection_webhook", revision="asm-195-2", state="absent")
    assert "was not made by this collection" in message


def _of_1_9(lab: Cluster, name: str) -> Json:
    client = lab.api.get(path_of(NEW))["webhooks"][0]["clientConfig"]
    entry = {
        "name": "sidecar-injector.istio.io",
        "clientConfig": client,
        "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1beta1", "v1"],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "istio-injection", "operator": "DoesNotExist"},
                {"key": "istio.io/rev", "operator": "In", "values": ["asm-195-2"]},
            ]
        },
        "objectSelector": {"matchExpressions": [{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]},
    }
    labels = {"app": "sidecar-injector", "istio.io/rev": "asm-195-2", "release": "istio"}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name, "labels": labels},
        "webhooks": [entry],
    }


def test_what_a_default_tag_took_over_from_is_given_back(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    """To helm, exactly as helm had it; but not beside the tag, since both would be asked."""
    before = lab.api.get(INJECTOR)
    assert tool.changes("revision_tag", tag="default", revision=NEW)
    assert f"{istioctl.DEFAULT_TAG}: a namespace with istio.io/rev=default" in tool.fails("injection_webhook", revision=OLD)
    assert tool.changes("revision_tag", tag="default", state="absent")
    assert tool.changes("injection_webhook", revision=OLD)
    after = lab.api.get(INJECTOR)
    assert (after["webhooks"], after["metadata"]["annotations"], after["metadata"]["labels"]) == (
        before["webhooks"],
        before["metadata"]["annotations"],
        before["metadata"]["labels"],
    )


def test_what_belongs_to_others_is_left_to_them(lab: Cluster, other_lab: Cluster, tool: Tool, tmp_path: Path, as_it_was: None) -> None:
    for state in ("present", "disabled", "absent"):
        assert f"of helm release istiod-{NEW}" in tool.fails("injection_webhook", revision=NEW, state=state)
    message = Tool(other_lab, tmp_path).fails("injection_webhook", revision=OLD)
    assert "of an installation by istioctl" in message
    assert tool.changes("injection_webhook", revision="managed", url=URL)
    recorded = Identity("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "", "istio-sidecar-injector-managed")
    record = {
        "metadata": {"name": "meshops-objects-managed"},
        "data": {"objects": Stock("managed", "manifests", {recorded: "x"}).written()},
    }
    folder = f"/api/v1/namespaces/{mesh.NAMESPACE}/configmaps"
    lab.api.post(folder, record)
    try:
        assert "module control_plane has installed (manifests)" in tool.fails("injection_webhook", revision="managed", state="absent")
    finally:
        lab.api.delete(f"{folder}/meshops-objects-managed")


def test_what_cannot_be_is_refused_before_the_first_write(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    for options, said in (
        ({"revision": "managed", "url": URL, "service": "istiod"}, "A url says all by itself"),
        ({"revision": "managed", "url": "http://istiod.example.com"}, "by https only"),
        ({"revision": "managed", "url": URL, "ca_bundle": "nonsense"}, "ca_bundle holds no certificate"),
        ({"revision": "managed", "url": URL, "all_namespaces": True}, "Only the revision default"),
        ({"revision": "Managed", "url": URL}, "is not a revision name"),
        ({"revision": "managed"}, "There is no such Service"),
        ({"revision": "managed", "state": "disabled"}, 'There is no injector of revision "managed"'),
    ):
        assert said in tool.fails("injection_webhook", **options)
    assert tool.changes("revision_tag", tag="managed", revision=NEW)
    message = tool.fails("injection_webhook", revision="managed", url=URL)
    assert "istio-revision-tag-managed: a namespace with istio.io/rev=managed" in message


def test_a_way_back_that_nobody_can_read_is_told(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    name = "istio-sidecar-injector-asm-195-2"
    item = _of_1_9(lab, name)
    item["metadata"]["annotations"] = {"meshops.io/prior-selectors": json.dumps(["nonsense"])}
    lab.api.post(MUTATING, item)
    assert "cannot be read" in tool.fails("injection_webhook", revision="asm-195-2", service="istiod-1-30-3")
