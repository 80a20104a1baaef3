# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab itself: it must fail where a real cluster fails, or the tests on it prove nothing."""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import istioctl, mesh, samples
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


WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
SERVICES = f"/api/v1/namespaces/{mesh.NAMESPACE}/services"


@pytest.mark.parametrize(("labels", "revision"), ASKS.values(), ids=ASKS)
def test_injection(lab: Cluster, namespaces: Namespaces, labels: dict[str, str], revision: str | None) -> None:
    name = namespaces(labels, [samples.deployment("api")])
    (pod,) = lab.api.get(f"/api/v1/namespaces/{name}/pods")["items"]
    assert _revision(pod) == revision


def test_control_planes_of_a_namespace_have_one_root_and_keep_it(lab: Cluster) -> None:
    hooks = [hook for kind in mesh.WEBHOOKS for item in lab.api.get(f"{WEBHOOKS}/{kind}")["items"] for hook in item["webhooks"]]
    bundles = {hook["clientConfig"].get("caBundle") for hook in hooks}
    assert len(bundles) == 1
    root = lab.api.get(f"/api/v1/namespaces/{mesh.NAMESPACE}/configmaps/istio-ca-root-cert")["data"]["root-cert.pem"]
    assert base64.b64decode(bundles.pop()).decode() == root


def test_a_proxy_is_a_native_sidecar_unless_its_pod_says_otherwise(lab: Cluster, namespaces: Namespaces) -> None:
    container = samples.deployment("container", annotations={"sidecar.istio.io/nativeSidecar": "false"})
    name = namespaces(samples.INJECTED, [samples.deployment("native"), container])
    pods = {pod["metadata"]["labels"]["app"]: pod for pod in lab.api.get(f"/api/v1/namespaces/{name}/pods")["items"]}
    assert [one["name"] for one in pods["native"]["spec"]["initContainers"]] == ["istio-init", "istio-proxy"]
    assert pods["native"]["status"]["initContainerStatuses"][1]["started"] is True
    assert [one["name"] for one in pods["container"]["spec"]["containers"]] == ["app", "istio-proxy"]
    assert all(map(_ready, pods.values()))


def test_of_its_ports_the_proxy_of_the_api_server_reaches_what_needs_no_login(lab: Cluster) -> None:
    monitoring = f"{SERVICES}/istiod:15014/proxy"
    assert lab.api.get(f"{monitoring}/version")["text"] == "1.29.6-local-Clean"
    assert "pilot_info" in lab.api.get(f"{monitoring}/metrics")["text"]
    with pytest.raises(ApiProblem) as refused:
        lab.api.get(f"{monitoring}/debug/syncz")
    assert refused.value.status == 401


def test_a_command_in_a_pod_asks_the_istiod_behind_that_very_pod(lab: Cluster) -> None:
    """As on a real node: over loopback it answers what it keeps from the API server's proxy."""
    for revision in ("default", "1-30-3"):
        pod = lab.api.get(f"/api/v1/namespaces/{mesh.NAMESPACE}/pods", labelSelector=f"app=istiod,istio.io/rev={revision}")["items"][0]
        command = ["kubectl", "-n", mesh.NAMESPACE, "exec", pod["metadata"]["name"], "-c", "discovery", "--"]
        asked = {
            path: subprocess.run(
                [*command, "pilot-discovery", "request", "GET", path],
                env=lab.environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            for path in ("/version", "/debug/syncz", "/nosuch")
        }
        version = mesh.VERSION if revision == "default" else mesh.NEWEST
        assert re.fullmatch(rf"{re.escape(version)}-\w+-Clean", asked["/version"].stdout), asked["/version"].stdout
        assert isinstance(json.loads(asked["/debug/syncz"].stdout), list)
        assert (asked["/nosuch"].returncode, "unexpected status code 404" in asked["/nosuch"].stderr) == (1, True)


def test_an_istiod_can_be_asked_what_it_would_do(lab: Cluster) -> None:
    """The label of the namespace plays no part: that is the API server's."""
    pod = {"apiVersion": "v1", "kind": "Pod", **POD}
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "u", "namespace": "default", "object": pod},
    }
    answer = lab.api.post(f"{SERVICES}/https:istiod-1-30-3:https-webhook/proxy/inject", review)["response"]
    changes = {one["path"]: one["value"] for one in json.loads(base64.b64decode(answer["patch"]))}
    assert changes["/metadata/annotations"]["istio.io/rev"] == "1-30-3"


