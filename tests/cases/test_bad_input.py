# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user gets wrong: one clear error before the first write, no traceback, the cluster untouched."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.lab import samples
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .rendered import generated, istioctl
from .seen import labels, proxies
from .tool import Tool, variables

VERSION = "1.30.3"
NS = "{ns}"
"""Stands for a namespace of the mesh."""


@dataclass(frozen=True)
class Case:
    says: tuple[str, ...]
    given: dict[str, t.Any] = field(default_factory=dict)


CASES = {
    "a revision with dots": Case(('"1.30.3" is not a revision name', "for example 1-30-3"), {"revision": "1.30.3"}),
    "the name of the unrevisioned one": Case(('cannot be "default"',), {"revision": "default"}),
    "a revision that runs another version": Case(
        ('Revision "1-30-3" belongs to another version', "runs 1.30.3", "mesh_version says 1.30.1"),
        {"revision": "1-30-3", "version": "1.30.1", "values": {"global": {"tag": "1.30.1"}}},
    ),
    "a chart of another version": Case(
        ("would get another version than expected", "version (mesh_version) says 1.30.1"),
        {"version": "1.30.1", "values": {"global": {"tag": VERSION}}},
    ),
    "a namespace in two waves": Case((f'Namespace "{NS}" is in two waves', "mesh_waves: 1 and 2"), {"waves": [[NS], [NS]]}),
    "a namespace that does not exist": Case(("Some namespaces do not exist", "wave 1: nosuch"), {"waves": [["nosuch", NS]]}),
    "an empty wave": Case(("A wave is empty", "wave 2"), {"waves": [[NS], []]}),
    "a selector that matches nothing": Case(("A wave is empty", 'matches "team=nosuch"'), {"waves": ["team=nosuch"]}),
    "a selector that is none": Case(('"team in pay" is not a label selector',), {"waves": ["team in pay"]}),
    "a wave that is neither": Case(("A wave is neither a list of namespaces nor a label selector",), {"waves": [{"a": 1}]}),
    "an old revision that is not there": Case(('There is no control plane "1-20-0" to come from',), {"from": "1-20-0"}),
    "a chart that is not there": Case(("The chart does not exist", "/nowhere/istiod"), {"chart": "/nowhere/istiod"}),
    "a chart that is not given": Case(("No chart is given",), {"chart": ""}),
    "no helm": Case(("There is no helm", "nohelm"), {"helm": "nohelm"}),
    "values that are none": Case(("The values for the chart are wrong", "global: x"), {"values": {"global": "x"}}),
    "values that the chart cannot take": Case(
        ("The chart cannot be rendered",), {"values": {"global": {"tag": VERSION}, "revisionTags": 7}}
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_wrong_variable(lab: Cluster, tool: Tool, a_namespace: str, case: Case) -> None:
    def filled(value: t.Any) -> t.Any:
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value.replace(NS, a_namespace) if isinstance(value, str) else value

    given = {"waves": [[NS]], **case.given}
    asked = variables(given.pop("revision", "bad-input"), given.pop("version", VERSION), **{key: filled(v) for key, v in given.items()})
    _refused(tool, tool.play("canary_upgrade", **asked).text, *(filled(text) for text in case.says))


OPERATOR = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator"}
DYING = """#!/bin/sh
[ "$1" = version ] && exec {istioctl} "$@"
echo half an answer; kill -9 $$
"""
RENDERED = {
    "an IstioOperator that does not parse": Case(
        ("The IstioOperator cannot be read", "broken.yaml"), {"istio_operator": "{files}/broken.yaml"}
    ),
    "an IstioOperator that is not there": Case(("The IstioOperator does not exist",), {"istio_operator": "/nowhere/operator.yaml"}),
    "an IstioOperator of another version": Case(
        ("The IstioOperator is for something else", "spec.tag is 1.29.6", "version (mesh_version) says 1.30.3"),
        {"istio_operator": {**OPERATOR, "spec": {"tag": "1.29.6"}}},
    ),
    "an IstioOperator of another revision": Case(
        ("spec.revision is 1-29-6", "revision (mesh_revision) says bad-input"),
        {"istio_operator": {**OPERATOR, "spec": {"revision": "1-29-6"}}},
    ),
    "an IstioOperator that renders nothing": Case(
        ("The IstioOperator renders nothing",), {"istio_operator": {**OPERATOR, "spec": {"profile": "empty"}}}
    ),
    "no istioctl": Case(("There is no istioctl", "mesh_istioctl"), {"istioctl": "/nowhere/istioctl"}),
    "an istioctl of another version": Case(
        ("istioctl is of version 1.30.3, and 1.29.6 is to be rendered", "name the istioctl of 1.29.6"), {"version": "1.29.6"}
    ),
    "an istioctl that dies": Case(("istioctl manifest died: it was killed by signal SIGKILL",), {"istioctl": "{files}/dying"}),
    "a helm that dies": Case(("helm show died: it was killed by signal SIGKILL",), {"provider": "helm", "helm": "{files}/dying"}),
    "manifests that are not given": Case(("No manifests are given",), {"provider": "manifests"}),
    "manifests that are not there": Case(("Some manifests do not exist",), {"provider": "manifests", "manifests": ["/nowhere/a"]}),
    "manifests that are none": Case(
        ("A rendering is no YAML", "broken.yaml"), {"provider": "manifests", "manifests": ["{files}/broken.yaml"]}
    ),
    "manifests of another revision": Case(
        ('What is in the manifests renders no istiod of revision "bad-input"', "there is one of 1-29-6"),
        {"provider": "manifests", "manifests": ["{files}/other"]},
    ),
    "manifests that hold what belongs to no control plane": Case(
        ("holds more than a control plane: 1 object outside of it", "ConfigMap shop/dashboards", "apply_shared (mesh_apply_shared)"),
        {"provider": "manifests", "manifests": ["{files}/right", "{files}/more.yaml"]},
    ),
}


@pytest.fixture(scope="module")
def files(lab: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the cases name: broken files, renderings, and an istioctl."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "broken.yaml").write_text("a: [")
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dashboards", "namespace": "shop"}}
    (folder / "more.yaml").write_text(yaml.safe_dump(theirs))
    for name, revision in {"right": "bad-input", "other": "1-29-6"}.items():
        (folder / name).mkdir()
        (folder / name / "all.yaml").write_text(yaml.safe_dump_all(generated(folder, revision, VERSION)))
    (folder / "dying").write_text(DYING.format(istioctl=istioctl(folder, VERSION)))
    (folder / "dying").chmod(0o755)
    return folder


@pytest.mark.parametrize("verb", ["upgrade_plan", "control_plane"])
@pytest.mark.parametrize("case", RENDERED.values(), ids=RENDERED)
def test_what_cannot_be_rendered(tool: Tool, files: Path, case: Case, verb: str) -> None:
    """By the plan, which comes first in an upgrade, and by the installation alone."""
    given = yaml.safe_load(yaml.safe_dump(case.given).replace("{files}", str(files)))
    asked = {"provider": "istioctl", "istioctl": istioctl(files, VERSION), "chart": "istiod", "version": VERSION, **given}
    told = tool.fails(
        verb, revision="bad-input", **asked, **({"install": True, "from_revision": "default"} if verb == "upgrade_plan" else {})
    )
    for text in case.says:
        assert text in told


def test_no_revision(lab: Cluster, tool: Tool) -> None:
    asked = variables("x", VERSION)
    del asked["mesh_revision"]
    _refused(tool, tool.play("canary_upgrade", **asked).text, "mesh_revision")


def test_no_cluster(lab: Cluster, tool: Tool) -> None:
    _refused(tool, tool.play("canary_upgrade", hosts={"eu-1": {}}, **variables("x", VERSION)).text, "No cluster is given", "KUBECONFIG")


def test_an_unreachable_cluster(lab: Cluster, tool: Tool, tmp_path: Path) -> None:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    hosts = {"eu-1": {"mesh_kubeconfig": str(_written(tmp_path, config))}}
    text = tool.play("canary_upgrade", hosts=hosts, **variables("x", VERSION)).text
    _refused(tool, text, "The API server cannot be reached", "Connection refused")


def test_a_token_without_rights(lab: Cluster, tool: Tool, namespaces: Namespaces, tmp_path: Path) -> None:
    """Each right that is missing is named."""
    name = namespaces({"istio-injection": "enabled"})
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default/token"
    token = lab.api.post(account, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})["status"]["token"]
    config = yaml.safe_load(lab.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    hosts = {"eu-1": {"mesh_kubeconfig": str(_written(tmp_path, config))}}
    tool.user = f"system:serviceaccount:{name}:default"
    process = tool.play("canary_upgrade", hosts=hosts, impersonate=False, **variables("x", VERSION, waves=[[name]]))
    _refused(
        tool,
        process.text,
        "This user may not do all that the upgrade needs",
        "list namespaces",
        "patch namespaces",
        "patch deployments.apps",
        "create configmaps in namespace istio-system",
        "create services/proxy in namespace istio-system",
        "create pods,",
        "delete namespaces",
        "create secrets in namespace istio-system",
        "create clusterroles.rbac.authorization.k8s.io",
    )


def test_a_login_program_that_fails_loses_nothing(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """Before the first write, and in the middle of a wave; when it works again the same command finishes."""
    name = namespaces({"istio-injection": "enabled"}, [samples.deployment("api")])
    config = yaml.safe_load(lab.kubeconfig.read_text())
    admin = config["users"][0]["user"]
    names = {"client-certificate": "clientCertificateData", "client-key": "clientKeyData"}
    credential = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {ours: _content(admin, theirs) for theirs, ours in names.items()},
    }
    (tool.folder / "credential").write_text(json.dumps(credential))
    script = f"""
        expired() {{ echo "the SSO session has expired" >&2; exit 3; }}
        test -e {tool.folder}/logged-in || expired
        test -e {tool.folder}/again || ! grep -q '/namespaces/{name}?fieldManager=meshops".*{tool.user}' {lab.audit_log} || expired
        cat {tool.folder}/credential
    """
    plugin = {"apiVersion": credential["apiVersion"], "command": "sh", "args": ["-c", script], "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    hosts = {"eu-1": {"mesh_kubeconfig": str(_written(tool.folder, config))}}
    asked = variables(revision, VERSION, waves=[[name]])
    failed = ("The program that logs in to the cluster failed.", "the SSO session has expired", "log in by hand")

    _refused(tool, tool.play("canary_upgrade", hosts=hosts, **asked).text, *failed)
    (tool.folder / "logged-in").touch()
    paused = tool.play("canary_upgrade", hosts=hosts, **asked)
    assert all(words in paused.said for words in (*failed, "The upgrade of eu-1 is paused")), paused.text
    assert (tool.restarts(), labels(lab, [name])[0]["istio.io/rev"]) == ({}, revision)
    (tool.folder / "again").touch()
    tool.play("canary_upgrade", hosts=hosts, **asked).succeeded()
    assert (proxies(lab, [name]), tool.restarts()) == ({revision}, {f"{name}/api": 1})


def _content(admin: dict[str, str], name: str) -> str:
    """Of a kubeconfig that names a file, or holds the text itself."""
    return Path(admin[name]).read_text() if name in admin else base64.b64decode(admin[f"{name}-data"]).decode()


def test_a_workload_that_nobody_knows_how_to_restart_blocks(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces({"istio-injection": "enabled"})
    path, item = samples.workload("Pod", "once")
    owner = {"apiVersion": "example.com/v1", "kind": "Cellar", "name": "wine", "uid": "0", "controller": True}
    item["metadata"]["ownerReferences"] = [owner]
    lab.api.post(path.format(name), item)
    text = tool.play("canary_upgrade", **variables("x", VERSION, waves=[[name]])).text
    _refused(tool, text, "nobody has said how a Cellar is restarted", f"cellar/wine in {name}")


def test_what_nobody_could_give_back_blocks(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """A typo in a label: the move would hide it, and a rollback to it would take the sidecars away."""
    lost, bare = (namespaces({"istio-injection": asks}, [samples.deployment("api")]) for asks in ("enabled", "disabled"))
    for name in (lost, bare):
        lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": "nosuch"}}})
    _refused(
        tool,
        tool.play("canary_upgrade", **variables("x", VERSION, waves=[[lost, bare]], **{"from": "default"})).text,
        f'Namespace "{lost}" would lose its sidecars',
        f'Namespace "{bare}" asks for what nobody serves',
        "label istio.io/rev=nosuch",
    )


@pytest.fixture
def a_namespace(namespaces: Namespaces) -> str:
    return namespaces({"istio-injection": "enabled"}, [samples.deployment("api")])


def _refused(tool: Tool, text: str, *says: str) -> None:
    joined = " ".join(text.split())
    for words in says:
        assert words in joined, text
    assert "Traceback" not in text
    assert "failed=1" in text
    assert tool.writes() == [], "something was written before the error"


def _written(folder: Path, config: object) -> Path:
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path
