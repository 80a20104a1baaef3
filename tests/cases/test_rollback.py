# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stories of ways back: after what people and their clusters do between an upgrade and its rollback."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.lab import mesh, samples
from tests.lab.api import ApiProblem
from tests.lab.cluster import Cluster

from .conftest import REVISION, REVISION_VERSION, Namespaces, Planes
from .seen import PRIOR, annotations, labels, limit_pods, moved, proxies
from .tool import RECORDED, Ran, Tool, until, variables, written

ENABLED = {"istio-injection": "enabled"}
APPS = [samples.deployment("api"), samples.deployment("worker", 2)]


def upgrade(tool: Tool, *waves: list[str], to: str = REVISION, **more: object) -> Ran:
    """To a control plane that stands already, where no other is named. Without waves, by the default one."""
    return tool.play("canary_upgrade", **variables(to, REVISION_VERSION, waves=waves, **more))


def test_a_first_onboarding_is_taken_back(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """Without its sidecars nothing in it is stale by its labels, so that the rollback has to remember whose sidecars these are."""
    name = namespaces({}, APPS)
    before = labels(lab, [name]), annotations(lab, [name])
    upgrade(tool, [name], **{"from": "default"}).succeeded()
    assert proxies(lab, [name]) == {REVISION}
    tool.play("rollback").succeeded()
    assert (labels(lab, [name]), annotations(lab, [name])) == before
    assert proxies(lab, [name]) == {None}
    assert set(tool.restarts().values()) == {2}


def test_a_namespace_that_lost_its_way_back_stays_and_is_named(
    lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None
) -> None:
    lost, kept = names = [namespaces(ENABLED, APPS) for _number in range(2)]
    before = labels(lab, names)
    upgrade(tool, names).succeeded()
    lab.api.patch(f"/api/v1/namespaces/{lost}", {"metadata": {"annotations": {PRIOR: None}}})
    back = tool.play("rollback").succeeded()
    assert f'Namespace "{lost}" has no annotation {PRIOR}' in back.said
    assert f'Namespace "{kept}" has lost' not in back.said
    assert labels(lab, names) == [moved(before[0], REVISION), before[1]]
    assert (proxies(lab, [lost]), proxies(lab, [kept])) == ({REVISION}, {"default"})
    assert tool.restarts() == {f"{lost}/api": 1, f"{lost}/worker": 1, f"{kept}/api": 2, f"{kept}/worker": 2}


def test_a_namespace_that_was_made_anew(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """One by somebody who asked for the new revision at once, which is theirs; another was moved again, which is ours."""
    theirs, ours, kept = names = [namespaces(ENABLED, APPS) for _number in range(3)]
    before = labels(lab, names), annotations(lab, names)
    upgrade(tool, names).succeeded()
    for name in (theirs, ours):
        lab.api.delete(f"/api/v1/namespaces/{name}")
    for name, asks in ((theirs, {"istio.io/rev": REVISION}), (ours, ENABLED)):
        lab.api.until("/api/v1/namespaces", lambda found: not found, timeout=60, what="it to go", fieldSelector=f"metadata.name={name}")
        namespaces(asks, APPS, name=name)
    upgrade(tool, [ours, kept]).succeeded()
    assert proxies(lab, names) == {REVISION}
    back = tool.play("rollback").succeeded()
    assert f'Namespace "{theirs}" was made anew since the upgrade began' in back.said
    assert back.said.count(" was made anew ") == 1
    assert " has lost " not in back.said
    assert (labels(lab, names), annotations(lab, names)) == ([moved(before[0][0], REVISION), *before[0][1:]], before[1])
    assert (proxies(lab, [theirs]), proxies(lab, [ours, kept])) == ({REVISION}, {"default"})


def test_the_way_back_is_refused_while_it_would_have_pods_refused(
    lab: Cluster, tool: Tool, namespaces: Namespaces, planes: Planes, clean_record: None
) -> None:
    """Its injector is there and matches, but nobody answers: each new pod would be refused until somebody does."""
    old = f"old-{secrets.token_hex(3)}"
    planes.append((lab, old))
    mesh.install_istiod(lab, revision=old)
    mesh.wait_ready(lab, old)
    name = namespaces({"istio.io/rev": old}, APPS)
    before = labels(lab, [name]), annotations(lab, [name])
    upgrade(tool, [name]).succeeded()

    mesh.scale(lab, old, 0)
    done = tool.writes()
    refused = tool.play("rollback")
    assert refused.code != 0
    assert f"New pods in namespace {name} would be refused" in refused.said
    assert "no ready endpoint" in refused.said
    assert tool.writes() == done

    mesh.scale(lab, old, 1)
    tool.play("rollback").succeeded()
    assert (labels(lab, [name]), annotations(lab, [name])) == before
    assert proxies(lab, [name]) == {old}


def test_two_upgrades_in_a_row_have_one_way_back(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """What the first one moved is the second one's default wave; a rollback goes to the labels before the first."""
    names = [namespaces(ENABLED, APPS), namespaces({**ENABLED, "team": "pay"}, APPS)]
    before = labels(lab, names), annotations(lab, names)
    upgrade(tool, names).succeeded()
    upgrade(tool, to=revision).succeeded()
    assert labels(lab, names) == [moved(was, revision) for was in before[0]]
    assert proxies(lab, names) == {revision}
    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}


def test_a_failed_wave_is_rolled_back_where_that_is_wished(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """The failure stays one. What was never reached is left alone, even where something in it is stale by somebody's doing."""
    done, failing, never = names = [namespaces(ENABLED, APPS) for _number in range(3)]
    lab.api.patch(f"/api/v1/namespaces/{never}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": REVISION}}})
    before = labels(lab, names), annotations(lab, names)
    limit_pods(lab, failing, 3)
    failed = upgrade(tool, [done], [failing], [never], **{"from": "default"}, grace_time=1, on_failure="rollback")
    assert failed.code != 0
    assert "exceeded quota" in failed.said
    assert "has been rolled back" in failed.said
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}
    assert {count for at, count in tool.restarts().items() if at.startswith(f"{done}/")} == {2}
    assert not any(at.startswith(f"{never}/") for at in tool.restarts())