def test_an_unknown_template_is_refused(lab: Cluster, namespaces: Namespaces) -> None:
    name = namespaces({"istio.io/rev": "1-30-3"})
    pod = POD | {"metadata": {"generateName": "p-", "annotations": {"inject.istio.io/templates": "nosuch"}}}
    with pytest.raises(ApiProblem, match='requested template "nosuch" not found; have ') as refused:
        lab.api.post(f"/api/v1/namespaces/{name}/pods", pod, dryRun="All")
    assert refused.value.status == 400


def test_as_istioctl_leaves_it_the_default_tag_does_the_work(other_lab: Cluster) -> None:
    items = {one["metadata"]["name"]: one for one in other_lab.api.get(istioctl.MUTATING)["items"]}
    (pod,) = other_lab.api.get("/api/v1/namespaces/shop/pods")["items"]
    assert _revision(pod) == "default"
    assert {json.dumps(hook["namespaceSelector"]) for hook in items["istio-sidecar-injector"]["webhooks"]} == {json.dumps(istioctl.NEVER)}
    tag = items[istioctl.DEFAULT_TAG]
    assert (tag["metadata"]["labels"]["istio.io/rev"], len(tag["webhooks"])) == ("default", 4)
    assert tag["webhooks"][0]["clientConfig"]["service"]["name"] == "istiod"
    validator = other_lab.api.get(f"{istioctl.VALIDATING}/{istioctl.DEFAULT_VALIDATOR}")
    assert validator["metadata"]["labels"]["istio.io/tag"] == "default"


@pytest.fixture
def lonely(lab: Cluster) -> Iterator[str]:
    """A control plane of its own, so that it can be broken; a tag of the same name with ``-tag`` points at it."""
    mesh.install_istiod(lab, revision="lonely", tags=["lonely-tag"])
    mesh.wait_ready(lab, "lonely")
    yield "lonely"
    mesh.uninstall(lab, "lonely")


def test_a_tag_gets_what_it_points_at(lab: Cluster, namespaces: Namespaces, lonely: str) -> None:
    name = namespaces({"istio.io/rev": f"{lonely}-tag"}, [samples.deployment("api")])
    (pod,) = lab.api.get(f"/api/v1/namespaces/{name}/pods")["items"]
    assert _revision(pod) == lonely
    assert lab.api.get(f"{SERVICES}/istiod-revision-tag-{lonely}-tag")["metadata"]["labels"]["istio.io/tag"] == f"{lonely}-tag"


def test_a_second_helm_upgrade_keeps_what_istiod_wrote(lab: Cluster, lonely: str) -> None:
    paths = (f"{istioctl.MUTATING}/istio-sidecar-injector-lonely", f"{istioctl.VALIDATING}/istio-validator-lonely-istio-system")

    def failing(found: list[Json]) -> bool:
        return all(one["webhooks"][0]["failurePolicy"] == "Fail" for one in found)

    wanted = {"fieldSelector": "metadata.name=istio-validator-lonely-istio-system"}
    lab.api.until(istioctl.VALIDATING, failing, timeout=20, what="the validator to insist", **wanted)
    before = [_written(lab.api.get(path)) for path in paths]
    mesh.install_istiod(lab, revision=lonely, tags=["lonely-tag"])
    assert [_written(lab.api.get(path)) for path in paths] == before
    assert all(bundle for one in before for bundle, _policy in one)


