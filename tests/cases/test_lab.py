# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it must fail where a real cluster fails, or the tests on it prove nothing."""

from __future__ import annotations

import ipaddress
import json
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import mesh, samples
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import CHECKOUT, MODULES, PROGRAMS, Cluster
from tests.lab.processes import in_folder
from tests.lab.stages import CRASH, IMAGE_PULL, NEVER_READY, SLOW_START

from .conftest import Namespaces

STATUS = "sidecar.istio.io/status"
POD = {"metadata": {"generateName": "p-"}, "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1"}]}}

ASKS = {
    "istio-injection=enabled gets the unrevisioned control plane": ({"istio-injection": "enabled"}, "default"),
    "istio.io/rev gets the control plane of that revision": ({"istio.io/rev": "1-30-3"}, "1-30-3"),
    "no label gets nothing": ({}, None),
}


@pytest.mark.parametrize(("labels", "revision"), ASKS.values(), ids=ASKS)
def test_injection(lab: Cluster, namespaces: Namespaces, labels: dict[str, str], revision: str | None) -> None:
    name = namespaces(labels, [samples.deployment("api")])
    (pod,) = lab.api.get(f"/api/v1/namespaces/{name}/pods")["items"]
    assert _revision(pod) == revision


@pytest.fixture
def lonely(lab: Cluster) -> Iterator[str]:
    """A control plane of its own, so that it can be broken."""
    mesh.install_istiod(lab, revision="lonely")
    mesh.wait_ready(lab, "lonely")
    yield "lonely"
    mesh.uninstall(lab, "lonely")


def test_without_a_ready_istiod_a_pod_is_refused(lab: Cluster, namespaces: Namespaces, lonely: str) -> None:
    name = namespaces({"istio.io/rev": lonely})
    pods = f"/api/v1/namespaces/{name}/pods"
    assert _revision(lab.api.post(pods, POD, dryRun="All")) == lonely
    plane = f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments/{mesh.release(lonely)}"
    lab.api.patch(f"{plane}/scale", {"spec": {"replicas": 0}})
    lab.api.until(
        f"/api/v1/namespaces/{mesh.NAMESPACE}/pods",
        lambda left: not left,
        timeout=30,
        what="its pods to go",
        labelSelector=f"istio.io/rev={lonely}",
    )
    with pytest.raises(ApiProblem, match="failed calling webhook") as refused:
        lab.api.post(pods, POD, dryRun="All")
    assert refused.value.status == 500


def test_a_dead_istiod_is_not_ready_and_comes_back(lab: Cluster, namespaces: Namespaces, lonely: str) -> None:
    pods = f"/api/v1/namespaces/{mesh.NAMESPACE}/pods"
    (pod,) = lab.api.get(pods, labelSelector=f"istio.io/rev={lonely}")["items"]
    name = pod["metadata"]["name"]
    (stand_in,) = [one for one in in_folder(lab.folder, MODULES) if name in Path(f"/proc/{one.pid}/cmdline").read_text()]
    os.kill(stand_in.pid, 9)

    def back(found: list[Json]) -> bool:
        return [one["status"]["containerStatuses"][0]["restartCount"] for one in found] == [1] and _ready(found[0])

    lab.api.until(pods, back, timeout=30, what="the pod to be ready again", fieldSelector=f"metadata.name={name}")


FAULTS = {
    IMAGE_PULL: ("Pending", "ImagePullBackOff"),
    CRASH: ("Running", "CrashLoopBackOff"),
    NEVER_READY: ("Running", None),
}


@pytest.mark.parametrize(("fault", "seen"), FAULTS.items(), ids=FAULTS)
def test_a_fault_shows_as_the_kubelet_would_show_it(lab: Cluster, namespaces: Namespaces, fault: str, seen: tuple[str, str | None]) -> None:
    name = namespaces({}, [samples.deployment("api", fault=fault)], wait=False)

    def shown(pods: list[Json]) -> bool:
        return bool(pods) and "containerStatuses" in pods[0]["status"]

    (pod,) = lab.api.until(f"/api/v1/namespaces/{name}/pods", shown, timeout=30, what="a status")
    (container,) = pod["status"]["containerStatuses"]
    assert (pod["status"]["phase"], container["state"].get("waiting", {}).get("reason")) == seen
    assert not _ready(pod)


def test_a_slow_pod_is_running_first_and_ready_later(lab: Cluster, namespaces: Namespaces) -> None:
    name = namespaces({}, [samples.deployment("api", fault=SLOW_START)], wait=False)
    pods = f"/api/v1/namespaces/{name}/pods"
    (pod,) = lab.api.until(pods, lambda all_: any(p["status"]["phase"] == "Running" for p in all_), timeout=30, what="a running pod")
    assert not _ready(pod)
    lab.api.until(pods, lambda all_: all(map(_ready, all_)), timeout=30, what="a ready pod")


def test_everything_listens_on_loopback_only(lab: Cluster) -> None:
    listening = {one.name: _listens(one.pid) for one in in_folder(lab.folder, PROGRAMS)}
    addresses = {address for found in listening.values() for address in found}
    assert "127.0.0.1" in addresses
    assert all(address.startswith("127.") or address == "::1" for address in addresses), listening


def test_down_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder as long as this one also needs a socket elsewhere: its path would be too long for the kernel."""
    monkeypatch.setenv("MESHOPS_LAB_DIR", str(tmp_path / ("long" * 20)))
    cluster = Cluster("short-lived")
    cluster.start()
    started = cluster.processes()
    socket = Path(json.loads((cluster.folder / "processes.json").read_text())["socket"])
    assert cluster.running()
    assert len(started) >= 6
    assert socket.exists()
    down = subprocess.run([sys.executable, "-m", "tests.lab", "down", "--name", cluster.name], cwd=CHECKOUT, check=False, timeout=60)
    assert down.returncode == 0
    assert [one for one in started if one.alive] == []
    assert not cluster.folder.exists()
    assert not socket.parent.exists()


def test_an_owned_cluster_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHOPS_LAB_DIR", str(tmp_path))
    program = "import os; from tests.lab.cluster import Cluster; Cluster('orphan').start(owned=True); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, check=False, timeout=120)
    cluster = Cluster("orphan")
    assert _soon(lambda: not cluster.folder.exists() and not list(in_folder(cluster.folder, PROGRAMS)))


def _soon(met: Callable[[], bool]) -> bool:
    """There is nothing to watch for what goes by itself."""
    deadline = time.monotonic() + 15
    while not met() and time.monotonic() < deadline:
        time.sleep(0.1)
    return met()


def _revision(pod: Json) -> str | None:
    status = (pod["metadata"].get("annotations") or {}).get(STATUS)
    return json.loads(status)["revision"] if status else None


def _ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", []))


def _listens(pid: int) -> set[str]:
    """Addresses of the process's listening TCP sockets, from the kernel's tables."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            inodes.add(os.readlink(link))
        except OSError:  # closed meanwhile
            continue
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:  # 0A is LISTEN
                found.add(_address(fields[1].split(":")[0]))
    return found


def _address(text: str) -> str:
    """The kernel prints addresses as words in host order."""
    raw = b"".join(struct.pack("=I", int(text[start : start + 8], 16)) for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(raw))