def test_nobody_elses_upgrade_is_rolled_back(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """By a run that could not begin its own, and wishes to go back when it fails."""
    done, failing = names = [namespaces(ENABLED, APPS) for _number in range(2)]
    limit_pods(lab, failing, 3)
    assert "is paused" in upgrade(tool, [done], [failing], **{"from": "default"}, grace_time=1).said
    before, writes = labels(lab, names), tool.writes()
    other = upgrade(tool, [done], to=revision, **{"from": "default"}, on_failure="rollback")
    assert other.code != 0
    assert f'An upgrade to "{REVISION}" is under way.' in other.said
    assert (labels(lab, names), tool.writes()) == (before, writes)


def test_a_finished_upgrade_is_not_rolled_back_when_a_rerun_fails(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """Its istiod has no room for a moment: nothing was moving, so that there is nothing to take back."""
    name = namespaces(ENABLED, APPS)
    upgrade(tool, [name], to=revision, **{"from": "default"}).succeeded()
    before = labels(lab, [name])
    mesh.scale(lab, revision, 0)
    again = upgrade(tool, [name], to=revision, **{"from": "default"}, on_failure="rollback", wait_timeout=1)
    assert again.code != 0
    assert "has been rolled back" not in again.said
    assert (labels(lab, [name]), proxies(lab, [name])) == (before, {revision})


def test_there_is_nothing_to_roll_back(tool: Tool, clean_record: None) -> None:
    """As in the wrong cluster, or with the wrong namespace of Istio."""
    back = tool.play("rollback", mesh_istio_namespace="default")
    assert back.code != 0
    assert "There is nothing to roll back." in back.said
    assert "no ConfigMap meshops-upgrade in namespace default" in back.said
    assert tool.writes() == []


@pytest.fixture
def unmovable(lab: Cluster, namespaces: Namespaces) -> Iterator[str]:
    """A namespace whose labels a policy of the cluster's keeps as they are."""
    name = namespaces(ENABLED, APPS)
    group = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["namespaces"], "resourceNames": [name]}
    validation = {"expression": "object.metadata.?labels == oldObject.metadata.?labels", "message": "labels are kept by Git"}
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}
    lab.api.post(f"{group}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    binding = {"policyName": name, "validationActions": ["Deny"]}
    lab.api.post(f"{group}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    until(lambda: not _movable(lab, name), "the policy to count")
    yield name
    for kind in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
        lab.api.delete(f"{group}/{kind}/{name}")


def _movable(lab: Cluster, name: str) -> bool:
    try:
        lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"made": "up"}}}, dryRun="All")
    except ApiProblem:
        return False
    return True


def test_a_move_that_stops_half_way_is_taken_back(
    lab: Cluster, tool: Tool, namespaces: Namespaces, unmovable: str, clean_record: None
) -> None:
    """What had moved already would have the new sidecar in new pods, and nobody would have probed it."""
    names = [*(namespaces(ENABLED, APPS) for _number in range(5)), unmovable]
    before = labels(lab, names), annotations(lab, names)
    failed = upgrade(tool, names, **{"from": "default"})
    assert failed.code != 0
    assert "labels are kept by Git" in failed.said
    assert any(write.startswith("patch /api/v1/namespaces/") and not write.endswith(unmovable) for write in tool.writes())
    assert (labels(lab, names), annotations(lab, names)) == before
    assert proxies(lab, names) == {"default"}


def test_a_rollback_that_was_killed_does_not_go_further_than_it_would_have(
    lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None
) -> None:
    """What it concerned is known still, when some of it has its labels back and shows nothing any more."""
    done, failing, never = names = [namespaces(ENABLED, APPS) for _number in range(3)]
    before = labels(lab, names), annotations(lab, names)
    limit_pods(lab, failing, 3)
    assert "is paused" in upgrade(tool, [done], [failing], [never], grace_time=1).said
    assert proxies(lab, [done]) == {REVISION}
    made_stale = {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": REVISION}}}
    lab.api.patch(f"/api/v1/namespaces/{never}", made_stale)
    tool.killed(written(RECORDED), "rollback")
    tool.play("rollback").succeeded()
    assert (labels(lab, names), annotations(lab, names)) == ([*before[0][:2], moved(before[0][2], REVISION)], before[1])
    assert proxies(lab, names) == {"default"}
    assert not any(at.startswith(f"{never}/") for at in tool.restarts())