def test_a_bundle_that_was_lost_is_filled_in_again(lab: Cluster, lonely: str) -> None:
    path = f"{istioctl.MUTATING}/istio-sidecar-injector-lonely"
    before = _written(lab.api.get(path))
    lab.api.patch(path, [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}], "application/json-patch+json")

    def filled(found: list[Json]) -> bool:
        return [_written(one) for one in found] == [before]

    wanted = {"fieldSelector": "metadata.name=istio-sidecar-injector-lonely"}
    lab.api.until(istioctl.MUTATING, filled, timeout=20, what="the caBundle", **wanted)


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


def test_a_dead_istiod_refuses_pods_is_not_ready_and_comes_back(lab: Cluster, namespaces: Namespaces, lonely: str) -> None:
    mine = f"/api/v1/namespaces/{namespaces({'istio.io/rev': lonely})}/pods"
    pods = f"/api/v1/namespaces/{mesh.NAMESPACE}/pods"
    (pod,) = lab.api.get(pods, labelSelector=f"istio.io/rev={lonely}")["items"]
    name = pod["metadata"]["name"]
    (stand_in,) = [one for one in in_folder(lab.folder, MODULES) if name in Path(f"/proc/{one.pid}/cmdline").read_text()]
    os.kill(stand_in.pid, 9)
    with pytest.raises(ApiProblem, match="failed calling webhook"):  # it takes half a second until the next one starts
        lab.api.post(mine, POD, dryRun="All")

    def back(found: list[Json]) -> bool:
        return [one["status"]["containerStatuses"][0]["restartCount"] for one in found] == [1] and _ready(found[0])

    lab.api.until(pods, back, timeout=30, what="the pod to be ready again", fieldSelector=f"metadata.name={name}")
    assert _soon(lambda: _injected_by(lab, mine) == lonely)


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


MOMENTS = {
    "while the API server starts": lambda folder, _said: (folder / "kwokctl.log").exists(),
    "when Kubernetes answers": lambda _folder, said: "Kubernetes answers" in said,
    "when the control plane is there": lambda _folder, said: "is ready after" in said,
}


@pytest.mark.parametrize("reached", MOMENTS.values(), ids=list(MOMENTS))
def test_an_interrupted_start_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: Callable[[Path, str], bool]) -> None:
    monkeypatch.setenv("MESHOPS_LAB_DIR", str(tmp_path / "labs"))
    folder, log = tmp_path / "labs" / "lab", tmp_path / "log"
    with log.open("w") as out:
        up = subprocess.Popen([sys.executable, "-m", "tests.lab", "up"], cwd=CHECKOUT, stdout=out, stderr=out, start_new_session=True)
    try:
        assert _soon(lambda: reached(folder, log.read_text()), seconds=60), log.read_text()
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does it: to all of the foreground
        assert up.wait(30) == 130, log.read_text()
    finally:
        up.kill()
    assert not folder.exists()
    assert list(in_folder(folder, PROGRAMS)) == []


def test_an_owned_cluster_goes_with_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHOPS_LAB_DIR", str(tmp_path))
    program = "import os; from tests.lab.cluster import Cluster; Cluster('orphan').start(owned=True); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, check=False, timeout=120)
    cluster = Cluster("orphan")
    assert _soon(lambda: not cluster.folder.exists() and not list(in_folder(cluster.folder, PROGRAMS)))


def _soon(met: Callable[[], bool], seconds: float = 15) -> bool:
    """There is nothing to watch for what comes and goes by itself."""
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.1)
    return met()


def _revision(pod: Json) -> str | None:
    status = (pod["metadata"].get("annotations") or {}).get(STATUS)
    return json.loads(status)["revision"] if status else None


def _injected_by(lab: Cluster, pods: str) -> str | None:
    try:
        return _revision(lab.api.post(pods, POD, dryRun="All"))
    except ApiProblem:
        return None


def _written(configuration: Json) -> list[tuple[str | None, str]]:
    """What istiod writes into it."""
    return [(hook["clientConfig"].get("caBundle"), hook["failurePolicy"]) for hook in configuration["webhooks"]]


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
