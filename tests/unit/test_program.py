# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""helm and istioctl as programs: one that hangs, dies, talks beside its answer, or is not there; and what is rendered out of its answer."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._render import istioctl, manifests
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, check, offline
from ansible_collections.meshops.istio.plugins.module_utils._render.istioctl import Operator
from ansible_collections.meshops.istio.plugins.module_utils._render.manifests import Manifests
from ansible_collections.meshops.istio.plugins.module_utils._render.program import Program, ProgramError
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import check_once, check_rendering, parsed

Script = Callable[[str], str]
IS_1_30_3 = """[ "$1" = version ] && { echo '{"clientVersion": {"version": "1.30.3"}}'; exit 0; }\n"""
OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}"


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Makes a program of a shell script."""

    def make(text: str) -> str:
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return make


def test_one_that_hangs_is_ended_with_all_that_it_started(script: Script) -> None:
    """What it started holds the pipe open: as long as that lives, this does not end."""
    with pytest.raises(ProgramError) as hung:
        Program(script("echo asking for a password >&2; sleep 600 & wait"), "helm", "").run("upgrade", seconds=0.5)
    assert "helm upgrade did not come to an end" in hung.value.what
    assert "asking for a password" in hung.value.why


def test_one_that_dies_is_told_by_its_signal(script: Script) -> None:
    with pytest.raises(ProgramError, match="istioctl manifest died: it was killed by signal SIGKILL"):
        Program(script("kill -9 $$"), "istioctl", "").run("manifest")


@pytest.mark.parametrize("path", ["/nowhere/helm", "/etc/hostname"])
def test_one_that_cannot_be_run_says_what_to_do(path: str) -> None:
    with pytest.raises(ProgramError, match="There is no helm") as missing:
        Program(path, "helm", "install it").run("version")
    assert missing.value.do == "install it"


def test_what_a_program_says_beside_its_answer_is_a_warning(script: Script) -> None:
    said = f'echo "! values.global.x is deprecated" >&2; cat <<E\n{OBJECT}\nE'
    assert _operator(script(IS_1_30_3 + said)).rendered().warnings == ("! values.global.x is deprecated",)
    assert offline("istiod-x", "istio-system", Chart(script(said), "chart", None, {})).warnings == ("! values.global.x is deprecated",)


def test_the_environment_leads_no_program_elsewhere(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "HELM_KUBETOKEN", "ISTIOCTL_CONTEXT", "ISTIOCONFIG"):
        monkeypatch.setenv(name, "to-another-cluster")
    assert "to-another-cluster" not in Program(script("env"), "helm", "").run("x").out


# The IstioOperator


def _operator(path: str, given: object = None, **more: t.Any) -> Operator:
    asked: dict[str, t.Any] = {"version": "1.30.3", "hub": "hub", "profile": "minimal", **more}
    return Operator(istioctl=path, given=t.cast("t.Any", given), revision="1-30-3", istio_namespace="istio-system", **asked)


def _iop(**spec: object) -> dict[str, object]:
    return {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": spec}


@pytest.mark.parametrize("given", [None, _iop(), _iop(tag="1.30.3-distroless", hub="mine", profile="empty", revision="1-30-3")])
def test_revision_hub_and_tag_are_always_said(script: Script, tmp_path: Path, given: dict[str, t.Any] | None) -> None:
    path = script(IS_1_30_3 + f"cat > {tmp_path}/given; echo '{OBJECT}'")
    _operator(path, given).rendered()
    spec = yaml.safe_load((tmp_path / "given").read_text())["spec"]
    own = t.cast("dict[str, object]", (given or _iop())["spec"])
    said = {"hub": "hub", "tag": "1.30.3", "profile": "minimal", **own}
    assert {name: spec[name] for name in ("revision", "hub", "tag", "profile")} == {"revision": "1-30-3", **said}
    assert spec["values"]["global"]["istioNamespace"] == "istio-system"


WRONG: dict[str, tuple[object, str, str]] = {
    "another revision": (_iop(revision="1-29-6"), "is for something else", "spec.revision is 1-29-6"),
    "another revision in its values": (_iop(values={"revision": "x"}), "is for something else", "spec.values.revision is x"),
    "another namespace": (_iop(values={"global": {"istioNamespace": "x"}}), "is for something else", "istioNamespace is x"),
    "another version": (_iop(tag="1.29.6"), "is for something else", "spec.tag is 1.29.6"),
    "values that are none": (_iop(values=7), "The IstioOperator is wrong", "values: 7"),
    "no mapping": ("[1, 2]", "That is no IstioOperator", "[1, 2]"),
    "another kind": ({"apiVersion": "v1", "kind": "ConfigMap"}, "That is no IstioOperator", "it is v1 ConfigMap"),
    "no YAML": ("a: [", "The IstioOperator cannot be read", "line 1"),
    "two of them": ("a: 1\n---\nb: 2", "is not one document", "there are 2"),
    "nothing": ("", "is not one document", "there are 0"),
    "no text": (b"\xff\xfe\x00", "The IstioOperator cannot be read", "codec"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_a_wrong_operator_is_refused_before_istioctl_renders_it(script: Script, tmp_path: Path, case: tuple[object, str, str]) -> None:
    given, what, shown = case
    if isinstance(given, str | bytes):
        file = tmp_path / "operator.yaml"
        file.write_bytes(given if isinstance(given, bytes) else given.encode())
        given = str(file)
    with pytest.raises(MeshError) as refused:
        _operator(script(IS_1_30_3 + "echo rendered; exit 9"), given).rendered()
    assert what in refused.value.what
    assert shown in refused.value.text()


SAYS = {
    "another version": (
        """echo '{"clientVersion": {"version": "1.29.6"}}'""",
        "istioctl is of version 1.29.6, and 1.30.3 is to be rendered",
    ),
    "no version": ("""echo '{"clientVersion": {"version": "unknown"}}'""", "The version of istioctl cannot be told"),
    "nothing": ("exit 0", "The version of istioctl cannot be told"),
    "an error": ("echo 'Error: no' >&2; exit 1", "The version of istioctl cannot be told"),
    "no JSON": ("echo hello", "The version of istioctl cannot be told"),
}


@pytest.mark.parametrize(("says", "what"), SAYS.values(), ids=SAYS)
def test_an_istioctl_of_another_version_renders_nothing(script: Script, says: str, what: str) -> None:
    with pytest.raises(MeshError, match=what):
        _operator(script(says)).rendered()


def test_what_istioctl_says_no_to_is_told_with_its_words(script: Script) -> None:
    path = script(IS_1_30_3 + """echo 'Error: could not unmarshal: unknown field "foo"' >&2; exit 1""")
    with pytest.raises(istioctl.IstioctlError, match="cannot be rendered") as refused:
        _operator(path, _iop(foo=1)).rendered()
    assert refused.value.why == 'could not unmarshal: unknown field "foo"'


def test_an_operator_that_is_not_there_is_told(script: Script) -> None:
    with pytest.raises(MeshError, match="does not exist"):
        istioctl.check(_operator(script("exit 0"), "/nowhere/operator.yaml"))


CHARTS = "https://istio-release.storage.googleapis.com/charts"


@pytest.mark.parametrize("name", [f"{CHARTS}/istiod-1.30.3.tgz", "oci://registry.example.com/istiod", "istio/istiod"])
def test_a_chart_with_an_address_is_looked_for_by_helm(script: Script, name: str) -> None:
    check(Chart(script("exit 0"), name, "1.30.3", {}))


@pytest.mark.parametrize("name", ["/nowhere/istiod", "istiod-1.30.3.tgz"])
def test_a_chart_with_a_path_is_looked_for_on_the_disk(script: Script, name: str) -> None:
    with pytest.raises(MeshError, match="The chart does not exist"):
        check(Chart(script("exit 0"), name, "1.30.3", {}))


# Manifests, and what any rendering may hold


def test_manifests_are_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    names = {"one.yaml": "b", "two.yml": "a", "three.json": "c", "README.md": "no"}
    for file, name in names.items():
        (tmp_path / "folder" / file).write_text(f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}}}')
    listed = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: e}}"
    (tmp_path / "file").write_text(f"---\n{OBJECT.replace('name: a', 'name: d')}\n---\n# nothing\n---\n{listed}")
    found = Manifests((str(tmp_path / "folder"), str(tmp_path / "file"))).rendered().objects
    assert [item["metadata"]["name"] for item in found] == ["a", "b", "c", "d", "e"]


def test_manifests_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="do not exist") as missing:
        manifests.check(Manifests((str(tmp_path), "/nowhere/a", "/nowhere/b")))
    assert missing.value.where == "/nowhere/a, /nowhere/b"
    with pytest.raises(MeshError, match="holds no manifests"):
        Manifests((str(tmp_path),)).rendered()


NO_OBJECTS = {
    "no YAML": ("a: [", "A rendering is no YAML"),
    "a word": ("hello", "it is 'hello'"),
    "no kind": ("apiVersion: v1\nmetadata: {name: a}", "it lacks kind"),
    "no name": ("apiVersion: v1\nkind: Service", "it lacks metadata.name"),
    "something in a list": ("kind: List\nitems: [7]", "it is '7'"),
}


@pytest.mark.parametrize(("text", "says"), NO_OBJECTS.values(), ids=NO_OBJECTS)
def test_what_is_no_object_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(MeshError) as wrong:
        parsed(text, "this file")
    assert says in wrong.value.text()
    assert "this file" in wrong.value.text()


def test_the_same_object_twice_is_refused() -> None:
    with pytest.raises(MeshError, match="the same object twice"):
        check_once(parsed(f"{OBJECT}\n---\n{OBJECT}", ""))


def test_a_rendering_without_the_control_plane_is_refused() -> None:
    with pytest.raises(MeshError, match="The chart renders nothing"):
        check_rendering((), "1-30-3", None, "The chart")
    other = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: istiod, labels: {app: istiod, istio.io/rev: 1-29-6}}}"
    with pytest.raises(MeshError, match='renders no istiod of revision "1-30-3"') as refused:
        check_rendering(parsed(other, ""), "1-30-3", None, "The chart")
    assert "there is one of 1-29-6" in refused.value.where
