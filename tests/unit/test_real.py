# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which istiod the lab runs behind a pod, and with what: the stand-in, or a real one where the user has it."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from tests.lab import manifests, real
from tests.lab.standins import Simulated, program

Json = dict[str, t.Any]


def pod(image: str = "docker.io/istio/pilot:1.29.6", **environment: str) -> Json:
    named: Json = {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
    given: list[Json] = [{"name": name, "value": value} for name, value in environment.items()]
    container = {"name": "discovery", "image": image, "env": [*given, named]}
    return {
        "metadata": {"name": "istiod-x", "namespace": "istio-system"},
        "spec": {"serviceAccountName": "istiod", "containers": [container]},
    }


@pytest.fixture
def binaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both programs of 1.29.6."""
    for name in real.PROGRAMS:
        path = tmp_path / "1.29.6" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    monkeypatch.setenv(real.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_changes_nothing(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv(real.VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(real.VARIABLE, value)
    assert isinstance(program(pod(), Path("kubeconfig")), Simulated)


@pytest.mark.parametrize("image", ["docker.io/istio/pilot:1.29.6", "registry.example.com:5000/pilot:1.29.6-distroless"])
def test_the_version_of_the_image_chooses_the_program(binaries: Path, image: str) -> None:
    assert isinstance(program(pod(image), Path("kubeconfig")), real.Pilot)


def test_a_version_that_is_not_there_is_no_stand_in(binaries: Path) -> None:
    """What was to be judged by a real one must not be judged by ours unnoticed."""
    with pytest.raises(
        real.RealError, match=r"there is no .*/1\.30\.3/pilot-discovery; put istioctl and pilot-discovery of 1\.30\.3 there"
    ):
        program(pod("docker.io/istio/pilot:1.30.3"), Path("kubeconfig"))


def test_it_gets_the_environment_of_its_container_as_far_as_that_makes_sense_outside() -> None:
    given = real.environment(pod(REVISION="1-29-6", KUBECONFIG="/var/run/secrets/remote/config", CLUSTER_ID="eu"))
    expected = {
        "REVISION": "1-29-6",
        "CLUSTER_ID": "eu",
        "POD_NAME": "istiod-x",
        "POD_NAMESPACE": "istio-system",
        "SERVICE_ACCOUNT": "istiod",
    }
    assert {name: value for name, value in given.items() if name not in ("PATH", "HOME")} == expected


def test_values_of_the_chart_become_those_of_an_operator() -> None:
    values = {
        "revision": "x",
        "global": {"tag": "1.30.3", "network": "n1"},
        "autoscaleMin": 2,
        "meshConfig": {"enablePrometheusMerge": False},
        "sidecarInjectorWebhook": {"injectedAnnotations": {"a": "b"}},
    }
    assert manifests.operator(values, ["prod"]) == {
        "values": {
            "global": {"network": "n1"},
            "pilot": {"autoscaleMin": 2},
            "sidecarInjectorWebhook": {"injectedAnnotations": {"a": "b"}},
            "revisionTags": ["prod"],
        },
        "meshConfig": {"enablePrometheusMerge": False},
    }
