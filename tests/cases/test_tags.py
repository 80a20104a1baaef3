# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tag moves and nobody notices: pods that are asked for all the time are never refused and never without a sidecar."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster as Port
from tests.lab import istioctl, mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

from .conftest import SERVICES, Namespaces, given_back
from .stream import Stream
from .tool import Tool
from .users import with_verbs

OLD, NEW = "default", "1-30-3"
ENABLED = {"istio-injection": "enabled"}
MUTATING, VALIDATING = istioctl.MUTATING, istioctl.VALIDATING
INJECTOR, DEFAULT_TAG = f"{MUTATING}/istio-sidecar-injector", f"{MUTATING}/{istioctl.DEFAULT_TAG}"
VALIDATOR = f"{VALIDATING}/{istioctl.DEFAULT_VALIDATOR}"


@pytest.fixture
def installed_by_istioctl(other_lab: Cluster) -> Iterator[Cluster]:
    """An unrevisioned mesh whose default tag does the work, and a canary beside it."""
    istioctl.install(other_lab, NEW, "1.30.3")
    mesh.wait_ready(other_lab, NEW)
    for _nothing in given_back(other_lab):
        yield other_lab
    istioctl.uninstall(other_lab, NEW)


def labels(lab: Cluster, path: str) -> dict[str, str]:
    found: dict[str, str] = lab.api.get(path)["metadata"]["labels"]
    return found


def called(lab: Cluster, path: str) -> set[str]:
    return {entry["clientConfig"]["service"]["name"] for entry in lab.api.get(path)["webhooks"]}


def is_there(lab: Cluster, path: str) -> bool:
    try:
        lab.api.get(path)
    except ApiProblem as problem:
        assert problem.status == 404
        return False
    return True


def test_the_first_default_tag_takes_over_and_goes_back(lab: Cluster, tool: Tool, namespaces: Namespaces, as_it_was: None) -> None:
    """A mesh that Helm has installed: no default tag, an injector of its own, a validator that belongs to the chart base."""
    shop, free = namespaces(ENABLED, [samples.deployment("api")]), namespaces()
    would = tool.verb("revision_tag", check_mode=True, tag="default", revision=NEW)
    assert (would["changed"], would["predicted"], tool.writes()) == (True, True, [])
    with Stream(lab, shop) as pods, Stream(lab, free, labels={"sidecar.istio.io/inject": "true"}) as asking:
        done = tool.verb("revision_tag", tag="default", revision=NEW)
        assert not done.get("failed"), done["msg"]
        assert set(done["diff"]["after"]) == set(would["diff"]["after"])
        assert (shop in done["followers"], free in done["followers"]) == (True, False)
        pods.wait(NEW)
        asking.wait(NEW)
        assert tool.writes() == [
            f"update {VALIDATOR}",
            f"create {MUTATING}",
            f"create {SERVICES}",
            f"update {INJECTOR}",
        ], "the validator first, and the old injector is disabled when the tag works"
        assert not tool.changes("revision_tag", tag="default", revision=NEW)
        assert len(tool.writes()) == 4, "a second run writes nothing"
        assert "still followed" in (message := tool.fails("revision_tag", tag="default", state="absent"))
        assert f"namespace {shop}" in message
        back = tool.verb("revision_tag", tag="default", revision=OLD)
        assert not back.get("failed"), back["msg"]
        pods.wait(OLD)
        asking.wait(OLD)
    assert pods.harmed == asking.harmed == []
    assert pods.revisions(shop) == asking.revisions(free) == {OLD, NEW}
    assert called(lab, VALIDATOR) == {"istiod"}
    assert called(lab, DEFAULT_TAG) == {"istiod"}
    prior = json.loads(lab.api.get(INJECTOR)["metadata"]["annotations"]["meshops.io/prior-selectors"])
    assert len(prior) == 4
    assert any("istio-base" in line and f"defaultRevision={NEW}" in line for line in done["warnings"])
    assert any("release istiod" in line for line in done["warnings"])


def test_the_default_tag_of_istioctl_follows(installed_by_istioctl: Cluster, tmp_path: Path) -> None:
    lab, tool = installed_by_istioctl, Tool(installed_by_istioctl, tmp_path)
    assert "operator.istio.io/managed" in labels(lab, DEFAULT_TAG)
    with Stream(lab, "shop") as pods:
        for revision, service in ((NEW, f"istiod-{NEW}"), (OLD, "istiod")):
            done = tool.verb("revision_tag", tag="default", revision=revision)
            assert not done.get("failed"), done["msg"]
            pods.wait(revision)
            for path in (DEFAULT_TAG, VALIDATOR):
                assert (called(lab, path), labels(lab, path)["istio.io/rev"]) == ({service}, revision)
            assert lab.api.get(f"{SERVICES}/istiod-revision-tag-default")["spec"]["selector"]["app"] == "istiod"
            assert not tool.changes("revision_tag", tag="default", revision=revision)
    assert pods.harmed == []
    assert pods.revisions("shop") == {OLD, NEW}
    assert not [name for name in labels(lab, DEFAULT_TAG) if "operator.istio.io" in name], "istioctl uninstall would take it along"
    assert tool.verb("revision_tag", tag="default", revision=OLD).get("warnings") is None


