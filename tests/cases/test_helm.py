# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""control_plane on a real API server: with a real helm, and with what a helm leaves behind that did not come to its end."""

from __future__ import annotations

import base64
import gzip
import json

from tests.lab import mesh
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster
from tests.lab.stages import FAULT, IMAGE_PULL

from .tool import Tool, control_plane, until

VERSION = "1.30.3"


def test_a_control_plane_comes_and_goes(lab: Cluster, tool: Tool, revision: str) -> None:
    asked = control_plane(revision, VERSION)
    would = tool.verb("control_plane", check_mode=True, **asked)
    assert (would["changed"], would["predicted"], tool.writes()) == (True, True, [])
    assert tool.verb("control_plane", **asked)["changed"]
    mesh.wait_ready(lab, revision, timeout=1)
    written = tool.writes()
    assert not tool.verb("control_plane", **asked)["changed"]
    assert tool.writes() == written
    changed = {**asked, "values": {"global": {"tag": VERSION}, "autoscaleMin": 2}}
    assert tool.verb("control_plane", **changed)["changed"]
    written = tool.writes()
    assert not tool.verb("control_plane", **changed)["changed"]
    assert tool.writes() == written
    assert tool.verb("control_plane", **asked, state="absent")["changed"]
    assert not mesh.installed(lab, revision)
    assert not tool.verb("control_plane", **asked, state="absent")["changed"]


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
    secrets = f"/api/v1/namespaces/{mesh.NAMESPACE}/secrets"
    (record,) = lab.api.get(secrets, labelSelector=f"owner=helm,name=istiod-{revision}")["items"]
    _as_killed(lab, f"{secrets}/{record['metadata']['name']}", record)
    again = tool.verb("control_plane", **asked, grace_time=1)
    assert again["changed"], again
    assert any("helm was killed during its last operation" in line for line in tool.said)
    assert not tool.verb("control_plane", **asked)["changed"]


def _as_killed(lab: Cluster, path: str, record: Json) -> None:
    """Helm's record as it is while helm works: the status stands in the label and, packed, in the release itself."""
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(record["data"]["release"]))))
    release["info"]["status"] = "pending-install"
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()
    lab.api.patch(path, {"metadata": {"labels": {"status": "pending-install"}}, "data": {"release": packed}})
