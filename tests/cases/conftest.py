# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test on the lab shares: one cluster with two standing control planes, and namespaces of one's own."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import typing as t
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.lab import istioctl, mesh, real, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

from .tool import Tool

SERVICES = f"/api/v1/namespaces/{mesh.NAMESPACE}/services"
REVISION, REVISION_VERSION = "1-30-3", "1.30.3"

Namespaces = Callable[..., str]
Planes = list[tuple[Cluster, str]]


NEEDS_STAND_IN = {
    "test_bad_input.py": "it is refused before a control plane is asked",
    "test_charts.py": "it is about the lab's own charts",
    "test_examples.py": "it is about the documentation",
    "test_helm.py": "it is about helm and the lab's own chart",
    "test_inventory.py": "it is about the inventory",
    "test_stream.py": "it is about the lab",
    "test_a_new_control_plane_that[": "only the stand-in has this fault on demand",
    "test_it_is_as_strong_as_the_old_one[helm]": "helm's chart is a rendering there, which takes no values",
    "test_of_its_ports_": "a real one answers whoever comes over loopback, and that is where the lab's tunnel ends",
    "test_a_dead_istiod_": "it looks for the stand-in's process",
    "test_all_is_told_on_request": "its pods run no proxies, and a real one knows nobody",
    "test_what_istiods_say_is_held_": "its pods run no proxies, and a real one knows nobody",
    "test_everything_listens_": "a real one listens for debugging on all of localhost",
}
"""What a real Istio has no part in, or cannot be made to do: part of the test's id, and the reason."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items if real.wanted() else ():
        if why := next((why for part, why in NEEDS_STAND_IN.items() if part in item.nodeid), None):
            item.add_marker(pytest.mark.skip(reason=why))


@pytest.fixture(scope="session")
def lab() -> Iterator[Cluster]:
    """One cluster for the whole run; it goes with this process, however that ends."""
    cluster = Cluster(f"test-{os.getpid()}")
    cluster.start(owned=True)
    try:
        mesh.install_base(cluster)
        mesh.install_istiod(cluster)
        mesh.install_istiod(cluster, revision=REVISION, version=REVISION_VERSION)
        mesh.wait_ready(cluster)
        mesh.wait_ready(cluster, REVISION)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def planes() -> Iterator[Planes]:
    """Revisions of the test's own. They go after its namespaces, so that nothing looks as if it had lost its injector."""
    made: Planes = []
    yield made
    for cluster, name in made:
        mesh.uninstall(cluster, name)


@pytest.fixture
def namespaces(lab: Cluster, planes: Planes) -> Iterator[Namespaces]:
    """Makes namespaces with names that no other test has. After the test they are on their way out; none is waited for."""
    made: list[tuple[Cluster, str]] = []
    numbers = itertools.count(1)
    prefix = f"t{secrets.token_hex(3)}"

    def make(
        labels: Mapping[str, str] | None = None,
        deployments: t.Iterable[Json] = (),
        *,
        name: str = "",
        wait: bool = True,
        on: Cluster = lab,
    ) -> str:
        name = name or f"{prefix}-{next(numbers)}"
        on.api.post("/api/v1/namespaces", samples.namespace(name, labels))
        made.append((on, name))
        for one in deployments:
            on.api.post(f"/apis/apps/v1/namespaces/{name}/deployments", one)
        if wait:
            account = f"/api/v1/namespaces/{name}/serviceaccounts"
            on.api.until(account, bool, timeout=30, what=f"the service account of {name}", fieldSelector="metadata.name=default")
            samples.wait_ready(on.api, [name])
        return name

    yield make
    for cluster, name in made:
        with contextlib.suppress(ApiProblem):
            cluster.api.delete(f"/api/v1/namespaces/{name}", propagationPolicy="Background")


@pytest.fixture(scope="session")
def other_lab() -> Iterator[Cluster]:
    """A second cluster, whose unrevisioned mesh is as ``istioctl install`` leaves it, with its gateway and one namespace ``shop``."""
    cluster = Cluster(f"other-{os.getpid()}")
    cluster.start(owned=True)
    try:
        istioctl.install(cluster)
        mesh.wait_ready(cluster)
        # else its validators would still change by themselves while two answers are compared
        cluster.api.until(istioctl.VALIDATING, _all_insist, timeout=60, what="the validators' failurePolicy Fail")
        cluster.api.post(f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments", samples.gateway())
        cluster.api.post("/api/v1/namespaces", samples.namespace("shop", samples.INJECTED))
        cluster.api.post("/apis/apps/v1/namespaces/shop/deployments", samples.deployment("api"))
        samples.wait_ready(cluster.api, [mesh.NAMESPACE, "shop"])
        yield cluster
    finally:
        cluster.stop()


def _all_insist(validators: list[Json]) -> bool:
    return all(entry["failurePolicy"] == "Fail" for validator in validators for entry in validator["webhooks"])


@pytest.fixture(scope="session")
def third_lab() -> Iterator[Cluster]:
    """A third cluster, with an unrevisioned mesh and nothing in it."""
    cluster = Cluster(f"third-{os.getpid()}")
    cluster.start(owned=True)
    try:
        mesh.install_base(cluster)
        mesh.install_istiod(cluster)
        mesh.wait_ready(cluster)
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def tool(lab: Cluster, tmp_path: Path) -> Tool:
    """The collection, used by a user of its own."""
    return Tool(lab, tmp_path)


@pytest.fixture
def clean_record(request: pytest.FixtureRequest) -> Iterator[None]:
    """The record of an upgrade is one for a cluster: it goes before and after."""
    for cluster in _labs(request):
        _forget(cluster)
    yield
    for cluster in _labs(request):
        _forget(cluster)


@pytest.fixture
def revision(request: pytest.FixtureRequest, planes: Planes, clean_record: None) -> str:
    """A revision of the test's own, that is not there yet; its control planes go after the test."""
    name = f"r{secrets.token_hex(3)}"
    planes += [(cluster, name) for cluster in _labs(request)]
    return name


@pytest.fixture
def as_it_was(lab: Cluster) -> Iterator[None]:
    """Tags and webhooks of the cluster that all tests share are given back."""
    yield from given_back(lab)


def given_back(lab: Cluster) -> Iterator[None]:
    """Its webhooks and tags as they were before; the start of a test, and its end."""
    folders = (istioctl.MUTATING, istioctl.VALIDATING, SERVICES)
    before = {folder: {one["metadata"]["name"]: one for one in lab.api.get(folder)["items"]} for folder in folders}
    yield
    for folder, there in before.items():
        for now in lab.api.get(folder)["items"]:
            name = now["metadata"]["name"]
            if name not in there:
                lab.api.delete(f"{folder}/{name}")
            elif folder != SERVICES:
                metadata = there[name]["metadata"] | {"resourceVersion": now["metadata"]["resourceVersion"]}
                lab.api.put(f"{folder}/{name}", there[name] | {"metadata": metadata})
    for folder in folders:
        missing = before[folder].keys() - {one["metadata"]["name"] for one in lab.api.get(folder)["items"]}
        assert not missing, f"the test has removed {missing}"


def _labs(request: pytest.FixtureRequest) -> list[Cluster]:
    """The clusters that a test uses."""
    return [request.getfixturevalue(name) for name in ("lab", "other_lab", "third_lab") if name in request.fixturenames]


def _forget(lab: Cluster) -> None:
    with contextlib.suppress(ApiProblem):
        lab.api.delete(f"/api/v1/namespaces/{mesh.NAMESPACE}/configmaps/meshops-upgrade")
