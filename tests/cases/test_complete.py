# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of an upgrade: nobody who needs the old control plane is forgotten, and nothing of it stays."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import istioctl, mesh, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster

from .conftest import REVISION, REVISION_VERSION, Namespaces, Planes
from .seen import PRIOR, annotations, proxies
from .stream import Stream
from .tool import RECORDED, Tool, control_plane, variables, written
from .users import with_verbs

ENABLED = {"istio-injection": "enabled"}
APPS = [samples.deployment("api")]
HELM = control_plane("any", "1.30.3")["helm"]
PARTS = tuple(istioctl.PATHS.values())
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture
def old(lab: Cluster, planes: Planes) -> str:
    """A control plane that stands, and that nothing needs."""
    name = f"old{secrets.token_hex(3)}"
    planes.append((lab, name))
    mesh.install_istiod(lab, revision=name)
    mesh.wait_ready(lab, name)
    return name


def virtual_service(name: str, **labels: str) -> Json:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "labels": labels},
        "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]},
    }


def test_nothing_that_needs_a_control_plane_is_forgotten(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, request: pytest.FixtureRequest
) -> None:
    """What ``istioctl uninstall`` goes over without a word (recorded: C), and more of that kind: each is named with its way out."""
    asking = namespaces({"istio.io/rev": old}, APPS)
    following = namespaces({"istio.io/rev": f"tag-{old}"}, wait=False)
    apart = namespaces({}, [samples.deployment("own", labels={"istio.io/rev": old})])
    for kind, more in (("CronJob", {}), ("Job", {"suspend": True})):
        later(lab, apart, kind, old, **more)
    rules = f"/apis/networking.istio.io/v1/namespaces/{apart}/virtualservices"
    lab.api.post(rules, virtual_service("web", **{"istio.io/rev": old}))
    tag_of(lab, old, request)
    caller(lab, old, request)
    dialling(lab, apart, "ztunnel", f"istiod-{old}.{mesh.NAMESPACE}.svc:15012", request)
    dialling(lab, apart, "elsewhere", "istiod.example.com:15012", request)

    told = " ".join(tool.fails("control_plane", revision=old, state="absent", helm=HELM).split())

    for words in (
        f'Control plane "{old}" is still needed.',
        f"gateways {apart}/ds/ztunnel why:",
        f'It cannot be told whether control plane "{old}" is still needed. where: pods {apart}/elsewhere-',
        f"namespaces {asking}",
        f"tag tag-{old}; namespaces {following} follow it",
        f"the pod templates of {apart}/deploy/own",
        f"{apart}/virtualservices.networking.istio.io/web",
        f"ValidatingWebhookConfiguration theirs-{old}",
        f"running proxies of {asking}/deploy/api, {apart}/deploy/own",
        f"kubectl -n {apart} patch deploy/own",
        f"the pod templates of {apart}/cronjob/later",
        f'kubectl -n {apart} patch cronjob/later --type merge -p \'{{"spec":{{"jobTemplate"',
        f"the pod templates of {apart}/job/later",
    ):
        assert words in told, told


