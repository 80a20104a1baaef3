# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control planes that are rendered and applied, by istioctl or from files: what is written, what is kept, and what goes again."""

from __future__ import annotations

import contextlib
import copy
import secrets
import typing as t
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import istioctl, mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.build import binaries
from tests.lab.cluster import Cluster

from .conftest import Namespaces, Planes
from .rendered import KINDS, PROVIDERS, by_istioctl, by_manifests, clear, generated, of_revision, stock, variables
from .seen import labels, moved, proxies
from .tool import Point, Tool, control_plane, written

VERSION = "1.30.3"
NAMESPACED = f"/api/v1/namespaces/{mesh.NAMESPACE}"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments"
BUDGETS = f"/apis/policy/v1/namespaces/{mesh.NAMESPACE}/poddisruptionbudgets"
SCALERS = f"/apis/autoscaling/v2/namespaces/{mesh.NAMESPACE}/horizontalpodautoscalers"
HELM = str(binaries() / "helm")
providers = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture
def revision(lab: Cluster, clean_record: None, namespaces: Namespaces) -> Iterator[str]:
    """A revision of the test's own. Its namespaces go first, since it is no release of helm's that goes with them."""
    name = f"r{secrets.token_hex(3)}"
    yield name
    clear(lab, name)


@providers
def test_a_control_plane_comes_and_goes(lab: Cluster, tool: Tool, revision: str, tmp_path: Path, provider: str) -> None:
    asked = PROVIDERS[provider](tmp_path, revision, VERSION)
    would = tool.verb("control_plane", check_mode=True, **asked)
    assert (would["changed"], would["predicted"], tool.writes()) == (True, True, [])
    assert of_revision(lab, revision) == set()

    done = tool.verb("control_plane", **asked)
    assert (done["changed"], done["version"]) == (True, VERSION), done
    assert list(done["diff"]["after"]) == list(would["diff"]["after"])
    mesh.wait_ready(lab, revision, timeout=1)
    there = of_revision(lab, revision)
    recorded = stock(lab, revision)
    assert recorded
    assert len(there) == len(recorded["objects"]) + 1 == 18
    assert all(one["uid"] for one in recorded["objects"])

    written = tool.writes()
    again = tool.verb("control_plane", **asked)
    assert (again["changed"], tool.writes()) == (False, written), again.get("diff")

    gone = tool.verb("control_plane", check_mode=True, revision=revision, provider=provider, state="absent")
    assert (gone["changed"], gone["predicted"], of_revision(lab, revision)) == (True, True, there)
    tool.verb("control_plane", revision=revision, provider=provider, state="absent")
    assert of_revision(lab, revision) == set()
    assert not tool.changes("control_plane", revision=revision, provider=provider, state="absent")


@providers
def test_a_mesh_moves_and_comes_back(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, tmp_path: Path, provider: str
) -> None:
    names = [namespaces(samples.INJECTED, [samples.deployment("api")]) for _number in range(2)]
    before = labels(lab, names)
    asked = variables(PROVIDERS[provider](tmp_path, revision, VERSION), waves=[names[:1], names[1:]])
    tool.play("canary_upgrade", "--check", "--diff", **asked).succeeded()
    assert tool.writes() == []
    upgraded = tool.play("canary_upgrade", **asked).succeeded()
    assert "Left out, since all revisions share them: CustomResourceDefinition" in upgraded.said
    assert proxies(lab, names) == {revision}
    assert labels(lab, names) == [moved(was, revision) for was in before]
    old = stock(lab, "default")
    assert old
    assert (old["provider"], {"istiod", "istio-sidecar-injector"} <= {one["name"] for one in old["objects"]}) == ("found", True)
    done = tool.writes()
    again = tool.play("canary_upgrade", **asked).succeeded()
    assert (again.changed, tool.writes()) == (0, done)
    tool.play("rollback").succeeded()
    assert (labels(lab, names), proxies(lab, names)) == (before, {"default"})


APPLIED = r"patch .*-{revision}(-istio-system)?$"
KILLED: dict[str, t.Callable[[str], Point]] = {
    "the names were recorded": lambda revision: written(f"/configmaps/meshops-objects-{revision}$"),
    "the first object was applied": lambda revision: written(f"patch .*/serviceaccounts/istiod-{revision}$"),
    "half of them were applied": lambda revision: written(APPLIED.format(revision=revision), 9),
    "all of them were applied": lambda revision: written(f"patch .*/istio-sidecar-injector-{revision}$", 2),
}


