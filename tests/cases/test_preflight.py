# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan says of restarts, held against what the API server and its controllers make of the same objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster as Port
from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_info import VERB
from tests.lab import samples
from tests.lab.api import Json
from tests.lab.build import binaries
from tests.lab.cluster import NODES, Cluster

from .conftest import Namespaces
from .seen import limit_pods
from .tool import Facts, Tool

ENABLED = {"istio-injection": "enabled"}
NEW, VERSION = "1-30-3", "1.30.3"
SECRET = "c2VjcmV0IHdvcmRz"


def planned(tool: Tool, name: str) -> Facts:
    return tool.verb("upgrade_plan", revision=NEW, version=VERSION, waves=[[name]], from_revision="default")


def about(found: Facts, topic: str) -> dict[str, list[str]]:
    """By weight: each finding in one line."""
    told: dict[str, list[str]] = {}
    for one in found["findings"]:
        if one["topic"] == topic:
            told.setdefault(one["weight"], []).append(" | ".join((one["what"], one["where"], one["why"], one["do"])))
    return told


def line(lines: list[str], *words: str) -> str:
    found = [one for one in lines if all(word in one for word in words)]
    assert len(found) == 1, (words, lines)
    return found[0]


def with_pod(name: str, pod: Json, **spec: object) -> Json:
    made = samples.deployment(name)
    made["spec"]["template"]["spec"] |= pod
    made["spec"] |= spec
    return made


def volume(kind: str, **source: object) -> Json:
    return {"name": kind.lower(), kind: source}