def dialling(lab: Cluster, namespace: str, name: str, address: str, request: pytest.FixtureRequest) -> None:
    """A ztunnel as its chart makes it (1.30), with nothing but what it dials to say whose it is."""
    labels = {"app": name, "sidecar.istio.io/inject": "false"}
    container = {"name": "istio-proxy", "image": "docker.io/istio/ztunnel:1.30.3", "env": [{"name": "XDS_ADDRESS", "value": address}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    body = {"metadata": {"name": name}, "spec": {"selector": {"matchLabels": {"app": name}}, "template": template}}
    sets, pods = f"/apis/apps/v1/namespaces/{namespace}/daemonsets", f"/api/v1/namespaces/{namespace}/pods"
    lab.api.post(sets, body)
    lab.api.until(pods, bool, timeout=30, what=f"a pod of {name}", labelSelector=f"app={name}")

    def end() -> None:
        """Its pods, too: those that nobody can place would keep every control plane of the tests after this one."""
        lab.api.delete(f"{sets}/{name}")
        lab.api.until(pods, lambda found: not found, timeout=60, what=f"the end of {name}", labelSelector=f"app={name}")

    request.addfinalizer(end)


def later(lab: Cluster, namespace: str, kind: str, revision: str, **more: object) -> None:
    """Pods that ask for a revision, of which there is none now."""
    path, item = samples.workload(kind, "later", labels={"istio.io/rev": revision})
    item["spec"] |= more
    lab.api.post(path.format(namespace), item)


def test_a_job_at_night_keeps_the_control_plane_until_it_asks_for_another(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str
) -> None:
    name = namespaces({}, wait=False)
    later(lab, name, "CronJob", old)
    told = " ".join(tool.fails("control_plane", revision=old, state="absent", helm=HELM).split())
    command = re.search(r"patch cronjob/later --type merge -p '(.*)'", told)
    assert command, told
    lab.api.patch(f"/apis/batch/v1/namespaces/{name}/cronjobs/later", json.loads(command[1]))
    assert tool.changes("control_plane", revision=old, state="absent", helm=HELM)


def tag_of(lab: Cluster, old: str, request: pytest.FixtureRequest) -> None:
    name = f"tag-{old}"
    istioctl.tag_set(lab, name, old)
    for path in (istioctl.MUTATING, istioctl.PATHS["Service"]):
        request.addfinalizer(_deletion(lab, path, name))


def _deletion(lab: Cluster, path: str, tag: str) -> Callable[[], object]:
    return lambda: lab.api.delete(path, labelSelector=f"istio.io/tag={tag}")


def caller(lab: Cluster, old: str, request: pytest.FixtureRequest) -> None:
    """Somebody else's validator of something that never comes, at the old control plane's Service."""
    entry = {
        "name": "theirs.example.com",
        "clientConfig": {"service": {"name": f"istiod-{old}", "namespace": mesh.NAMESPACE, "path": "/validate"}},
        "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    lab.api.post(VALIDATORS, {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": f"theirs-{old}"}, "webhooks": [entry]})
    request.addfinalizer(lambda: lab.api.delete(f"{VALIDATORS}/theirs-{old}"))


def upgraded(tool: Tool, old: str, *waves: list[str], **more: object) -> None:
    tool.play("canary_upgrade", **variables(REVISION, REVISION_VERSION, waves=waves, **{"from": old}, **more)).succeeded()


def test_an_upgrade_comes_to_its_end(lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, clean_record: None) -> None:
    name = namespaces({"istio.io/rev": old}, APPS)
    upgraded(tool, old, [name])
    before = tool.writes()

    would = tool.play("complete", "--check", "--diff", mesh_helm=HELM).succeeded()
    assert tool.writes() == before, "check mode writes nothing"
    assert f"control plane {old} would be removed" in would.said

    with Stream(lab, name) as pods:
        tool.play("complete", mesh_helm=HELM).succeeded()
    assert pods.harmed == []
    assert left_of(lab, old) == []
    assert PRIOR not in annotations(lab, [name])[0]
    assert "completed" in tool.play("status").succeeded().said
    assert tool.play("complete", mesh_helm=HELM).succeeded().changed == 0

    written_so_far = tool.writes()
    back = tool.play("rollback")
    assert back.code != 0
    assert "There is no way back any more." in back.said
    assert tool.writes() == written_so_far


def test_a_completion_is_refused_before_anything_is_written(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, clean_record: None
) -> None:
    moving, staying = (namespaces({"istio.io/rev": old}, APPS) for _number in range(2))
    upgraded(tool, old, [moving])
    before = tool.writes()
    refused = tool.play("complete", mesh_helm=HELM)
    assert refused.code != 0
    for words in (f"namespaces {staying}", f"running proxies of {staying}/deploy/api", f"mesh_waves=[[{staying}]]"):
        assert words in refused.said, refused.text
    assert tool.writes() == before
    assert mesh.installed(lab, old)
    assert PRIOR in annotations(lab, [moving])[0], "the way back is open still"


