# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stories of whole upgrades, by playbook, as a user runs them. What came of it is asked of the API server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.lab import mesh, samples
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .seen import annotations, labels, limit_pods, proxies
from .tool import Tool, kill, until, variables

Point = Callable[[Sequence[str]], bool]
ENABLED = {"istio-injection": "enabled"}
VERSION = "1.30.3"
APPS = [samples.deployment("api"), samples.deployment("worker", 2)]


def restarts(tool: Tool) -> Counter[str]:
    """Of workloads; helm patches its own Deployment too."""
    patched = (write for write in tool.writes() if write.startswith("patch") and "/deployments/" in write)
    return Counter(write for write in patched if f"/{mesh.NAMESPACE}/" not in write)


def test_a_mesh_moves_in_two_waves_and_back(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    names = [namespaces({**ENABLED, "team": "pay"} if number else ENABLED, APPS) for number in range(3)]
    before = labels(lab, names), annotations(lab, names)
    asked = variables(revision, VERSION, waves=[names[:1], "team=pay"], exclude=[])

    planned = tool.play("canary_upgrade", "--check", "--diff", **asked).succeeded()
    assert tool.writes() == []
    assert (labels(lab, names), annotations(lab, names)) == before
    for name in names:
        assert f"{name}  istio-injection=enabled  istio.io/rev={revision}" in planned.text
    assert planned.text.count("2: deploy/api, deploy/worker") == 3

    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, names) == {revision}
    assert labels(lab, names) == [
        {**{k: v for k, v in was.items() if k != "istio-injection"}, "istio.io/rev": revision} for was in before[0]
    ]
    assert set(restarts(tool).values()) == {1}
    assert len(restarts(tool)) == 6

    written = tool.writes()
    again = tool.play("canary_upgrade", **asked).succeeded()
    assert (again.changed, tool.writes()) == (0, written)

    status = tool.play("status").succeeded().text
    assert f"upgrade to {revision}: done" in status

    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}

    written = tool.writes()
    again = tool.play("rollback").succeeded()
    assert (again.changed, tool.writes()) == (0, written)


def test_a_revisioned_mesh_moves_too(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    name = namespaces({"istio.io/rev": "1-30-3"}, APPS)
    other = namespaces(ENABLED, APPS)
    asked = variables(revision, VERSION)
    ambiguous = tool.play("canary_upgrade", **asked)
    assert "Several revisions could be the old one" in ambiguous.text
    assert tool.writes() == []
    tool.play("canary_upgrade", **asked, mesh_from="1-30-3").succeeded()
    assert (proxies(lab, [name]), proxies(lab, [other])) == ({revision}, {"default"})
    tool.play("rollback").succeeded()
    assert labels(lab, [name])[0]["istio.io/rev"] == "1-30-3"
    assert proxies(lab, [name]) == {"1-30-3"}


def test_an_unrevisioned_mesh_as_istioctl_leaves_it(other_lab: Cluster, tmp_path: Path) -> None:
    """The injector itself is disabled, and a default tag does its work (recorded: istioctl-behaviour, D)."""
    tool = Tool(other_lab, tmp_path)
    before = labels(other_lab, ["shop"])
    tool.play("canary_upgrade", **variables("1-30-3", VERSION)).succeeded()
    assert proxies(other_lab, ["shop"]) == {"1-30-3"}
    tool.play("rollback").succeeded()
    assert labels(other_lab, ["shop"]) == before
    assert proxies(other_lab, ["shop"]) == {"default"}


def _seen(pattern: str, times: int = 1) -> Point:
    """A point in a run: so many writes of this kind have been done."""
    return lambda writes: sum(bool(re.search(pattern, write)) for write in writes) >= times


STAMPED = r"patch .*/namespaces/t\w+-\d+/deployments/"
THERE = {
    "the record was begun": _seen("create .*/configmaps"),
    "helm has begun": _seen("create .*/secrets"),
    "the first namespace was moved": _seen(r"patch /api/v1/namespaces/t\w+-\d+$"),
    "the first Deployment was stamped": _seen(STAMPED),
    "wave 1 was recorded": _seen("patch .*/configmaps/meshops-upgrade"),
}
BACK = {
    "the rollback was recorded": _seen("patch .*/configmaps/meshops-upgrade"),
    "the first namespace has its labels back": _seen(r"patch /api/v1/namespaces/t\w+-\d+$"),
    "the first Deployment was stamped": _seen(STAMPED),
    "all Deployments were stamped": _seen(STAMPED, 4),
}


@pytest.mark.parametrize("there", THERE)
def test_an_upgrade_that_was_killed_goes_on_where_it_was(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, there: str
) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    asked = variables(revision, VERSION, waves=[names[:1], names[1:]], grace_time=5)
    _killed(tool, THERE[there], "canary_upgrade", **asked)
    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, names) == {revision}
    assert set(restarts(tool).values()) == {1}, "something was restarted twice"
    assert len(restarts(tool)) == 4


@pytest.mark.parametrize("back", BACK)
def test_a_rollback_that_was_killed_goes_on_where_it_was(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, back: str
) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names), annotations(lab, names)
    tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names])).succeeded()
    _killed(tool, BACK[back], "rollback")
    assert "A rollback is under way" in tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names])).text
    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}
    assert set(restarts(tool).values()) == {2}, "once there and once back"