def test_a_tag_is_made_and_moved_and_removed(lab: Cluster, tool: Tool, namespaces: Namespaces, as_it_was: None) -> None:
    assert tool.changes("revision_tag", tag="prod", revision=OLD)
    name = namespaces({"istio.io/rev": "prod"}, [samples.deployment("api")])
    with Stream(lab, name) as pods:
        for revision in (NEW, OLD, NEW):
            done = tool.verb("revision_tag", tag="prod", revision=revision)
            assert (done["changed"], done["followers"]) == (True, [name])
            pods.wait(revision)
    assert pods.harmed == []
    bundles = {entry["clientConfig"].get("caBundle") for entry in lab.api.get(f"{MUTATING}/istio-revision-tag-prod")["webhooks"]}
    own = {entry["clientConfig"].get("caBundle") for entry in lab.api.get(f"{MUTATING}/istio-sidecar-injector-{NEW}")["webhooks"]}
    assert bundles == own
    assert f"namespace {name}" in tool.fails("revision_tag", tag="prod", state="absent")
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio.io/rev": NEW}}})
    assert tool.changes("revision_tag", check_mode=True, tag="prod", state="absent")
    assert is_there(lab, f"{MUTATING}/istio-revision-tag-prod")
    assert tool.changes("revision_tag", tag="prod", state="absent")
    assert not tool.changes("revision_tag", tag="prod", state="absent")
    assert not is_there(lab, f"{MUTATING}/istio-revision-tag-prod")
    assert not is_there(lab, f"{SERVICES}/istiod-revision-tag-prod")
    assert is_there(lab, VALIDATOR), "that is not part of this tag"


class Killed(BaseException):
    """As a run ends whose machine loses power."""


@pytest.mark.parametrize("writes", [1, 2, 3], ids=["after the validator", "after the webhook", "after the Service"])
def test_a_killed_move_is_finished_by_a_rerun(
    lab: Cluster, tool: Tool, namespaces: Namespaces, as_it_was: None, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    name = namespaces(ENABLED)
    with Stream(lab, name) as pods:
        with monkeypatch.context() as patched:
            die_after(patched, writes)
            with pytest.raises(Killed):
                tool.verb("revision_tag", tag="default", revision=NEW)
        assert len(tool.writes()) == writes
        done = tool.verb("revision_tag", tag="default", revision=NEW)
        assert not done.get("failed"), done["msg"]
        pods.wait(NEW)
    assert pods.harmed == []
    assert len(tool.writes()) == 4, "what was written is not written again"


def die_after(patched: pytest.MonkeyPatch, writes: int) -> None:
    """Before the write after so many."""
    done = 0

    def count(real: t.Callable[..., Json]) -> t.Callable[..., Json]:
        def write(*arguments: t.Any) -> Json:
            nonlocal done
            if done == writes:
                raise Killed
            done += 1
            return real(*arguments)

        return write

    for method in ("create", "replace"):
        patched.setattr(Port, method, count(getattr(Port, method)))


@pytest.fixture
def dangling(lab: Cluster, as_it_was: None) -> str:
    """The state in which people call for help: ``istioctl uninstall`` has left a tag whose control plane is gone."""
    istioctl.tag_set(lab, "prod", NEW)
    path = f"{MUTATING}/istio-revision-tag-prod"
    left = lab.api.get(path)
    left["metadata"]["labels"]["istio.io/rev"] = "1-29-6"
    for entry in left["webhooks"]:
        entry["clientConfig"]["service"]["name"] = "istiod-1-29-6"
    lab.api.put(path, left)
    return "prod"


def test_a_dangling_tag_is_pointed_at_what_is_there(lab: Cluster, tool: Tool, namespaces: Namespaces, dangling: str) -> None:
    name = namespaces({"istio.io/rev": dangling}, wait=False)
    with pytest.raises(ApiProblem, match="failed calling webhook"):
        lab.api.post(f"/api/v1/namespaces/{name}/pods", POD, dryRun="All")
    assert f"namespace {name}" in tool.fails("revision_tag", tag=dangling, state="absent"), "its pods would lose their sidecars silently"
    done = tool.verb("revision_tag", tag=dangling, revision=NEW)
    assert not done.get("failed"), done["msg"]
    with Stream(lab, name) as pods:
        pods.wait(NEW)
    assert pods.harmed == []


def test_a_dangling_tag_that_nobody_follows_is_removed(lab: Cluster, tool: Tool, dangling: str) -> None:
    assert tool.changes("revision_tag", tag=dangling, state="absent")
    assert not is_there(lab, f"{MUTATING}/istio-revision-tag-prod")
    assert not is_there(lab, f"{SERVICES}/istiod-revision-tag-prod")


def test_only_the_default_validator_moves(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    """Helm's mesh has no default tag, and the chart base points the validator at the control plane that is to go."""
    would = tool.verb("revision_tag", check_mode=True, tag="default", revision=NEW, validator_only=True)
    assert (would["changed"], tool.writes()) == (True, [])
    done = tool.verb("revision_tag", tag="default", revision=NEW, validator_only=True)
    assert not done.get("failed"), done["msg"]
    assert tool.writes() == [f"update {VALIDATOR}"]
    assert (called(lab, VALIDATOR), labels(lab, VALIDATOR)["istio.io/rev"]) == ({f"istiod-{NEW}"}, NEW)
    assert "istio.io/tag" not in labels(lab, VALIDATOR), "it stays helm's"
    assert any("istio-base" in line and f"defaultRevision={NEW}" in line for line in done["warnings"])
    invalid = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "none"}, "spec": {}}
    with pytest.raises(ApiProblem, match="http, tcp or tls must be provided"):
        lab.api.post("/apis/networking.istio.io/v1/namespaces/default/virtualservices", invalid, dryRun="All")
    assert not tool.changes("revision_tag", tag="default", revision=NEW, validator_only=True)


