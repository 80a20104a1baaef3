# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""control_plane on a real API server: with a real helm, and with what a helm leaves behind that did not come to its end."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import shutil
import signal
import threading
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Helm, HelmError
from ansible_collections.meshops.istio.plugins.module_utils._verbs.source import shown
from tests.lab import mesh
from tests.lab.api import ApiProblem, Json
from tests.lab.build import binaries
from tests.lab.cluster import Cluster
from tests.lab.stages import FAULT, IMAGE_PULL

from .tool import Tool, control_plane, until

VERSION = "1.30.3"


def test_a_control_plane_comes_and_goes(lab: Cluster, tool: Tool, revision: str) -> None:
    asked = control_plane(revision, VERSION)
    would = tool.verb("control_plane", check_mode=True, **asked)
    assert (would["changed"], would["predicted"], tool.writes()) == (True, True, [])
    assert tool.changes("control_plane", **asked)
    mesh.wait_ready(lab, revision, timeout=1)
    written = tool.writes()
    assert not tool.changes("control_plane", **asked)
    assert tool.writes() == written
    changed = {**asked, "values": {"global": {"tag": VERSION}, "autoscaleMin": 2}}
    assert tool.changes("control_plane", **changed)
    written = tool.writes()
    assert not tool.changes("control_plane", **changed)
    assert tool.writes() == written
    assert tool.changes("control_plane", **asked, state="absent")
    assert not mesh.installed(lab, revision)
    assert not tool.changes("control_plane", **asked, state="absent")


def test_a_control_plane_whose_image_cannot_be_pulled_fails_at_once(tool: Tool, revision: str) -> None:
    values = {"global": {"tag": VERSION}, "podAnnotations": {FAULT: IMAGE_PULL}}
    failed = tool.verb("control_plane", **control_plane(revision, VERSION, values=values, grace_time=300))
    assert failed["failed"]
    assert "ImagePullBackOff" in failed["error"]["reason"]


def test_a_control_plane_that_admission_refuses_fails_at_once(lab: Cluster, tool: Tool, revision: str) -> None:
    admission = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    policy = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": f"!object.metadata.name.startsWith('istiod-{revision}')", "message": "not on a Friday"}],
    }
    lab.api.post(f"{admission}/validatingadmissionpolicies", {"metadata": {"name": revision}, "spec": policy})
    binding = {"policyName": revision, "validationActions": ["Deny"]}
    lab.api.post(f"{admission}/validatingadmissionpolicybindings", {"metadata": {"name": revision}, "spec": binding})
    probe = {"metadata": {"name": f"istiod-{revision}-probe"}, "spec": {"containers": [{"name": "app", "image": "app"}]}}
    try:
        until(lambda: _denied(lab, probe), "the policy to be in force")
        failed = tool.verb("control_plane", **control_plane(revision, VERSION, grace_time=300))
    finally:
        lab.api.delete(f"{admission}/validatingadmissionpolicybindings/{revision}")
        lab.api.delete(f"{admission}/validatingadmissionpolicies/{revision}")
    assert "not on a Friday" in failed["msg"]


def _denied(lab: Cluster, pod: Json) -> bool:
    try:
        lab.api.post("/api/v1/namespaces/default/pods", pod, dryRun="All")
    except ApiProblem as problem:
        return "not on a Friday" in problem.message
    return False


