# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each verb on a real API server: what it does, that a second run writes nothing, and how it fails."""

from __future__ import annotations

import json
import threading
import typing as t

import pytest

from tests.lab import istioctl, mesh, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster, condition
from tests.lab.stages import CRASH, FAULT, IMAGE_PULL, NEVER_READY, SLOW_START

from .conftest import Namespaces
from .seen import annotations, labels, limit_pods, proxies
from .tool import Tool, until

ENABLED = {"istio-injection": "enabled"}
NEW, VERSION = "1-30-3", "1.30.3"


def by_name(found: t.Iterable[Json], name: str) -> Json:
    return next(item for item in found if item["name"] == name)


# mesh_info


def test_mesh_info_says_what_is_true(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    enabled = namespaces(ENABLED, [samples.deployment("api"), samples.deployment("out", labels={"sidecar.istio.io/inject": "false"})])
    lost = namespaces(ENABLED, [samples.deployment("api")])
    stale = namespaces(ENABLED, [samples.deployment("api")])
    lab.api.patch(f"/api/v1/namespaces/{lost}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": "nosuch"}}})
    lab.api.patch(f"/api/v1/namespaces/{stale}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": NEW}}})
    found = tool.verb("mesh_info")
    assert not found["changed"]
    planes = {plane["revision"]: (plane["version"], plane["ready"]) for plane in found["control_planes"]}
    assert planes.items() >= {"default": ("1.29.6", True), NEW: (VERSION, True)}.items()
    assert {by_name(found["namespaces"], name)["gets"] for name in (enabled, lost, stale)} == {"default", None, NEW}
    standing = {(w["namespace"], w["name"]): (w["standing"], w["proxies"]) for w in found["workloads"]}
    assert standing[enabled, "api"] == ("current", {"default": 1})
    assert standing[enabled, "out"] == ("outside", {})
    assert standing[lost, "api"] == ("orphaned", {"default": 1})
    assert standing[stale, "api"] == ("stale", {"default": 1})
    injectors = {one["name"]: (one["revision"], one["disabled"], one["ca"]) for one in found["injectors"]}
    assert injectors["istio-sidecar-injector"] == ("default", False, True)
    assert any(line.startswith(lost) and "1 orphaned: no injector has that name" in line for line in found["report"])
    assert tool.writes() == []


@pytest.mark.parametrize("native", ["true", "false"])
def test_a_sidecar_is_found_as_container_and_native(lab: Cluster, tool: Tool, namespaces: Namespaces, native: str) -> None:
    name = namespaces({"istio.io/rev": NEW}, [samples.deployment("api", annotations={"sidecar.istio.io/nativeSidecar": native})])
    assert by_name([w for w in tool.verb("mesh_info")["workloads"] if w["namespace"] == name], "api")["standing"] == "current"
    assert tool.verb("proxy_check", namespaces=[name], revision=NEW, version=VERSION)["workloads"] == [f"{name}/deploy/api"]


# namespace_injection


def test_a_namespace_moves_and_comes_back_exactly(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces({**ENABLED, "team": "pay"})
    before = labels(lab, [name]), annotations(lab, [name])
    would = tool.verb("namespace_injection", check_mode=True, namespaces=[name], revision=NEW)
    assert (would["changed"], tool.writes()) == (True, [])
    moved = tool.verb("namespace_injection", namespaces=[name], revision=NEW)
    assert moved["diff"] == would["diff"]
    assert tool.writes() == [f"patch /api/v1/namespaces/{name}"], "labels and the way back are one patch"
    assert labels(lab, [name])[0].items() >= {"istio.io/rev": NEW, "team": "pay"}.items()
    assert json.loads(annotations(lab, [name])[0]["meshops.io/prior-injection"]) == {"istio-injection": "enabled", "istio.io/rev": None}
    assert not tool.changes("namespace_injection", namespaces=[name], revision=NEW)
    assert tool.changes("namespace_injection", state="restored", namespaces=[name])
    assert not tool.changes("namespace_injection", state="restored", namespaces=[name])
    assert (labels(lab, [name]), annotations(lab, [name])) == before
    assert len(tool.writes()) == 2


def test_a_revision_that_nobody_serves_is_refused(tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED)
    assert 'No injector here serves "istio.io/rev=nosuch"' in tool.fails("namespace_injection", namespaces=[name], revision="nosuch")
    assert "Some namespaces do not exist" in tool.fails("namespace_injection", namespaces=[name, "nosuch"], revision=NEW)


def test_the_way_back_is_refused_when_nobody_serves_it_any_more(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces({"istio.io/rev": NEW})
    prior = json.dumps({"istio-injection": None, "istio.io/rev": "gone"})
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"annotations": {"meshops.io/prior-injection": prior}}})
    assert 'No injector here serves "istio.io/rev=gone"' in tool.fails("namespace_injection", state="restored", namespaces=[name])