@pytest.mark.parametrize("there", KILLED)
def test_an_installation_that_was_killed_goes_on(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, tmp_path: Path, there: str
) -> None:
    name = namespaces(samples.INJECTED, [samples.deployment("api")])
    asked = variables(by_istioctl(tmp_path, revision, VERSION), waves=[[name]])
    tool.killed(KILLED[there](revision), "canary_upgrade", **asked)
    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, [name]) == {revision}
    recorded = stock(lab, revision)
    assert recorded
    assert len(recorded["objects"]) == 17
    assert all(one["uid"] for one in recorded["objects"])


def test_an_installation_that_was_killed_can_be_removed(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, tmp_path: Path
) -> None:
    """No UID is on record by then; that we have applied it tells whose it is. What somebody else has made under such a name stays."""
    name = namespaces(samples.INJECTED, [samples.deployment("api")])
    asked = variables(by_istioctl(tmp_path, revision, VERSION), waves=[[name]])
    tool.killed(KILLED["half of them were applied"](revision), "canary_upgrade", **asked)
    maps = f"{NAMESPACED}/configmaps"
    with contextlib.suppress(ApiProblem):  # it was not applied yet
        lab.api.delete(f"{maps}/values-{revision}")
    lab.api.post(maps, {"metadata": {"name": f"values-{revision}", "labels": {"istio.io/rev": revision}}, "data": {"theirs": "1"}})
    gone = tool.verb("control_plane", revision=revision, provider="istioctl", state="absent")
    assert gone["msg"] == f"control plane {revision} was removed, but for what stays: ConfigMap {mesh.NAMESPACE}/values-{revision}"
    assert of_revision(lab, revision) == {f"configmaps/values-{revision}", f"configmaps/meshops-objects-{revision}"}
    lab.api.delete(f"{maps}/values-{revision}")
    assert tool.changes("control_plane", revision=revision, provider="istioctl", state="absent"), "its record goes with the last of it"
    assert stock(lab, revision) is None


# What is not rendered any more, and what others made