def test_the_old_control_plane_stays_while_the_new_one_is_not_ready(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, revision: str
) -> None:
    """It was ready when the upgrade was done: what counts is how it is when the other goes."""
    name = namespaces({"istio.io/rev": old}, APPS)
    tool.play("canary_upgrade", **variables(revision, REVISION_VERSION, waves=[[name]], **{"from": old})).succeeded()
    before = tool.writes()
    mesh.scale(lab, revision, 0)
    refused = tool.play("complete", mesh_helm=HELM)
    assert refused.code != 0
    assert f'Control plane "{revision}", which is to take over, is not ready.' in refused.said
    assert "no ready endpoint" in refused.said
    assert tool.writes() == before
    assert mesh.installed(lab, old)
    assert PRIOR in annotations(lab, [name])[0], "the way back is open still"
    mesh.scale(lab, revision, 1)
    tool.play("complete", mesh_helm=HELM).succeeded()
    assert left_of(lab, old) == []


def test_who_may_not_remove_all_of_it_is_told_by_the_dry_run(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, clean_record: None
) -> None:
    """A user with every right but to delete."""
    name = namespaces({"istio.io/rev": old}, APPS)
    upgraded(tool, old, [name])
    with with_verbs(lab, tool.user, "get", "list", "watch", "create", "update", "patch") as login:
        would = tool.verb("control_plane", check_mode=True, revision=old, state="absent", successor=REVISION, helm=HELM, **login)
    assert "This user may not do all that the removal needs." in would["msg"]
    for kind in ("deployments.apps", "configmaps", "poddisruptionbudgets.policy"):
        assert f"delete {kind} in namespace {mesh.NAMESPACE}" in would["msg"]


def test_there_is_nothing_to_complete_before_an_upgrade_is_done(tool: Tool, clean_record: None) -> None:
    refused = tool.play("complete", mesh_helm=HELM)
    assert refused.code != 0
    assert "There is no upgrade to complete." in refused.said
    assert tool.writes() == []