def test_somebody_else_may_change_the_namespace_meanwhile(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Each write meets a version that is not the one that was read; it is read and decided again."""
    name = namespaces(ENABLED)
    over = threading.Event()

    def meddle() -> None:
        number = 0
        while not over.is_set():
            number += 1
            lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"annotations": {"meddler": str(number)}}})

    meddler = threading.Thread(target=meddle)
    meddler.start()
    results = []
    try:
        while not tool.conflicts() or len(results) < 10:
            for options in ({"namespaces": [name], "revision": NEW}, {"namespaces": [name], "state": "restored"}):
                results.append(tool.verb("namespace_injection", **options))
            assert len(results) < 1000, "no conflict in a thousand writes: the meddler does not meddle"
    finally:
        over.set()
        meddler.join()
    failed = [str(result["msg"]) for result in results if result.get("failed")]
    assert all("changed five times" in message for message in failed), failed
    assert len(failed) < len(results), "not one got through"
    tool.verb("namespace_injection", namespaces=[name], revision=NEW)
    tool.verb("namespace_injection", namespaces=[name], state="restored")
    assert labels(lab, [name])[0]["istio-injection"] == "enabled"
    assert set(annotations(lab, [name])[0]) == {"meddler"}


# workload_restart and proxy_check


def move(lab: Cluster, name: str, revision: str = NEW) -> None:
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": revision}}})


def test_only_stale_workloads_restart_and_a_second_run_writes_nothing(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    deployments = [samples.deployment(name, 2) for name in ("api", "worker")]
    deployments.append(samples.deployment("out", labels={"sidecar.istio.io/inject": "false"}))
    name, lost = namespaces(ENABLED, deployments), namespaces(ENABLED, [samples.deployment("api")])
    would = tool.verb("workload_restart", check_mode=True, namespaces=[name], revision=NEW, version=VERSION)
    assert (would["predicted"], would["restarted"]) == (True, [f"{name}/deploy/api", f"{name}/deploy/worker"])
    move(lab, name)
    move(lab, lost, "nosuch")
    done = tool.verb("workload_restart", namespaces=[name, lost])
    assert done["restarted"] == would["restarted"]
    assert done["warnings"] == [f"deploy/api in {lost} has a sidecar and would get none now: it is orphaned, and not restarted."]
    assert proxies(lab, [name]) == {NEW, None}
    assert proxies(lab, [lost]) == {"default"}
    written = tool.writes()
    assert len(written) == 2
    assert not tool.changes("workload_restart", namespaces=[name, lost])
    assert tool.writes() == written


def test_no_more_than_so_many_roll_at_a_time(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment(f"app-{number}") for number in range(4)])
    move(lab, name)
    path = f"/apis/apps/v1/namespaces/{name}/deployments"
    most = 0
    over = threading.Event()

    def look() -> None:
        nonlocal most
        while not over.is_set():
            rolling = [one for one in lab.api.get(path)["items"] if one["metadata"]["generation"] > 1 and not mesh.rolled_out(one)]
            most = max(most, len(rolling))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        done = tool.verb("workload_restart", namespaces=[name], concurrency=1)
    finally:
        over.set()
        watcher.join()
    assert len(done["restarted"]) == 4
    assert most == 1


def test_a_rollout_that_is_under_way_is_waited_for_and_not_begun_again(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Somebody's deploy, or what a run that was killed has stamped: its new pods are the ones that are wanted."""
    name = namespaces(ENABLED, [samples.deployment("api")])
    move(lab, name)
    deploy = {"spec": {"template": {"metadata": {"annotations": {FAULT: SLOW_START}}}}}
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", deploy)
    done = tool.verb("workload_restart", namespaces=[name])
    assert (done["changed"], done["restarted"], tool.writes()) == (False, [], [])
    assert proxies(lab, [name]) == {NEW}


FAILURES = {
    "a crash loop, after the grace time": (CRASH, "CrashLoopBackOff"),
    "an image that cannot be pulled, after the grace time": (IMAGE_PULL, "ImagePullBackOff"),
}


@pytest.mark.parametrize(("fault", "reason"), FAILURES.values(), ids=FAILURES)
def test_a_rollout_that_cannot_succeed_fails_with_the_reason(
    lab: Cluster, tool: Tool, namespaces: Namespaces, fault: str, reason: str
) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    template = {"spec": {"template": {"metadata": {"annotations": {FAULT: fault}}}}}
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", {"spec": {"paused": True}})
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", template)
    move(lab, name)
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", {"spec": {"paused": None}})
    failed = tool.verb("workload_restart", namespaces=[name], grace_time=1)
    assert failed["failed"]
    assert reason in failed["error"]["reason"]
    assert f"deploy/api in {name} does not roll out" in failed["msg"]


def test_new_pods_that_nothing_admits_fail_at_once(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    move(lab, name)
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    failed = tool.verb("workload_restart", namespaces=[name], grace_time=300)
    assert 'violates PodSecurity "restricted:latest"' in failed["msg"]


def test_a_proof_of_the_wrong_revision_fails_at_once(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    assert "new pods get the sidecar of default" in tool.fails("proxy_check", namespaces=[name], revision=NEW)
    move(lab, name)
    told = tool.fails("proxy_check", namespaces=[name], revision=NEW)
    assert f"deploy/api in {name}, pod api-" in told
    assert "the sidecar of default, not of 1-30-3" in told


def test_a_proof_waits_for_pods_that_become_ready(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api", fault="slow-start")], wait=False)
    pods = f"/api/v1/namespaces/{name}/pods"
    lab.api.until(pods, bool, timeout=30, what="a pod")
    assert tool.verb("proxy_check", namespaces=[name])["workloads"] == [f"{name}/deploy/api"]
    assert any(line.startswith("proof: 0 of 1 done") for line in tool.said)


def test_a_proof_waits_for_all_that_has_something_to_prove(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Also for what this version never restarts, and is not done with it when the last Deployment is ready."""
    name = namespaces(ENABLED, [samples.deployment("api", fault=SLOW_START)], wait=False)
    db = samples.deployment("db", fault=NEVER_READY)
    lab.api.post(f"/apis/apps/v1/namespaces/{name}/statefulsets", db | {"kind": "StatefulSet"})
    lab.api.until(f"/api/v1/namespaces/{name}/pods", _running(2), timeout=30, what="the pods of both")
    late = tool.verb("proxy_check", namespaces=[name], wait_timeout=4)
    assert late["error"]["kind"] == "timeout", late
    assert f"sts/db in {name}" in late["msg"]
    assert "deploy/api" not in late["msg"], "it is ready by now"


def _running(number: int) -> t.Callable[[list[Json]], bool]:
    return lambda pods: sum(pod.get("status", {}).get("phase") == "Running" for pod in pods) >= number


def test_what_has_no_pods_though_it_should_is_a_fault(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, wait=False)
    limit_pods(lab, name, 0)
    deployments = f"/apis/apps/v1/namespaces/{name}/deployments"
    lab.api.post(deployments, samples.deployment("api", 2))
    lab.api.until(deployments, lambda found: condition(found[0], "ReplicaFailure"), timeout=30, what="the quota's refusal")
    failed = tool.fails("proxy_check", namespaces=[name], wait_timeout=1, grace_time=1)
    assert f"deploy/api in {name}: 0 of 2 pods" in failed


@pytest.mark.parametrize("verb", ["proxy_check", "workload_restart"])
def test_a_namespace_that_does_not_exist_is_no_namespace_without_faults(tool: Tool, verb: str) -> None:
    assert "Some namespaces do not exist" in tool.fails(verb, namespaces=["nosuch"])


def test_what_resolves_to_something_else_is_not_proved(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Nothing in it could show: its pods have no sidecar, and by its label that is just as it should be."""
    name = namespaces({"istio.io/rev": "typo"}, [samples.deployment("api")])
    told = tool.fails("proxy_check", namespaces=[name], revision=NEW)
    assert f"namespace {name}, label istio.io/rev=typo" in told


def test_a_deployment_may_be_made_anew_while_it_restarts(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """The first can never be ready, so that the restart ends by the second alone.

    That is restarted too where pods of the first are still there: they have its name, and it cannot be told whose they are.
    """
    name = namespaces(ENABLED, [samples.deployment("api", fault=NEVER_READY)], wait=False)
    lab.api.until(f"/api/v1/namespaces/{name}/pods", _running(1), timeout=30, what="its pod")
    move(lab, name)
    path = f"/apis/apps/v1/namespaces/{name}/deployments"

    def make_anew() -> None:
        until(lambda: bool(tool.restarts()), "the restart")
        lab.api.delete(f"{path}/api", propagationPolicy="Background")
        lab.api.post(path, samples.deployment("api"))

    somebody = threading.Thread(target=make_anew)
    somebody.start()
    try:
        done = tool.verb("workload_restart", namespaces=[name], wait_timeout=20)
    finally:
        somebody.join()
    assert not done.get("failed"), done["msg"]
    assert done["restarted"] == [f"{name}/deploy/api"]
    assert list(tool.restarts()) == [f"{name}/api"]
    samples.wait_ready(lab.api, [name])
    assert proxies(lab, [name]) == {NEW}


# upgrade_plan and upgrade_state


def test_a_plan_only_reads(tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api"), samples.deployment("worker")])
    plan = tool.verb("upgrade_plan", revision=NEW, waves=[[name]], from_revision="default")
    assert not plan["changed"]
    assert (plan["from_revision"], plan["waves"], plan["version"]) == ("default", [[name]], None)
    assert plan["moves"] == [{"namespace": name, "before": "istio-injection=enabled", "after": f"istio.io/rev={NEW}"}]
    assert plan["restarts"] == [f"{name}/deploy/api", f"{name}/deploy/worker"]
    assert tool.writes() == []


def test_what_was_ill_before_is_a_warning_and_blocks_nothing(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api"), samples.deployment("ill", fault=CRASH)], wait=False)
    lab.api.until(f"/api/v1/namespaces/{name}/pods", _running(2), timeout=30, what="both pods")
    lab.api.until(
        f"/apis/apps/v1/namespaces/{name}/deployments", lambda found: sum(map(mesh.rolled_out, found)) == 1, timeout=30, what="deploy/api"
    )
    plan = tool.verb("upgrade_plan", revision=NEW, waves=[[name]], from_revision="default")
    assert plan["restarts"] == [f"{name}/deploy/api", f"{name}/deploy/ill"]
    assert any(f"deploy/ill in {name}" in warning and "0 of 1 pods" in warning for warning in plan["warnings"]), plan["warnings"]
    assert not any("deploy/api" in warning for warning in plan["warnings"])


@pytest.fixture
def second_injector(lab: Cluster) -> t.Iterator[str]:
    """One more that takes what asks for the unrevisioned control plane. It would take the pods of every other test too."""
    name = "second-sidecar-injector"
    one = lab.api.get(f"{istioctl.MUTATING}/istio-sidecar-injector")
    lab.api.post(istioctl.MUTATING, {"metadata": {"name": name, "labels": {"istio.io/rev": NEW}}, "webhooks": one["webhooks"]})
    yield name
    lab.api.delete(f"{istioctl.MUTATING}/{name}")


def test_what_two_injectors_take_is_not_moved(tool: Tool, namespaces: Namespaces, second_injector: str) -> None:
    """Which sidecar stays depends on the order of their names, so that nothing that is predicted could be relied on."""
    name = namespaces(ENABLED, [samples.deployment("api")])
    told = tool.fails("upgrade_plan", revision="anew", waves=[[name]], from_revision="default")
    assert f'Pods in namespace "{name}" are taken by two injectors' in told
    assert "istio-sidecar-injector (default)" in told
    assert f"{second_injector} ({NEW})" in told


def test_the_record_says_where_to_go_on(tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    name = namespaces(ENABLED)
    asked = {"state": "started", "revision": NEW, "from_revision": "default", "waves": [[name]]}
    assert tool.verb("upgrade_state")["record"] is None
    begun = tool.verb("upgrade_state", **asked)
    assert (begun["changed"], begun["pending"]) == (True, [{"index": 0, "number": 1, "of": 1, "namespaces": [name]}])
    assert not tool.changes("upgrade_state", **asked)
    tool.verb("namespace_injection", namespaces=[name], revision=NEW)
    assert tool.changes("upgrade_state", state="advanced", wave=0)
    assert tool.verb("upgrade_state", state="finished")["record"]["phase"] == "done"
    written = tool.writes()
    for state in ({"state": "advanced", "wave": 0}, {"state": "finished"}, asked):
        assert not tool.changes("upgrade_state", **state), state
    assert tool.writes() == written
    assert "A rollback is under way" in _rolled_into(tool, asked)
    assert tool.verb("upgrade_state", state="rolled_back")["record"]["phase"] == "rolled back"


def _rolled_into(tool: Tool, asked: dict[str, t.Any]) -> str:
    assert tool.changes("upgrade_state", state="rolling_back")
    return tool.fails("upgrade_state", **asked)
