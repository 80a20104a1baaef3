# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What breaks while an upgrade is under way: what the tool says, that no pod is lost, and that the same command finishes then."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab import mesh, outage, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster
from tests.lab.istiod.faults import FAILS, REFUSAL, REFUSES, SLOW_ANSWER, WRONG_CERTIFICATE
from tests.lab.stages import CRASH, FAULT, IMAGE_PULL, NEVER_READY, SLOW_END, SLOW_START

from .conftest import REVISION, Namespaces
from .seen import labels, limit_pods, pods, proxies
from .seen import revision as revision_of
from .throttle import throttled
from .tool import Ran, Tool, until, variables, written

ENABLED = {"istio-injection": "enabled"}
VERSION = "1.30.3"
APPS = [samples.deployment("api"), samples.deployment("worker", 2)]
STAMPED = r"patch .*/namespaces/t\w+-\d+/deployments/"


def upgrade(tool: Tool, revision: str, *waves: list[str], **more: t.Any) -> Ran:
    return tool.play("canary_upgrade", **variables(revision, VERSION, waves=waves, **more))


def stopped(ran: Ran, *says: str) -> None:
    """It has failed, with all of this in its message, and with what to do."""
    assert ran.code != 0, ran.text
    for words in says:
        assert words in ran.said, ran.text
    assert "Traceback" not in ran.text
    assert "run the same command again" in ran.said


# The new control plane

ISTIOD = {
    "refuses": (REFUSES, REFUSAL),
    "answers with 500": (FAILS, "an error on the server"),
    "is too slow": (SLOW_ANSWER, "deadline exceeded"),
    "has the wrong certificate": (WRONG_CERTIFICATE, "certificate signed by unknown authority"),
}


@pytest.mark.parametrize(("fault", "says"), ISTIOD.values(), ids=ISTIOD)
def test_a_new_control_plane_that(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, fault: str, says: str) -> None:
    """It is Ready, with endpoints and a caBundle: nothing but a pod can show that it does not work."""
    name = namespaces(ENABLED, APPS)
    before = labels(lab, [name])
    broken = {"global": {"tag": VERSION}, "podAnnotations": {FAULT: fault}}
    stopped(upgrade(tool, revision, [name], values=broken), says)
    assert (labels(lab, [name]), tool.restarts()) == (before, {}), "nothing was moved or restarted"
    upgrade(tool, revision, [name]).succeeded()
    assert proxies(lab, [name]) == {revision}