POINTS = {
    "it was recorded": written(RECORDED),
    "the way back was given up": written("patch /api/v1/namespaces/[^/]*$"),
    "the first object was deleted": written("delete "),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_completion_that_was_killed_is_finished(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, clean_record: None, point: str
) -> None:
    name = namespaces({"istio.io/rev": old}, APPS)
    upgraded(tool, old, [name])
    tool.killed(POINTS[point], "complete", mesh_helm=HELM)
    tool.play("complete", mesh_helm=HELM).succeeded()
    assert left_of(lab, old) == []
    assert proxies(lab, [name]) == {REVISION}


def test_a_completion_that_fails_stands_paused_and_is_finished(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, clean_record: None, tmp_path: Path
) -> None:
    name = namespaces({"istio.io/rev": old}, APPS)
    upgraded(tool, old, [name])
    broken = tmp_path / "helm"
    broken.write_text(
        f'#!/bin/sh\ncase " $* " in *--dry-run*) ;; *" uninstall "*) echo "no space left" >&2; exit 1 ;; esac\nexec {HELM} "$@"\n'
    )
    broken.chmod(0o755)
    assert tool.play("complete", mesh_helm=str(broken)).code != 0
    status = tool.play("status").succeeded().said
    for words in ('paused at "Remove the old control plane"', "no space left", "run meshops.istio.complete again"):
        assert words in status, status
    tool.play("complete", mesh_helm=HELM).succeeded()
    assert "paused" not in tool.play("status").succeeded().said
    assert left_of(lab, old) == []


def left_of(lab: Cluster, revision: str) -> list[str]:
    """Objects with the label of a revision, of every kind that a control plane consists of."""
    selector = f"istio.io/rev={revision}"
    found = [(path, lab.api.get(path, labelSelector=selector)["items"]) for path in PARTS]
    return [f"{path}/{one['metadata']['name']}" for path, items in found for one in items]


def test_one_that_nothing_needs_goes(lab: Cluster, tool: Tool, old: str) -> None:
    gone = tool.verb("control_plane", revision=old, state="absent", successor=REVISION, helm=HELM)
    assert gone["changed"], gone
    assert not mesh.installed(lab, old)


@pytest.fixture
def fresh() -> Iterator[Cluster]:
    """A cluster of the test's own, without any mesh."""
    cluster = Cluster(f"fresh-{os.getpid()}")
    cluster.start(owned=True)
    try:
        yield cluster
    finally:
        cluster.stop()


def create(lab: Cluster, name: str, labels: dict[str, str], *deployments: Json) -> None:
    lab.api.post("/api/v1/namespaces", samples.namespace(name, labels))
    for one in deployments:
        lab.api.post(f"/apis/apps/v1/namespaces/{name}/deployments", one)
    samples.wait_ready(lab.api, [name])


def test_what_istioctl_has_installed_goes_and_its_default_tag_follows(fresh: Cluster, tmp_path: Path) -> None:
    """Form D: the default tag does the work of an unrevisioned control plane, and pods that follow it never notice."""
    istioctl.install(fresh)
    mesh.wait_ready(fresh)
    create(fresh, "shop", ENABLED, *APPS)
    create(fresh, "later", ENABLED)
    tool = Tool(fresh, tmp_path)
    tool.play("canary_upgrade", **variables(REVISION, REVISION_VERSION, waves=[["shop"]])).succeeded()
    before = tool.writes()
    refused = tool.play("complete", mesh_helm=HELM, mesh_default_tag="remove")
    assert (refused.code != 0, "namespaces later" in refused.said) == (True, True), refused.text
    assert tool.writes() == before
    with Stream(fresh, "later", "shop") as pods:
        tool.play("complete", mesh_helm=HELM).succeeded()
        pods.wait(REVISION)
    assert pods.harmed == []
    shared = (istioctl.PATHS["CustomResourceDefinition"], istioctl.PATHS["ServiceAccount"])
    assert [one for one in left_of(fresh, "default") if not one.startswith(shared) or "istiod" in one] == []
    validator = fresh.api.get(f"{VALIDATORS}/{istioctl.DEFAULT_VALIDATOR}")
    assert validator["webhooks"][0]["clientConfig"]["service"]["name"] == f"istiod-{REVISION}"
    rules = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
    fresh.api.post(rules, virtual_service("web"), dryRun="All")
    assert tool.play("complete", mesh_helm=HELM).succeeded().changed == 0


def test_nothing_happens_of_what_istioctl_uninstall_does(fresh: Cluster, tmp_path: Path) -> None:
    """The starting state of C (recorded): there, one namespace loses its sidecars silently, and in another no pod can start."""
    for revision, version in (("1-29-6", "1.29.6"), (REVISION, REVISION_VERSION)):
        istioctl.install(fresh, revision, version)
        mesh.wait_ready(fresh, revision)
    istioctl.tag_set(fresh, "prod", "1-29-6")
    create(fresh, "pay", {"istio.io/rev": "1-29-6"}, *APPS)
    create(fresh, "shop", {"istio.io/rev": "prod"})
    create(fresh, "old", ENABLED)
    tool = Tool(fresh, tmp_path)
    with Stream(fresh, "pay", "shop", "old") as pods:
        told = " ".join(tool.fails("control_plane", revision="1-29-6", state="absent", helm=HELM).split())
        pods.wait("1-29-6")
    assert pods.harmed == []
    for words in (
        "namespaces old, pay, shop",
        "tag prod; namespaces shop follow it",
        "tag default",
        f"ValidatingWebhookConfiguration {istioctl.DEFAULT_VALIDATOR}",
        "running proxies of pay/deploy/api",
    ):
        assert words in told, told


def test_a_gateway_that_carries_the_label_of_a_control_plane_stays(lab: Cluster, tool: Tool, old: str) -> None:
    """H (recorded): undoing the canary by ``istioctl uninstall`` deletes the ingress gateway that was re-pointed to it in place."""
    gateways = f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments"
    name = f"gateway-{old}"
    lab.api.post(gateways, samples.gateway(name, old))
    samples.wait_ready(lab.api, [mesh.NAMESPACE])
    try:
        refused = tool.fails("control_plane", revision=old, state="absent", helm=HELM)
        assert f"gateways {mesh.NAMESPACE}/deploy/{name}" in refused
        back = samples.gateway(name)["spec"]["template"]["metadata"]
        lab.api.patch(f"{gateways}/{name}", {"spec": {"template": {"metadata": back}}})
        samples.wait_ready(lab.api, [mesh.NAMESPACE])
        assert tool.changes("control_plane", revision=old, state="absent", helm=HELM)
        labels = lab.api.get(f"{gateways}/{name}")["metadata"]["labels"]
        assert labels["istio.io/rev"] == old, "it carries the label of the one that went, and is there"
    finally:
        lab.api.delete(f"{gateways}/{name}")
