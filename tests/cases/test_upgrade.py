# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stories of whole upgrades, by playbook, as a user runs them. What came of it is asked of the API server."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.lab import mesh, samples
from tests.lab.cluster import Cluster
from tests.lab.stages import NEVER_READY

from .conftest import Namespaces, Planes
from .seen import PRIOR, annotations, labels, limit_pods, moved, proxies
from .tool import RECORDED, Tool, variables, written

ENABLED = {"istio-injection": "enabled"}
VERSION = "1.30.3"
APPS = [samples.deployment("api"), samples.deployment("worker", 2)]


def test_a_mesh_moves_in_two_waves_and_back(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    names = [namespaces({**ENABLED, "team": "pay"} if number else ENABLED, APPS) for number in range(3)]
    before = labels(lab, names), annotations(lab, names)
    asked = variables(revision, VERSION, waves=[names[:1], "team=pay"], exclude=[])

    planned = tool.play("canary_upgrade", "--check", "--diff", **asked).succeeded()
    file = tool.folder / "plans" / "lab.json"
    told = tool.play("plan", **asked, mesh_plan_file="plans/lab.json", mesh_plan="yesterday.json").succeeded()
    assert _report(told.text) == _report(planned.text), "--check of the upgrade says the same as the plan"
    assert [wave["namespaces"] for wave in json.loads(file.read_text())["waves"]] == [names[:1], sorted(names[1:])]
    assert tool.writes() == []
    assert (labels(lab, names), annotations(lab, names)) == before
    for name in names:
        assert f"{name}  istio-injection=enabled  istio.io/rev={revision}" in planned.text
    assert planned.text.count("2: deploy/api, deploy/worker") == 3

    tool.play("canary_upgrade", **asked, mesh_plan=str(file)).succeeded()
    assert proxies(lab, names) == {revision}
    assert labels(lab, names) == [moved(was, revision) for was in before[0]]
    assert set(tool.restarts().values()) == {1}
    assert len(tool.restarts()) == 6

    done = tool.writes()
    again = tool.play("canary_upgrade", **asked, mesh_plan="plans/lab.json").succeeded()
    assert (again.changed, tool.writes()) == (0, done)

    status = tool.play("status").succeeded().text
    assert f"upgrade to {revision}: done" in status

    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}

    done = tool.writes()
    again = tool.play("rollback").succeeded()
    assert (again.changed, tool.writes()) == (0, done)


def _report(text: str) -> str:
    """What a run has printed of its plan, which a line that is empty ends."""
    return text[text.index("predicted: ") : text.index("\n\nTASK", text.index("WARNINGS ("))]


def test_a_plan_that_is_not_true_any_more_is_refused_and_says_why(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    name = namespaces(ENABLED, APPS)
    asked = variables(revision, VERSION, waves=[[name]])
    kept = tool.verb("upgrade_plan", revision=revision, version=VERSION, waves=[[name]])["plan"]
    (tool.folder / "plan.json").write_text(json.dumps(kept))
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": "default"}}})
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/api", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}})
    lab.api.delete(f"/apis/apps/v1/namespaces/{name}/deployments/worker")
    refused = tool.play("canary_upgrade", **asked, mesh_plan="plan.json")
    assert refused.code != 0
    for what in (
        f"namespace {name}: label istio-injection was enabled, is -",
        f"deploy/api in {name}: strategy was",
        f"deploy/worker in {name}: it is gone",
    ):
        assert what in refused.said
    kept["waves"] = []
    (tool.folder / "plan.json").write_text(json.dumps(kept))
    assert "it was edited, or cut off" in tool.play("canary_upgrade", **asked, mesh_plan="plan.json").said
    assert tool.writes() == []


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


def test_an_unrevisioned_mesh_as_istioctl_leaves_it(other_lab: Cluster, namespaces: Namespaces, revision: str, tmp_path: Path) -> None:
    """The injector itself is disabled, and a default tag does its work (recorded: istioctl-behaviour, D).

    Its gateways, of the installer and of Gateway API, are proxies that no injector makes: they are nothing to move, restart or miss.
    """
    tool = Tool(other_lab, tmp_path)
    names = ["shop", namespaces(ENABLED, [samples.deployment("api"), samples.gateway("edge-istio", managed=True)], on=other_lab)]
    before = labels(other_lab, names)
    gateways = {(mesh.NAMESPACE, "istio-ingressgateway"), (names[1], "edge-istio")}
    assert {(w["namespace"], w["name"]) for w in tool.verb("mesh_info")["gateways"]} == gateways
    upgraded = tool.play("canary_upgrade", **variables(revision, VERSION)).succeeded()
    assert "orphaned" not in upgraded.text
    assert proxies(other_lab, names) == {revision, None}
    tool.play("rollback").succeeded()
    assert labels(other_lab, names) == before
    assert proxies(other_lab, ["shop"]) == {"default"}
    assert set(tool.restarts()) == {f"{name}/api" for name in names}
    assert not any(write.endswith(("/istio-ingressgateway", "/edge-istio")) for write in tool.writes())


AT_RANDOM = random.randint(2, 20)
RELABELLED = r"patch /api/v1/namespaces/t\w+-\d+$"
STAMPED = r"patch .*/namespaces/t\w+-\d+/deployments/"
THERE = {
    "the record was begun": written("create .*/configmaps$"),
    "helm wrote its first Secret": written("create .*/secrets$"),
    "the scratch namespace was made": written("create /api/v1/namespaces$"),
    "the first namespace was moved": written(RELABELLED),
    "the first Deployment was stamped": written(STAMPED),
    "wave 1 was recorded": written(RECORDED),
    "a number of writes, drawn anew for each run": written("", AT_RANDOM),
}
BACK = {
    "the rollback was recorded": written(RECORDED),
    "the first namespace has its labels back": written(RELABELLED),
    "the first Deployment was stamped": written(STAMPED),
    "all Deployments were stamped": written(STAMPED, 4),
}


def test_nothing_of_a_play_that_was_killed_goes_on(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """Its worker waits for a rollout that never ends, silently: it has to go with the play, or two would be at it after the next start."""
    name = namespaces(ENABLED, [samples.deployment("never", fault=NEVER_READY)], wait=False)
    tool.killed(written(STAMPED), "canary_upgrade", **variables(revision, VERSION, waves=[[name]], grace_time=120))


@pytest.mark.parametrize("there", THERE)
def test_an_upgrade_that_was_killed_goes_on_where_it_was(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, there: str
) -> None:
    print(f"the number that was drawn: {AT_RANDOM}")  # shown where it fails
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names)
    asked = variables(revision, VERSION, waves=[names[:1], names[1:]], restart_concurrency=1)
    kept = tool.verb("upgrade_plan", revision=revision, version=VERSION, waves=[names[:1], names[1:]])["plan"]
    (tool.folder / "plan.json").write_text(json.dumps(kept))
    asked["mesh_plan"] = "plan.json"  # which still holds when this very upgrade has done half of it
    tool.killed(THERE[there], "canary_upgrade", **asked)
    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, names) == {revision}
    assert labels(lab, names) == [moved(was, revision) for was in before]
    assert [json.loads(found[PRIOR]) for found in annotations(lab, names)] == [{**ENABLED, "istio.io/rev": None}] * 2
    assert sorted(tool.restarts().values()) == [1] * 4, "each once"