def test_what_has_gone_since_pods_began_stops_the_plan(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Running pods show nothing of it; a restart would break them."""
    name = namespaces(ENABLED, wait=False)
    there = f"/api/v1/namespaces/{name}"
    lab.api.post(f"{there}/configmaps", {"metadata": {"name": "config"}})
    lab.api.post(f"{there}/secrets", {"metadata": {"name": "key"}, "data": {"password": SECRET}})
    lab.api.post(f"{there}/serviceaccounts", {"metadata": {"name": "robot"}})
    needs = {"volumes": [volume("configMap", name="config"), volume("secret", secretName="key")], "serviceAccountName": "robot"}
    path = f"/apis/apps/v1/namespaces/{name}/deployments"
    lab.api.post(path, with_pod("api", needs))
    lab.api.post(path, with_pod("lax", {"volumes": [volume("configMap", name="never", optional=True)]}))
    lab.api.post(path, with_pod("puller", {"imagePullSecrets": [{"name": "registry"}]}))
    samples.wait_ready(lab.api, [name])
    fine = about(planned(tool, name), "drift")
    assert list(fine) == ["warning"], fine
    line(fine["warning"], f"deploy/puller in {name}", "registry")

    for gone in ("configmaps/config", "secrets/key", "serviceaccounts/robot"):
        lab.api.delete(f"{there}/{gone}")
    before = tool.writes()
    found = planned(tool, name)
    assert found["failed"]
    assert tool.writes() == before
    told = about(found, "drift")["blocker"]
    assert len(told) == 3, told
    line(told, f"deploy/api in {name} could not restart: ConfigMap config is gone", "volume configmap")
    line(told, "Secret key is gone")
    line(told, "ServiceAccount robot is gone", "serviceAccountName")


def test_of_secrets_no_more_than_names_is_ever_sent(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(wait=False)
    lab.api.post(f"/api/v1/namespaces/{name}/secrets", {"metadata": {"name": "key"}, "data": {"password": SECRET}})
    options = ArgumentSpecValidator(argument_spec(VERB)).validate(tool.login()).validated_parameters
    port = Port(options, dry_run=True)
    found = [one for one in port.metadata_alone().items("/api/v1/secrets") if one["metadata"]["namespace"] == name]
    assert [one["metadata"]["name"] for one in found] == ["key"]
    assert SECRET not in json.dumps(found)


def test_what_the_api_server_would_keep_out_is_told_before(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """A quota and a LimitRange: told by the plan, and by the API server when it is asked for the very pod."""
    name = namespaces(ENABLED, [samples.deployment("api"), with_pod("calm", {}, strategy={"type": "Recreate"})])
    limit_pods(lab, name, 2)
    limits = {"limits": [{"type": "Container", "max": {"cpu": "50m"}}]}
    lab.api.post(f"/api/v1/namespaces/{name}/limitranges", {"metadata": {"name": "small"}, "spec": limits})
    told = about(planned(tool, name), "disruption")["warning"]
    line(told, f"deploy/api in {name} has no room in ResourceQuota tight", "pods: 2 of 2 used, 1 more")
    line(told, f"LimitRange small does not allow the new sidecar of deploy/api in {name}", "at most cpu 50m")
    line(told, "Nothing serves while these restart", f"deploy/calm in {name}", "Recreate")
    refused = tool.fails("injection_probe", question="probe", namespaces=[name], grace_time=0, wait_timeout=20)
    assert "a LimitRange does not allow it" in refused
    lab.api.delete(f"/api/v1/namespaces/{name}/limitranges/small")
    refused = tool.fails("injection_probe", question="probe", namespaces=[name], grace_time=0, wait_timeout=20)
    assert "quota tight does not allow it" in refused


def test_what_no_second_pod_can_stand_beside_stops_the_plan(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Required anti-affinity on as many nodes as there are pods, and a volume for one pod; the scheduler says the same."""
    name = namespaces(ENABLED, wait=False)
    like = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "apart"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [like]}}
    modes = {"accessModes": ["ReadWriteOncePod"], "storageClassName": ""}
    disk = {**modes, "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/nowhere"}, "claimRef": {"name": "data", "namespace": name}}
    lab.api.post("/api/v1/persistentvolumes", {"metadata": {"name": name}, "spec": disk})
    claim = {**modes, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name}
    lab.api.post(f"/api/v1/namespaces/{name}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": claim})
    path = f"/apis/apps/v1/namespaces/{name}/deployments"
    surge = {"strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    lab.api.post(path, with_pod("apart", {"affinity": apart}, replicas=NODES, **surge))
    lab.api.post(path, with_pod("single", {"volumes": [volume("persistentVolumeClaim", claimName="data")]}))
    samples.wait_ready(lab.api, [name])
    told = about(planned(tool, name), "disruption")["blocker"]
    line(told, f"deploy/apart in {name} would never come to the end of its restart", "kubernetes.io/hostname", "maxSurge")
    line(told, f"deploy/single in {name} would never come to the end of its restart", "data has access mode ReadWriteOncePod")

    for one in ("apart", "single"):
        lab.api.patch(f"{path}/{one}", {"spec": {"template": {"metadata": {"annotations": {"again": "1"}}}}})

    def kept_out(found: list[Json]) -> bool:
        return {"apart", "single"} == {pod["metadata"]["labels"]["app"] for pod in found if _unschedulable(pod)}

    lab.api.until(f"/api/v1/namespaces/{name}/pods", kept_out, timeout=30, what="the scheduler's word")
    lab.api.delete(f"/api/v1/persistentvolumes/{name}")


def _unschedulable(pod: Json) -> bool:
    return any(one.get("reason") == "Unschedulable" for one in pod.get("status", {}).get("conditions", []))


def applied(lab: Cluster, name: str, how: Sequence[str] = (), **metadata: object) -> None:
    """A namespace asks for injection, by kubectl itself."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, **metadata}}
    command = [str(binaries() / "kubectl"), "apply", *how, "-f", "-"]
    subprocess.run(command, env=lab.environment(), input=json.dumps(body), check=True, capture_output=True, text=True, timeout=60)


def test_who_would_set_a_label_back_is_named_with_what_to_change_in_git(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """The managedFields are the API server's, of real applies by each manager."""
    by_flux, by_argo, by_file, by_hand = (namespaces(wait=False) for _number in range(4))
    server_side = ("--server-side", "--force-conflicts", "--field-manager")
    applied(lab, by_flux, (*server_side, "kustomize-controller"), labels=ENABLED | {"kustomize.toolkit.fluxcd.io/name": "apps"})
    tracking = {"argocd.argoproj.io/tracking-id": f"storefront:/Namespace:{by_argo}/{by_argo}"}
    applied(lab, by_argo, (*server_side, "argocd-controller"), labels=ENABLED, annotations=tracking)
    applied(lab, by_file, labels=ENABLED)
    lab.api.patch(f"/api/v1/namespaces/{by_hand}", {"metadata": {"labels": ENABLED}}, fieldManager="kubectl-label")

    waves = [[by_flux, by_argo, by_file, by_hand]]
    found = tool.verb("upgrade_plan", revision=NEW, version=VERSION, waves=waves, from_revision="default")
    assert found["failed"]
    told = about(found, "ownership")
    flux = line(told["blocker"], "Flux manages label istio-injection", f"namespace {by_flux}", "Kustomization apps")
    assert f"in Git: istio.io/rev={NEW} in place of istio-injection=enabled" in flux
    line(told["warning"], "Argo CD manages label istio-injection", f"namespace {by_argo}", "application storefront", "selfHeal")
    line(told["note"], "stands in the file", f"namespace {by_file}", "kubectl apply")
    assert by_hand not in str(told)

    lab.api.patch(f"/api/v1/namespaces/{by_flux}", {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}})
    allowed = tool.verb("upgrade_plan", revision=NEW, version=VERSION, waves=waves, from_revision="default")
    assert not allowed.get("failed"), allowed["msg"]
