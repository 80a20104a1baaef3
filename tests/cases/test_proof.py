# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Upgrades that are proved before they move, and whose moves are taken back where they are refused, by playbook."""

from __future__ import annotations

from tests.lab import samples
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .seen import PRIOR, annotations, labels, limit_pods, moved, proxies
from .stream import Stream
from .tool import Tool, variables, written

ENABLED = {"istio-injection": "enabled"}
VERSION = "1.30.3"
APPS = [samples.deployment("api"), samples.deployment("worker", 2)]
RELABELLED = r"patch /api/v1/namespaces/t\w+-\d+$"


def test_nobody_is_refused_or_without_a_sidecar_while_a_wave_moves_and_comes_back(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    with Stream(lab, *names) as pods:
        tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names])).succeeded()
        pods.wait(revision)
        tool.play("rollback").succeeded()
        pods.wait("default")
    assert pods.harmed == []
    assert {one for name in names for one in pods.revisions(name)} == {"default", revision}


def test_a_template_that_the_new_control_plane_will_refuse_is_named_before_anything_is_written(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """By the plan: the templates that it is going to have stand in what is rendered."""
    bad = samples.deployment("bad", 0, annotations={"inject.istio.io/templates": "nosuch"})
    name = namespaces(ENABLED, [*APPS, bad])
    blocked = tool.play("canary_upgrade", **variables(revision, VERSION, waves=[[name]]))
    assert blocked.code != 0
    assert f"deploy/bad in {name}" in blocked.said
    assert "nosuch" in blocked.said
    assert tool.writes() == []


def test_a_template_that_the_new_istiod_refuses_is_found_before_a_label_moves(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """By the rehearsal: what a proxy config may hold, only an istiod knows."""
    bad = samples.deployment("bad", 0, annotations={"proxy.istio.io/config": "no mapping"})
    names = [namespaces(ENABLED, APPS), namespaces(ENABLED, [*APPS, bad])]
    paused = tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names], grace_time=1))
    assert paused.code != 0
    assert 'failed at "Rehearse at the new control plane what is in wave 1"' in paused.said
    assert f"deploy/bad in {names[1]}: webhook istio-sidecar-injector-{revision} refuses it" in paused.said
    assert not any(written(RELABELLED)([write]) for write in tool.writes())
    lab.api.delete(f"/apis/apps/v1/namespaces/{names[1]}/deployments/bad")
    tool.play("canary_upgrade", **variables(revision, VERSION, waves=[names])).succeeded()
    assert proxies(lab, names) == {revision}


def test_a_wave_that_is_refused_gives_its_labels_back_and_restarts_nothing(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """A quota that no istiod knows of. The wave before it is done and stays; the second goes on when there is room again."""
    first, free, full = (namespaces({**ENABLED, "team": "pay"}, APPS) for _number in range(3))
    before = labels(lab, [free, full]), annotations(lab, [free, full])
    limit_pods(lab, full, 3)
    asked = variables(revision, VERSION, waves=[[first], [free, full]], grace_time=1)
    paused = tool.play("canary_upgrade", **asked)
    assert paused.code != 0
    assert f"deploy/api in {full}: quota tight does not allow it" in paused.said
    assert "2 namespaces have the labels again that were there before the move" in paused.said
    assert "This run has restarted nothing of wave 2" in paused.said
    assert (labels(lab, [free, full]), annotations(lab, [free, full])) == before
    assert (proxies(lab, [first]), proxies(lab, [free, full])) == ({revision}, {"default"})
    assert {path.partition("/")[0] for path in tool.restarts()} == {first}
    lab.api.delete(f"/api/v1/namespaces/{full}/resourcequotas/tight")
    tool.play("canary_upgrade", **asked).succeeded()
    assert proxies(lab, [first, free, full]) == {revision}


def test_a_move_that_was_killed_before_its_proof_is_taken_back_by_the_next_run_too(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names), annotations(lab, names)
    asked = variables(revision, VERSION, waves=[names], grace_time=1)
    tool.killed(written(RELABELLED, 2), "canary_upgrade", **asked)
    assert labels(lab, names) == [moved(was, revision) for was in before[0]]
    assert sum(tool.restarts().values()) == 0, "it was killed too late"
    limit_pods(lab, names[0], 3)
    paused = tool.play("canary_upgrade", **asked)
    assert "2 namespaces have the labels again that were there before the move" in paused.said
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}


def test_what_was_upgraded_before_goes_back_to_that_upgrade_and_keeps_the_first_way_back(
    lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str
) -> None:
    """Two upgrades without a completion between them: the refused move is the second."""
    name = namespaces(ENABLED, APPS)
    tool.verb("namespace_injection", namespaces=[name], revision="1-30-3")
    tool.verb("workload_restart", namespaces=[name])
    between = labels(lab, [name]), annotations(lab, [name])
    assert PRIOR in between[1][0]
    limit_pods(lab, name, 3)
    asked = variables(revision, VERSION, waves=[[name]], **{"from": "1-30-3"}, grace_time=1)
    paused = tool.play("canary_upgrade", **asked)
    assert "1 namespace has the labels again that were there before the move" in paused.said
    assert (labels(lab, [name]), annotations(lab, [name])) == between


def test_where_pods_run_the_new_revision_already_the_way_back_stays_recorded(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """A pod that came by itself between the move and its proof: a rollback still knows of it."""
    name = namespaces(ENABLED, [samples.deployment("api")])
    before = labels(lab, [name])
    assert tool.verb("namespace_injection", namespaces=[name], revision="1-30-3")["undoable"] == [name]
    tool.verb("workload_restart", namespaces=[name])
    assert tool.verb("namespace_injection", namespaces=[name], revision="1-30-3")["undoable"] == [], "it has restarted"
    undone = tool.verb("namespace_injection", state="undone", namespaces=[name], revision="1-30-3")
    assert labels(lab, [name]) == before
    assert PRIOR in annotations(lab, [name])[0]
    assert f"Pods in {name} run 1-30-3 already" in undone["warnings"][0]
    assert not tool.changes("namespace_injection", state="undone", namespaces=[name], revision="1-30-3")