@pytest.mark.parametrize("back", BACK)
def test_a_rollback_that_was_killed_goes_on_where_it_was(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, back: str
) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names), annotations(lab, names)
    asked = variables(revision, VERSION, waves=[names])
    tool.play("canary_upgrade", **asked).succeeded()
    tool.killed(BACK[back], "rollback", mesh_restart_concurrency=1)
    assert "A rollback is under way" in tool.play("canary_upgrade", **asked).text
    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}
    assert sorted(tool.restarts().values()) == [2] * 4, "once there and once back"


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
    assert set(tool.restarts().values()) == {1}


def test_clusters_go_in_batches_and_a_failed_one_stops_the_next(
    lab: Cluster, other_lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """Where the first fails in its plan, and in a wave: that failure is rescued, and a rescue that ended well would start the next."""
    first, second = namespaces(ENABLED, APPS), namespaces(ENABLED, APPS, on=other_lab)
    eu_1: dict[str, object] = {"mesh_kubeconfig": str(lab.kubeconfig)}
    hosts = {"eu-1": eu_1, "eu-2": {"mesh_kubeconfig": str(other_lab.kubeconfig), "mesh_waves": [[second]]}}
    asked = variables(revision, VERSION, grace_time=1)

    eu_1["mesh_waves"] = [["nosuch"]]
    assert "Some namespaces do not exist" in _first_alone(tool, other_lab, hosts, asked)
    eu_1["mesh_waves"] = [[first]]
    limit_pods(lab, first, 3)
    assert "The upgrade of eu-1 is paused" in _first_alone(tool, other_lab, hosts, asked)

    lab.api.delete(f"/api/v1/namespaces/{first}/resourcequotas/tight")
    tool.play("canary_upgrade", hosts=hosts, **asked).succeeded()
    assert (proxies(lab, [first]), proxies(other_lab, [second])) == ({revision}, {revision})


def _first_alone(tool: Tool, other: Cluster, hosts: dict[str, dict[str, object]], asked: dict[str, object]) -> str:
    """What a run said that failed on its first host and did not touch the second."""
    stopped = tool.play("canary_upgrade", hosts=hosts, **asked)
    assert stopped.code != 0
    assert "eu-2" not in stopped.text.partition("PLAY RECAP")[2]
    assert tool.writes(other) == []
    return stopped.text


@pytest.mark.parametrize("playbook", ["canary_upgrade", "rollback"])
def test_two_hosts_that_are_one_cluster_are_refused(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, playbook: str) -> None:
    name = namespaces(ENABLED, APPS)
    hosts = {host: {"mesh_kubeconfig": str(lab.kubeconfig)} for host in ("eu-1", "eu-2")}
    together = ("-e", "{mesh_cluster_batches: ['100%']}")  # Ansible reads serial before there are hosts: no inventory can say it
    refused = tool.play(playbook, *together, hosts=hosts, **variables(revision, VERSION, waves=[[name]]))
    assert refused.code != 0
    assert "Two hosts of this play are the same cluster" in refused.text
    assert tool.writes() == []


def test_the_old_control_plane_is_kept_until_nothing_needs_it(lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes) -> None:
    planes.append((lab, "leaving"))
    mesh.install_istiod(lab, revision="leaving")
    mesh.wait_ready(lab, "leaving")
    name = namespaces({"istio.io/rev": "leaving"}, APPS)
    refused = tool.fails("control_plane", revision="leaving", state="absent", helm=variables("x", VERSION)["mesh_helm"])
    assert 'Control plane "leaving" is still needed.' in refused
    assert name in refused