def test_a_control_plane_that_a_quota_keeps_out_fails_after_the_grace_time(lab: Cluster, tool: Tool, revision: str) -> None:
    quotas = f"/api/v1/namespaces/{mesh.NAMESPACE}/resourcequotas"
    lab.api.post(quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    lab.api.until(quotas, lambda found: "used" in found[0].get("status", {}), timeout=30, what="the quota")
    try:
        failed = tool.verb("control_plane", **control_plane(revision, VERSION, grace_time=1))
    finally:
        lab.api.delete(f"{quotas}/none")
    assert "exceeded quota" in failed["msg"]
    assert tool.verb("control_plane", **control_plane(revision, VERSION))["revision"] == revision


def test_an_operation_of_helm_that_was_killed_is_done_again(lab: Cluster, tool: Tool, revision: str) -> None:
    asked = control_plane(revision, VERSION)
    tool.verb("control_plane", **asked)
    _pending(lab, revision)
    again = tool.verb("control_plane", **asked, grace_time=1)
    assert again["changed"], again
    assert any("helm was killed during its last operation" in line for line in tool.said)
    assert not tool.changes("control_plane", **asked)


def test_what_a_killed_helm_left_can_be_removed(lab: Cluster, tool: Tool, revision: str) -> None:
    asked = control_plane(revision, VERSION)
    tool.verb("control_plane", **asked)
    _pending(lab, revision)
    assert tool.changes("control_plane", **asked, state="absent", grace_time=0)
    assert not mesh.installed(lab, revision)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_an_operation_of_somebody_elses_helm_is_waited_for_and_never_touched(lab: Cluster, tool: Tool, revision: str, state: str) -> None:
    asked = control_plane(revision, VERSION)
    tool.verb("control_plane", **asked)
    _pending(lab, revision, ours=False)
    told = tool.fails("control_plane", **asked, state=state, wait_timeout=1, grace_time=0)
    assert f"Another helm has been at work on release istiod-{revision} for 1 second." in told
    assert f"helm uninstall istiod-{revision} -n {mesh.NAMESPACE}" in told
    assert _record(lab, revision)["metadata"]["labels"]["status"] == "pending-install"


def test_an_operation_of_somebody_elses_helm_may_come_to_its_end(lab: Cluster, tool: Tool, revision: str) -> None:
    asked = control_plane(revision, VERSION)
    tool.verb("control_plane", **asked)
    finish = _pending(lab, revision, ours=False)
    timer = threading.Timer(1.5, finish)
    timer.start()
    try:
        assert not tool.changes("control_plane", **asked, grace_time=0)
    finally:
        timer.join()
    assert any("waiting for another helm, which has it as pending-install" in line for line in tool.said)


def _record(lab: Cluster, revision: str) -> Json:
    secrets = f"/api/v1/namespaces/{mesh.NAMESPACE}/secrets"
    (record,) = lab.api.get(secrets, labelSelector=f"owner=helm,name=istiod-{revision}")["items"]
    return t.cast("Json", record)


def _pending(lab: Cluster, revision: str, *, ours: bool = True) -> Callable[[], object]:
    """Helm's record as it is while helm works: the status stands in the label and, packed, in the release itself.

    Gives back what brings the operation to its end.
    """
    record = _record(lab, revision)
    path = f"/api/v1/namespaces/{mesh.NAMESPACE}/secrets/{record['metadata']['name']}"
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"]))))
    release["info"]["status"] = "pending-install"
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    labels = {"status": "pending-install"} | ({} if ours else {"meshops.io/number": None})
    lab.api.patch(path, {"metadata": {"labels": labels}, "data": {"release": packed}})
    return lambda: lab.api.patch(path, {"metadata": {"labels": {"status": "deployed"}}, "data": record["data"]})


def test_a_record_of_ours_is_marked_before_helm_does_anything(tool: Tool, revision: str, tmp_path: Path) -> None:
    """By a chart that helm takes minutes for, and dies in: its hook never comes to its end."""
    helm, pid = tmp_path / "helm", tmp_path / "pid"
    helm.write_text(f'#!/bin/sh\n[ "$1" = upgrade ] && echo $$ > {pid}\nexec {binaries() / "helm"} "$@"\n')
    helm.chmod(0o755)
    chart = tmp_path / "chart"
    shutil.copytree(mesh.CHARTS / "istiod", chart)
    (chart / "templates" / "hook.yaml").write_text(HOOK)
    asked = control_plane(revision, VERSION, helm=str(helm), chart=str(chart))
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(tool.verb, "control_plane", **asked)
        records = f"/api/v1/namespaces/{mesh.NAMESPACE}/secrets"
        chosen = f"owner=helm,name=istiod-{revision}"
        (record,) = tool.lab.api.until(records, bool, timeout=60, what="helm's record", labelSelector=chosen)
        os.kill(int(pid.read_text()), signal.SIGKILL)
        assert running.result()["failed"]
    labels = record["metadata"]["labels"]
    assert (labels["status"], labels["meshops.io/number"]) == ("pending-install", "1")


HOOK = """
apiVersion: v1
kind: Pod
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: pre-install, lab.meshops.io/fault: image-pull}
spec:
  restartPolicy: Never
  containers: [{name: hook, image: "registry.example.com/never"}]
"""


# What reaches helm, and what it says


def test_the_environment_does_not_lead_helm_elsewhere(lab: Cluster, tool: Tool, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    assert tool.verb("control_plane", **control_plane(revision, VERSION))["revision"] == revision
    assert mesh.installed(lab, revision)


ELSEWHERE = {
    "KUBECONFIG": "/nowhere/config",
    "HELM_KUBEAPISERVER": "https://127.0.0.1:1",
    "HELM_KUBETOKEN": "x",
    "HELM_KUBECONTEXT": "nosuch",
    "HELM_KUBEASUSER": "nobody",
    "HELM_NAMESPACE": "default",
    "HELM_DRIVER": "memory",
}


def test_a_path_may_begin_at_home(tool: Tool, revision: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "charts").symlink_to(mesh.CHARTS)
    (tmp_path / "bin").symlink_to(binaries())
    asked = control_plane(revision, VERSION, chart="~/charts/istiod", helm="~/bin/helm")
    monkeypatch.setenv("HOME", str(tmp_path))  # only now: the lab's programs are found by it too
    assert tool.changes("control_plane", check_mode=True, **asked)


def test_a_helm_that_is_not_there_is_told_where_a_control_plane_goes_too(tool: Tool, revision: str) -> None:
    told = tool.fails("control_plane", **control_plane(revision, VERSION, helm="/nowhere/helm", state="absent"))
    assert "There is no helm." in told
    assert "helm (mesh_helm)" in told


SAID = {
    "there is no release": ("Error: release: not found", False),
    "something else was not found": ('Error: Kubernetes cluster unreachable: context "x" not found', True),
}


@pytest.mark.parametrize(("said", "fails"), SAID.values(), ids=SAID)
def test_only_a_release_that_is_not_found_is_none(tmp_path: Path, said: str, fails: bool) -> None:
    helm = tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    helm.chmod(0o755)
    with pytest.raises(HelmError) if fails else contextlib.nullcontext():
        assert Helm(str(helm), "", "istio-system").release("istiod") is None


def test_a_diff_shows_that_a_secret_differs_and_not_what_it_is(tool: Tool, revision: str) -> None:
    def asked(password: str) -> dict[str, object]:
        values = {
            "global": {"tag": VERSION},
            "db": {"password": password, "name": "orders"},
            "env": [{"name": "API_KEY", "value": password}],
        }
        return control_plane(revision, VERSION, values=values)

    first = tool.verb("control_plane", **asked("hunter1"))
    second = tool.verb("control_plane", check_mode=True, **asked("hunter2"))
    assert "hunter" not in json.dumps([first, second])
    before, after = (second["diff"][side][f"release/istiod-{revision}"]["values"] for side in ("before", "after"))
    assert (before["db"], before["env"]) == ({"password": "(a secret)", "name": "orders"}, [{"name": "API_KEY", "value": "(a secret)"}])
    assert after["db"] == {"password": "(a secret, another one)", "name": "orders"}
    assert after["env"] == [{"name": "API_KEY", "value": "(a secret, another one)"}]


def test_secrets_are_told_by_their_names() -> None:
    values = {"apiToken": "a", "tls": {"key": "b", "cert": "c"}, "imagePullSecrets": ["d"], "tokenReview": True, "password": None}
    hidden = {"apiToken": "(a secret)", "tls": {"key": "(a secret)", "cert": "c"}, "imagePullSecrets": "(a secret)"}
    assert shown(values) == {**values, **hidden}
    assert shown(values, values) == shown(values)