def test_a_new_control_plane_without_endpoints_gets_nothing(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    name = namespaces(ENABLED, APPS)
    mesh.install_istiod(lab, revision, VERSION)
    mesh.wait_ready(lab, revision)
    mesh.scale(lab, revision, 0)
    failed = upgrade(tool, revision, [name], wait_timeout=2)
    stopped(failed, "no ready endpoint of its Service")
    assert not any("/namespaces/t" in write for write in tool.writes()), "nothing was moved towards it"
    mesh.scale(lab, revision, 1)
    upgrade(tool, revision, [name]).succeeded()
    assert proxies(lab, [name]) == {revision}


def test_a_new_control_plane_that_goes_away_between_two_waves(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    first, second = namespaces(ENABLED, [samples.deployment("api", fault=SLOW_START)]), namespaces(ENABLED, APPS)
    asked = variables(revision, VERSION, waves=[[first], [second]], grace_time=1)
    process = tool.started("canary_upgrade", **asked)
    try:
        lab.api.until(f"/api/v1/namespaces/{first}/pods", _one_of(revision), timeout=120, what="the first pod of the new revision")
        mesh.scale(lab, revision, 0)
        text, _nothing = process.communicate(timeout=120)
    finally:
        process.kill()
    stopped(Ran(process.returncode, text), "no ready endpoint", second)
    assert (proxies(lab, [first]), proxies(lab, [second])) == ({revision}, {"default"})
    assert not any(second in write for write in tool.writes()), "the second wave was not touched"
    mesh.scale(lab, revision, 1)
    upgrade(tool, revision, [first], [second]).succeeded()
    assert proxies(lab, [first, second]) == {revision}
    assert set(tool.restarts().values()) == {1}


def _one_of(revision: str) -> Callable[[list[Json]], bool]:
    return lambda found: any(revision_of(pod) == revision for pod in found)


# The pods that it makes

SIDECARS = {
    "whose image cannot be pulled": (IMAGE_PULL, "ImagePullBackOff"),
    "that crashes": (CRASH, "CrashLoopBackOff"),
    "that never gets ready": (NEVER_READY, "nothing got further for 2 seconds"),
}


@pytest.mark.parametrize(("fault", "says"), SIDECARS.values(), ids=SIDECARS)
def test_a_new_sidecar(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, fault: str, says: str) -> None:
    """Whoever mends the control plane also has to have the pods made anew: what they were given does not change by itself."""
    name = namespaces(ENABLED, [samples.deployment("api", 2)])
    broken = {"global": {"tag": VERSION}, "sidecarInjectorWebhook": {"injectedAnnotations": {FAULT: fault}}}
    stopped(upgrade(tool, revision, [name], values=broken, wait_timeout=2, grace_time=1), says, f"deploy/api in {name}")
    assert sum(revision_of(pod) == "default" for pod in pods(lab, name)) == 2, "the old pods serve as before"
    mesh.install_istiod(lab, revision, VERSION)
    mesh.wait_ready(lab, revision)
    for pod in pods(lab, name):
        if revision_of(pod) == revision:
            lab.api.delete(f"/api/v1/namespaces/{name}/pods/{pod['metadata']['name']}")
    upgrade(tool, revision, [name]).succeeded()
    assert proxies(lab, [name]) == {revision}
    assert set(tool.restarts().values()) == {1}


def test_pods_that_take_their_time_to_go_are_waited_for(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """A new pod comes only when the old one has gone, and that takes longer than something may fail."""
    one = samples.deployment("api", annotations={SLOW_END: "yes"})
    one["spec"]["strategy"] = {"type": "Recreate"}
    name = namespaces(ENABLED, [one])
    upgrade(tool, REVISION, [name]).succeeded()
    assert proxies(lab, [name]) == {REVISION}
    assert set(tool.restarts().values()) == {1}


@dataclass(frozen=True)
class Limit:
    """What the cluster does not let in; ``set`` and ``lift`` are what an administrator does."""

    says: str
    set: Callable[[Cluster, str], object]
    lift: Callable[[Cluster, str], object]


def _pod_security(level: str | None) -> Callable[[Cluster, str], object]:
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": level}}}
    return lambda lab, name: lab.api.patch(f"/api/v1/namespaces/{name}", label)


LIMITS = {
    "a quota that is full": Limit(
        "exceeded quota",
        lambda lab, name: limit_pods(lab, name, 3),
        lambda lab, name: lab.api.delete(f"/api/v1/namespaces/{name}/resourcequotas/tight"),
    ),
    "Pod Security": Limit("Pod Security baseline:latest does not allow it", _pod_security("baseline"), _pod_security(None)),
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_what_keeps_new_pods_out(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None, limit: Limit) -> None:
    name = namespaces(ENABLED, APPS)
    before = len(pods(lab, name))
    limit.set(lab, name)
    stopped(upgrade(tool, REVISION, [name], grace_time=1), limit.says, name)
    assert (proxies(lab, [name]), len(pods(lab, name))) == ({"default"}, before)
    limit.lift(lab, name)
    upgrade(tool, REVISION, [name]).succeeded()
    assert proxies(lab, [name]) == {REVISION}
    assert set(tool.restarts().values()) == {1}


# The API server

AWAY = {"is gone, connections are refused": outage.gone, "hangs": outage.silent}


@pytest.mark.parametrize("away", AWAY.values(), ids=AWAY)
def test_an_api_server_that_is_away_for_five_seconds(
    lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None, away: Callable[[Cluster], t.ContextManager[None]]
) -> None:
    """In the middle of a wave: the run only takes longer."""
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    start = lab.audit_log.stat().st_size
    process = tool.started("canary_upgrade", **variables(REVISION, VERSION, waves=[names], restart_concurrency=1))
    try:
        until(lambda: written(STAMPED)(tool.writes(start=start)) or process.poll() is not None, "the first restart")
        assert process.poll() is None, "it was over before"
        with away(lab):
            threading.Event().wait(5)
        text, _nothing = process.communicate(timeout=120)
    finally:
        process.kill()
    Ran(process.returncode, text).succeeded()
    assert proxies(lab, names) == {REVISION}
    assert sorted(tool.restarts().values()) == [1] * 4, "each once"


def test_an_api_server_that_is_away_for_longer_is_told_while_it_is_waited_for(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api", fault=SLOW_START)])
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": REVISION}}})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(tool.verb, "workload_restart", namespaces=[name])
        until(lambda: written(STAMPED)(tool.writes()), "the restart")
        with outage.gone(lab):
            until(lambda: any("API server" in line for line in tool.said), "the line that says so")
        assert running.result(120)["restarted"] == [f"{name}/deploy/api"]
    assert proxies(lab, [name]) == {REVISION}


def test_an_api_server_that_has_too_much_to_do_for_a_moment(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, tmp_path: Path
) -> None:
    """At the start, when the record is made, and in the middle of a wave. What was turned away was not done: it is asked again."""
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    start = lab.audit_log.stat().st_size
    with throttled(lab, tmp_path) as throttle:
        hosts = {"lab": {"mesh_kubeconfig": str(throttle.kubeconfig)}}
        throttle.next = 2
        process = tool.started("canary_upgrade", hosts=hosts, **variables(revision, VERSION, waves=[names], restart_concurrency=1))
        try:
            for point in ("create .*/configmaps$", STAMPED):
                until(lambda point=point: written(point)(tool.writes(start=start)) or process.poll() is not None, point)
                throttle.next = 3
            text, _nothing = process.communicate(timeout=120)
        finally:
            process.kill()
    Ran(process.returncode, text).succeeded()
    assert len(throttle.refused) == 8
    assert proxies(lab, names) == {revision}
    assert sorted(tool.restarts().values()) == [1] * 4, "each once"


def test_an_api_server_that_goes_on_having_too_much_to_do(lab: Cluster, tool: Tool, namespaces: Namespaces, tmp_path: Path) -> None:
    name = namespaces(ENABLED, APPS)
    with throttled(lab, tmp_path) as throttle:
        throttle.next = 1000
        told = tool.fails("namespace_injection", namespaces=[name], revision=REVISION, kubeconfig=str(throttle.kubeconfig))
    assert "The API server has too much to do" in told
    assert "Too many requests" in told
    assert "run again later" in told