def test_what_is_not_rendered_any_more_goes_and_nothing_else(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    objects = generated(tmp_path, revision, VERSION)
    gone = [_of(objects, "ConfigMap", f"values-{revision}"), _of(objects, "Role", f"istiod-{revision}"), _of(objects, "ServiceAccount")]
    tool.verb("control_plane", **by_manifests(tmp_path, revision, VERSION, objects))
    roles = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{mesh.NAMESPACE}/roles"
    lab.api.delete(f"{roles}/istiod-{revision}")  # and somebody makes one of that name
    lab.api.post(roles, {"metadata": {"name": f"istiod-{revision}"}, "rules": []})
    lab.api.patch(f"{NAMESPACED}/serviceaccounts/istiod-{revision}", {"metadata": {"labels": {"istio.io/tag": "prod"}}})
    left = [item for item in objects if item not in gone]
    pruned = tool.verb("control_plane", **by_manifests(tmp_path, revision, VERSION, left))
    assert list(pruned["diff"]["after"]) == [f"ConfigMap {mesh.NAMESPACE}/values-{revision}"]
    there = of_revision(lab, revision)
    assert f"configmaps/values-{revision}" not in there
    assert {f"roles/istiod-{revision}", f"serviceaccounts/istiod-{revision}"} <= there
    assert not tool.changes("control_plane", **by_manifests(tmp_path, revision, VERSION, left))


def test_what_somebody_else_made_is_not_taken_over(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    lab.api.post(f"{NAMESPACED}/configmaps", {"metadata": {"name": f"istio-{revision}"}, "data": {"mesh": "theirs"}})
    told = tool.fails("control_plane", **by_istioctl(tmp_path, revision, VERSION))
    assert "were made by somebody else" in told
    assert f"ConfigMap {mesh.NAMESPACE}/istio-{revision} (by no server-side apply)" in told


def test_a_helm_release_stays_one(lab: Cluster, tool: Tool, revision: str, planes: Planes, tmp_path: Path) -> None:
    planes.append((lab, revision))
    tool.verb("control_plane", **control_plane(revision, VERSION))
    told = tool.fails("control_plane", **by_istioctl(tmp_path, revision, VERSION))
    assert f"Deployment {mesh.NAMESPACE}/istiod-{revision} (helm release istiod-{revision})" in told
    asked = variables(by_istioctl(tmp_path, revision, VERSION))
    done = tool.writes()
    assert "were made by somebody else" in tool.play("canary_upgrade", **asked, mesh_from="default").said
    assert tool.writes() == done


def test_what_istiod_and_autoscalers_fill_in_is_theirs(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    objects = generated(tmp_path, revision, VERSION)
    for entry in _of(objects, "MutatingWebhookConfiguration")["webhooks"]:
        entry["clientConfig"]["caBundle"] = ""  # as charts up to 1.13 have it
    _of(objects, "Deployment")["spec"]["replicas"] = 1
    tool.verb("control_plane", **by_manifests(tmp_path, revision, VERSION, objects))
    mesh.wait_ready(lab, revision)
    lab.api.patch(f"{SCALERS}/istiod-{revision}", {"spec": {"minReplicas": 2}})
    lab.api.until(DEPLOYMENTS, lambda found: found[0]["spec"]["replicas"] == 2, timeout=60, what="the autoscaler", **_only(revision))
    again = tool.verb("control_plane", **by_manifests(tmp_path, revision, VERSION, objects))
    assert list(again["diff"]["after"]) == [f"HorizontalPodAutoscaler {mesh.NAMESPACE}/istiod-{revision}"]
    assert lab.api.get(f"{DEPLOYMENTS}/istiod-{revision}")["spec"]["replicas"] == 2
    mesh.wait_ready(lab, revision, timeout=1)


# Whose objects are applied


def test_shared_objects_are_applied_with_consent_only(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    asked = by_istioctl(tmp_path, revision, VERSION, profile="default")
    gateways = f"{DEPLOYMENTS}/istio-ingressgateway"
    done = tool.verb("control_plane", **asked)
    (left,) = done["warnings"]
    assert "Deployment istio-ingressgateway;" in left
    assert "Service istio-ingressgateway; ServiceAccount istio-ingressgateway-service-account, istio-reader-service-account" in left
    assert "gateways.networking.istio.io" in left
    with pytest.raises(ApiProblem):
        lab.api.get(gateways)
    told = tool.fails("control_plane", **asked, apply_shared=True)
    assert "belong to a helm release" in told
    assert f"CustomResourceDefinition gateways.networking.istio.io of {mesh.BASE}" in told

    objects = [item for item in generated(tmp_path, revision, VERSION, profile="default") if not _of_base(item)]
    applied = by_manifests(tmp_path, revision, VERSION, objects)
    try:
        assert tool.changes("control_plane", **applied, apply_shared=True)
        assert lab.api.get(gateways)["metadata"]["name"]
        assert not tool.changes("control_plane", **applied, apply_shared=True)
        tool.verb("control_plane", revision=revision, provider="manifests", state="absent")
        assert lab.api.get(gateways)["metadata"]["name"], "what is shared is never removed"
    finally:
        for one in objects:
            if one["metadata"]["name"].startswith("istio-ingressgateway"):
                lab.api.delete(f"{istioctl.PATHS[one['kind']]}/{one['metadata']['name']}")


def test_objects_outside_a_control_plane_need_consent(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    theirs: Json = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"dashboards-{revision}"}, "data": {"a": "b"}}
    quota: Json = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": f"x-{revision}", "namespace": "default"},
        "spec": {"limits": []},
    }
    objects = [item for item in generated(tmp_path, revision, VERSION) if not _of_base(item)]
    asked = by_manifests(tmp_path, revision, VERSION, [*objects, theirs, quota])
    told = tool.fails("control_plane", **asked)
    assert "holds more than a control plane: 2 objects outside of it" in told
    assert f"ConfigMap {mesh.NAMESPACE}/dashboards-{revision}, LimitRange default/x-{revision}" in told
    done = tool.verb("control_plane", **asked, apply_shared=True)
    assert done["changed"], done
    assert lab.api.get(f"{NAMESPACED}/configmaps/dashboards-{revision}")["data"] == {"a": "b"}
    tool.verb("control_plane", revision=revision, provider="manifests", state="absent")
    assert of_revision(lab, revision) == {f"configmaps/dashboards-{revision}"}
    lab.api.delete(f"/api/v1/namespaces/default/limitranges/x-{revision}")


def test_crds_never_go_down(other_lab: Cluster, revision: str, tmp_path: Path) -> None:
    """There istioctl made them, and something newer has since added a field."""
    tool = Tool(other_lab, tmp_path)
    name = "sidecars.networking.istio.io"
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
    before = other_lab.api.get(path)
    newer = copy.deepcopy(before)
    schema = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema.setdefault("properties", {})["spec"] = {"type": "object", "properties": {"newer": {"type": "string"}}}
    other_lab.api.put(path, newer)
    told = tool.fails("control_plane", **by_istioctl(tmp_path, revision, VERSION), apply_shared=True)
    assert "Some CRDs would lose what they have." in told
    assert f"{name}: {newer['spec']['versions'][0]['name']} field spec.newer" in told


def test_a_tag_is_never_applied(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    asked = by_istioctl(tmp_path, revision, VERSION, values={"revisionTags": ["prod"]})
    told = tool.fails("control_plane", **asked)
    assert "What is rendered would move a tag at once." in told
    assert "MutatingWebhookConfiguration istio-revision-tag-prod" in told


# As strong as the old one


@pytest.mark.parametrize("provider", ["helm", *PROVIDERS])
def test_it_is_as_strong_as_the_old_one(lab: Cluster, tool: Tool, revision: str, planes: Planes, tmp_path: Path, provider: str) -> None:
    old = f"o{secrets.token_hex(3)}"
    planes += [(lab, old), (lab, revision)]
    mesh.install_istiod(lab, revision=old, values={"autoscaleMin": 2})
    mesh.wait_ready(lab, old)
    lab.api.until(DEPLOYMENTS, lambda found: found[0]["status"].get("readyReplicas") == 2, timeout=60, what="two of them", **_only(old))
    asked = control_plane(revision, VERSION) if provider == "helm" else PROVIDERS[provider](tmp_path, revision, VERSION)
    tool.verb("control_plane", **asked, from_revision=old)
    assert lab.api.get(f"{DEPLOYMENTS}/istiod-{revision}")["status"]["readyReplicas"] == 2
    assert lab.api.get(f"{SCALERS}/istiod-{revision}")["spec"]["minReplicas"] == 2
    budget = lab.api.get(f"{BUDGETS}/istiod-{revision}")["spec"]
    assert (budget["minAvailable"], budget["selector"]["matchLabels"]["istio.io/rev"]) == (1, revision)
    lab.api.patch(f"{SCALERS}/istiod-{old}", {"spec": {"minReplicas": 1}})
    mesh.uninstall(lab, old)
    again = tool.verb("control_plane", **asked, from_revision=old)
    assert not again["changed"], "it keeps what it was given when the old one is gone"


def test_a_weaker_one_is_refused(lab: Cluster, tool: Tool, revision: str, planes: Planes) -> None:
    old = f"o{secrets.token_hex(3)}"
    planes.append((lab, old))
    mesh.install_istiod(lab, revision=old, values={"autoscaleEnabled": False, "replicaCount": 3})
    asked = control_plane(revision, VERSION, values={"global": {"tag": VERSION}, "autoscaleMin": 2})
    told = tool.fails("control_plane", **asked, from_revision=old)
    assert f'Control plane "{revision}" would be weaker than "{old}".' in told
    assert "it is given 2 replicas, the old one has 3" in told


# Removal


def test_the_old_one_that_istioctl_installed_is_removed_by_its_stock(other_lab: Cluster, tmp_path: Path, clean_record: None) -> None:
    """Taken when the upgrade began. What was made anew since, and what belongs to a tag or to all revisions, stays."""
    tool, old = Tool(other_lab, tmp_path), f"o{secrets.token_hex(3)}"
    istioctl.install(other_lab, old)
    mesh.wait_ready(other_lab, old)
    try:
        told = tool.fails("control_plane", revision=old, provider="istioctl", state="absent")
        assert f'It is not known what control plane "{old}" consists of.' in told
        istioctl.tag_set(other_lab, f"t-{old}", old)
        tool.verb("upgrade_state", state="started", revision="1-30-3", from_revision=old, waves=[])
        recorded = stock(other_lab, old)
        assert recorded
        assert (recorded["provider"], len(recorded["objects"])) == ("found", 17)
        maps = f"{NAMESPACED}/configmaps"
        other_lab.api.delete(f"{maps}/values-{old}")
        other_lab.api.post(maps, {"metadata": {"name": f"values-{old}"}, "data": {"theirs": "1"}})
        istioctl.tag_set(other_lab, f"t-{old}", "default")
        gone = tool.verb("control_plane", revision=old, provider="istioctl", state="absent")
        assert gone["warnings"] == [f"ConfigMap {mesh.NAMESPACE}/values-{old} stays: it was made anew by somebody else."]
        assert gone["msg"] == f"control plane {old} was removed, but for what stays: ConfigMap {mesh.NAMESPACE}/values-{old}"
        again = tool.verb("control_plane", revision=old, provider="istioctl", state="absent")
        assert (again["changed"], again["warnings"]) == (False, gone["warnings"]), "what stays is named for as long as it is there"
        assert of_revision(other_lab, old) == {
            f"configmaps/meshops-objects-{old}",
            f"configmaps/values-{old}",
            f"mutatingwebhookconfigurations/istio-revision-tag-t-{old}",
            f"services/istiod-revision-tag-t-{old}",
        }
        order = [write.split("/")[-2] for write in tool.writes() if write.startswith("delete")]
        assert order[:4] == ["mutatingwebhookconfigurations", "validatingwebhookconfigurations", "services", "deployments"]
        assert other_lab.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
        assert other_lab.api.get(f"{NAMESPACED}/serviceaccounts/istio-reader-service-account")
    finally:
        clear(other_lab, old)


@pytest.mark.parametrize("what", ["upgraded", "removed"])
def test_a_release_whose_tag_is_followed_stays(lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes, what: str) -> None:
    """The tag points elsewhere by now, so that nothing needs the revision; helm would take it away all the same."""
    old = f"o{secrets.token_hex(3)}"
    planes.append((lab, old))
    mesh.install_istiod(lab, revision=old, tags=[f"t-{old}"], version=VERSION)
    mesh.wait_ready(lab, old)
    istioctl.tag_set(lab, f"t-{old}", "1-30-3")
    name = namespaces({"istio.io/rev": f"t-{old}"}, [samples.deployment("api")])
    assert proxies(lab, [name]) == {"1-30-3"}
    asked = {"revision": old, "state": "absent", "helm": HELM} if what == "removed" else control_plane(old, VERSION)
    told = tool.fails("control_plane", **asked)
    assert f"Helm release istiod-{old} made a tag that is still followed." in told
    assert f"tag t-{old}: namespace {name}" in told


# Rights


def test_one_right_that_is_missing_is_told_before_anything_is_written(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    plurals = [kind for kind in KINDS if kind != "roles"]
    everything = {"apiGroups": ["*"], "resources": [*plurals, "replicasets", "pods", "endpointslices"], "verbs": ["*"]}
    may = {"rules": [everything, {"apiGroups": ["*"], "resources": ["roles"], "verbs": ["get"]}]}
    rights = "/apis/rbac.authorization.k8s.io/v1"
    lab.api.post(f"{rights}/clusterroles", {"metadata": {"name": tool.user}, **may})
    user = {"kind": "User", "name": tool.user, "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": tool.user, "apiGroup": "rbac.authorization.k8s.io"}
    lab.api.post(f"{rights}/clusterrolebindings", {"metadata": {"name": tool.user}, "subjects": [user], "roleRef": role})
    asked = by_istioctl(tmp_path, revision, VERSION)
    try:
        told = tool.fails("control_plane", **asked, impersonate_groups=[])
    finally:
        lab.api.delete(f"{rights}/clusterrolebindings/{tool.user}")
        lab.api.delete(f"{rights}/clusterroles/{tool.user}")
    assert "The API server would refuse 1 of 17 objects; nothing was written." in told
    assert f"Role {mesh.NAMESPACE}/istiod-{revision}" in told
    assert 'cannot patch resource "roles"' in told


def test_what_is_half_applied_is_told_and_the_rest_follows(lab: Cluster, tool: Tool, revision: str, tmp_path: Path) -> None:
    """A quota lets each ConfigMap in alone, but not all of them."""
    quotas = f"{NAMESPACED}/resourcequotas"
    used = len(lab.api.get(f"{NAMESPACED}/configmaps")["items"])
    lab.api.post(quotas, {"metadata": {"name": revision}, "spec": {"hard": {"count/configmaps": str(used + 2)}}})
    lab.api.until(quotas, lambda found: "used" in found[0].get("status", {}), timeout=30, what="the quota")
    asked = by_istioctl(tmp_path, revision, VERSION)
    try:
        failed = tool.verb("control_plane", **asked)
    finally:
        lab.api.delete(f"{quotas}/{revision}")
    assert failed["failed"]
    assert "The control plane is half applied: " in failed["msg"]
    assert f"ConfigMap {mesh.NAMESPACE}/istio-sidecar-injector-{revision} was refused; not there yet:" in failed["msg"]
    assert "exceeded quota" in failed["error"]["reason"]
    tool.verb("control_plane", **asked)
    mesh.wait_ready(lab, revision, timeout=1)
    assert not tool.changes("control_plane", **asked)


def _of(objects: list[Json], kind: str, name: str = "") -> Json:
    return next(
        item
        for item in objects
        if item["kind"] == kind
        and (not name or item["metadata"]["name"] == name)
        and item["metadata"]["name"] != "istio-reader-service-account"
    )


def _of_base(item: Json) -> bool:
    return item["kind"] == "CustomResourceDefinition" or item["metadata"]["name"] == "istio-reader-service-account"


def _only(revision: str) -> dict[str, str]:
    return {"fieldSelector": f"metadata.name=istiod-{revision}"}