def _killed(tool: Tool, point: Point, playbook: str, **asked: object) -> None:
    """Counted from now on. A run that comes to its end first was too fast: the point says nothing then, and the test fails."""
    done = len(tool.writes())
    process = tool.started(playbook, **asked)
    until(lambda: point(tool.writes()[done:]) or process.poll() is not None, "the point")
    assert process.poll() is None, "it was over before it could be killed"
    kill(process)


def test_a_failure_pauses_and_a_later_run_goes_on(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """A quota keeps the new pods of the second wave out; when it is raised, the same command finishes."""
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    limit_pods(lab, names[1], 3)
    asked = variables(revision, VERSION, waves=[names[:1], names[1:]], grace_time=1)
    paused = tool.play("canary_upgrade", **asked)
    assert paused.code != 0
    assert "exceeded quota" in paused.text
    assert "is paused; it failed at" in paused.text
    assert proxies(lab, names[:1]) == {revision}
    lab.api.delete(f"/api/v1/namespaces/{names[1]}/resourcequotas/tight")
    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, names) == {revision}
    assert set(restarts(tool).values()) == {1}


def test_clusters_go_in_batches_and_a_failed_one_stops_the_next(
    lab: Cluster, other_lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    name = namespaces(ENABLED, APPS)
    hosts = {
        "eu-1": {"mesh_kubeconfig": str(lab.kubeconfig), "mesh_waves": [["nosuch"]]},
        "eu-2": {"mesh_kubeconfig": str(other_lab.kubeconfig), "mesh_waves": [["shop"]]},
    }
    stopped = tool.play("canary_upgrade", hosts=hosts, **variables(revision, VERSION))
    assert stopped.code != 0
    assert "eu-2" not in stopped.text.partition("PLAY RECAP")[2]
    hosts["eu-1"]["mesh_waves"] = [[name]]
    tool.play("canary_upgrade", hosts=hosts, **variables(revision, VERSION)).succeeded()
    assert (proxies(lab, [name]), proxies(other_lab, ["shop"])) == ({revision}, {revision})


def test_a_cluster_that_fails_in_a_wave_stops_the_next_batch(
    lab: Cluster, other_lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """The failure is rescued, and a rescue that ended well would let the next batch start."""
    name = namespaces(ENABLED, APPS)
    limit_pods(lab, name, 3)
    hosts = {
        "eu-1": {"mesh_kubeconfig": str(lab.kubeconfig), "mesh_waves": [[name]]},
        "eu-2": {"mesh_kubeconfig": str(other_lab.kubeconfig), "mesh_waves": [["shop"]]},
    }
    stopped = tool.play("canary_upgrade", hosts=hosts, **variables(revision, VERSION, grace_time=1))
    assert stopped.code != 0
    assert "The upgrade of eu-1 is paused" in stopped.text
    assert tool.writes(other_lab) == []


def test_a_failed_wave_is_rolled_back_where_that_is_wished(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names), annotations(lab, names)
    limit_pods(lab, names[1], 3)
    failed = tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names[:1], names[1:]], grace_time=1, on_failure="rollback"))
    assert failed.code != 0
    assert "has been rolled back" in failed.text
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}


def test_two_hosts_that_are_one_cluster_are_refused(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    name = namespaces(ENABLED, APPS)
    hosts = {host: {"mesh_kubeconfig": str(lab.kubeconfig)} for host in ("eu-1", "eu-2")}
    together = ("-e", "{mesh_cluster_batches: ['100%']}")  # Ansible reads serial before there are hosts: no inventory can say it
    refused = tool.play("canary_upgrade", *together, hosts=hosts, **variables(revision, VERSION, waves=[[name]]))
    assert refused.code != 0
    assert "Two hosts of this play are the same cluster" in refused.text
    assert tool.writes() == []


def test_a_namespace_that_was_made_anew_is_left_alone_and_named(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names])).succeeded()
    lab.api.delete(f"/api/v1/namespaces/{names[0]}")
    lab.api.until("/api/v1/namespaces", lambda found: not found, timeout=60, what="it to go", fieldSelector=f"metadata.name={names[0]}")
    lab.api.post("/api/v1/namespaces", samples.namespace(names[0], {"istio.io/rev": revision}))
    back = tool.play("rollback").succeeded()
    assert f'Namespace "{names[0]}" was made anew since the upgrade began' in " ".join(back.text.split())
    assert [found.get("istio.io/rev") for found in labels(lab, names)] == [revision, None]


def test_the_old_control_plane_is_kept_until_nothing_needs_it(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    revision = "leaving"
    mesh.install_istiod(lab, revision=revision)
    mesh.wait_ready(lab, revision)
    try:
        name = namespaces({"istio.io/rev": revision}, APPS)
        refused = tool.fails("control_plane", revision=revision, state="absent", helm=variables("x", VERSION)["mesh_helm"])
        assert f'Control plane "{revision}" is still needed.' in refused
        assert name in refused
    finally:
        mesh.uninstall(lab, revision)