def test_what_cannot_be_is_refused_before_the_first_write(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    for options, said in (
        ({"tag": "prod", "revision": "nosuch"}, 'no control plane "nosuch" that injects'),
        ({"tag": NEW, "revision": OLD}, f'A control plane is called "{NEW}" already'),
        ({"tag": "Prod", "revision": NEW}, "is not a name for a tag"),
        ({"tag": "prod"}, "revision is needed"),
        ({"tag": "prod", "revision": NEW, "validator_only": True}, "validator_only is for the tag default"),
    ):
        assert said in tool.fails("revision_tag", **options)
    twin = _copy(lab.api.get(f"{MUTATING}/istio-sidecar-injector-{NEW}"), "by-hand")
    lab.api.post(MUTATING, twin)
    assert "has 2 injectors" in tool.fails("revision_tag", tag="prod", revision=NEW)
    for entry in twin["webhooks"]:
        for expression in (*entry["namespaceSelector"]["matchExpressions"], *entry["objectSelector"]["matchExpressions"]):
            if expression["key"] == "istio.io/rev" and "values" in expression:
                expression["values"] = ["prod"]
    twin["metadata"]["labels"]["istio.io/rev"] = "elsewhere"
    lab.api.delete(f"{MUTATING}/by-hand")
    lab.api.post(MUTATING, twin)
    message = tool.fails("revision_tag", tag="prod", revision=NEW)
    assert "by-hand: a namespace with istio.io/rev=prod" in message


def test_a_user_without_the_rights_is_told_before_the_first_write(lab: Cluster, tool: Tool) -> None:
    """One who may look at everything."""
    with with_verbs(lab, tool.user, "get", "list") as login:
        message = tool.fails("revision_tag", tag="prod", revision=NEW, **login)
        would = tool.verb("revision_tag", check_mode=True, tag="prod", revision=NEW, **login)
    for missing in ("create", "update"):
        assert f"{missing} mutatingwebhookconfigurations.admissionregistration.k8s.io" in message
        assert f"{missing} services in namespace {mesh.NAMESPACE}" in message
    assert would["msg"] == message, "check mode tells it too"


def test_a_tag_that_helm_renders_is_helms(lab: Cluster, tool: Tool, revision: str, as_it_was: None) -> None:
    mesh.install_istiod(lab, revision=revision, version="1.30.3", tags=["stable"])
    mesh.wait_ready(lab, revision)
    for options in ({"revision": NEW}, {"state": "absent"}):
        message = tool.fails("revision_tag", tag="stable", **options)
        assert f"release istiod-{revision}" in message
        assert "revisionTags" in message
    assert not tool.changes("revision_tag", tag="stable", revision=revision), "it is there already, as helm has made it"


def test_a_tag_that_istioctl_made_of_helms_injector_is_nobodys(lab: Cluster, tool: Tool, as_it_was: None) -> None:
    """It copies helm's labels and annotations along (istio.md 4.2)."""
    istioctl.tag_set(lab, "prod", NEW)
    copied = {"metadata": {"annotations": {"meta.helm.sh/release-name": f"istiod-{NEW}", "meta.helm.sh/release-namespace": mesh.NAMESPACE}}}
    lab.api.patch(f"{MUTATING}/istio-revision-tag-prod", copied, fieldManager=istioctl.TAGGER)
    assert tool.changes("revision_tag", tag="prod", revision=OLD)
    assert tool.changes("revision_tag", tag="prod", state="absent")


POD = {"metadata": {"generateName": "one-"}, "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0"}]}}


def _copy(item: Json, name: str) -> Json:
    """What somebody has made by hand of another one."""
    metadata = {"name": name, "labels": dict(item["metadata"]["labels"])}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, "webhooks": item["webhooks"]}
