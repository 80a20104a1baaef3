# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan finds on a real API server: rights, objects that would be lost, and control planes that do not agree."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest
import yaml

from tests.lab import istioctl, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster

from .conftest import Namespaces
from .tool import Facts, Tool, control_plane

NEW, VERSION = "1-30-3", "1.30.3"
ENABLED = {"istio-injection": "enabled"}
KINDS = [samples.deployment("api")]


def _about(found: Facts, topic: str, weight: str = "blocker") -> list[Json]:
    return [one for one in found["findings"] if (one["topic"], one["weight"]) == (topic, weight)]


@pytest.fixture
def granted(lab: Cluster, tool: Tool) -> Iterator[t.Callable[[str], None]]:
    """Gives the tool's user what a message tells to give, as somebody would who pastes it."""
    made: list[str] = []

    def grant(message: str) -> None:
        for number, role in enumerate(yaml.safe_load_all(message[message.index("---") :])):
            kind, namespace = role["kind"], role["metadata"].get("namespace", "")
            at = f"{istioctl.RIGHTS}/namespaces/{namespace}" if namespace else istioctl.RIGHTS
            name = f"{tool.user}-{len(made)}-{number}"
            role["metadata"]["name"] = name
            binding = {
                "metadata": {"name": name},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                "subjects": [{"kind": "User", "name": tool.user, "apiGroup": "rbac.authorization.k8s.io"}],
            }
            for resource, body in ((f"{kind.lower()}s", role), (f"{kind.lower()}bindings", binding)):
                lab.api.post(f"{at}/{resource}", body)
                made.append(f"{at}/{resource}/{name}")

    yield grant
    for path in made:
        lab.api.delete(path)


def test_the_rules_that_are_told_are_enough(tool: Tool, namespaces: Namespaces, granted: t.Callable[[str], None]) -> None:
    name = namespaces(ENABLED, KINDS)
    asked: dict[str, object] = {
        "revision": NEW,
        "version": VERSION,
        "waves": [[name]],
        "from_revision": "default",
        "impersonate_groups": [],
    }
    blind = tool.verb("upgrade_plan", **asked)
    assert "list pods" in blind["msg"]
    granted(blind["msg"])
    seeing = tool.verb("upgrade_plan", **asked)
    assert not seeing.get("failed"), seeing["msg"]
    assert _about(seeing, "rights") == []
    hidden = [one["what"] for one in _about(seeing, "meaning", "warning")]
    assert any("Which objects have istio.io/rev is not known of" in what for what in hidden), hidden
    installing = tool.verb("upgrade_plan", **{**asked, **control_plane("rights", VERSION)}, install=True)
    (one,) = _about(installing, "rights")
    assert "create secrets in namespace istio-system" in one["where"]
    assert "patch namespaces" not in one["where"], "that one is there"


UNREADABLE = {
    "not there": (None, "No such file or directory"),
    "cut off": ('{"format": 1', "it is not JSON"),
    "else": ("[]", "is not a plan"),
}


@pytest.mark.parametrize("kept", UNREADABLE)
def test_a_plan_that_cannot_be_read_is_an_error_before_anything_is_asked(tool: Tool, kept: str) -> None:
    text, says = UNREADABLE[kept]
    file = tool.folder / "plan.json"
    if text is not None:
        file.write_text(text)
    assert says in tool.fails("upgrade_plan", revision=NEW, plan=str(file))


def test_what_only_the_old_control_plane_reads_blocks_the_move(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    path = f"/apis/security.istio.io/v1/namespaces/{name}/authorizationpolicies"
    kind = {"apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy"}
    lab.api.post(
        path, {**kind, "metadata": {"name": "deny", "labels": {"istio.io/rev": "default"}}, "spec": {"action": "DENY", "rules": [{}]}}
    )
    asked: dict[str, object] = {"revision": NEW, "version": VERSION, "waves": [[name]], "from_revision": "default"}
    blocked = tool.verb("upgrade_plan", **asked)
    (lost,) = _about(blocked, "meaning")
    assert f"({name}/deny) would be lost to what moves" in lost["what"]
    assert blocked["plan"]["blockers"] == _about(blocked, "meaning"), "a blocked plan is returned whole"
    new = {**kind, "metadata": {"name": "new", "labels": {"istio.io/rev": NEW}}}
    lab.api.post(path, {**new, "spec": {"action": "ALLOW", "rules": [{}]}})
    assert _about(tool.verb("upgrade_plan", **asked), "meaning") == [lost], "one that allows is no copy of one that denies"
    lab.api.patch(f"{path}/new", {"spec": {"action": "DENY"}})
    assert _about(tool.verb("upgrade_plan", **asked), "meaning") == []
    lab.api.delete(f"{path}/new")
    lab.api.patch(f"{path}/deny", {"metadata": {"labels": {"istio.io/rev": None}}})
    assert _about(tool.verb("upgrade_plan", **asked), "meaning") == []


def test_two_control_planes_that_do_not_agree_are_told_before_one_is_there(tool: Tool, namespaces: Namespaces, revision: str) -> None:
    name = namespaces(ENABLED, [samples.deployment("api")])
    mesh_config = {"trustDomain": "elsewhere.example", "discoverySelectors": [{"matchLabels": {"istio-injection": "enabled"}}]}
    values = {"meshConfig": mesh_config, "global": {"network": "n2"}}
    asked = {**control_plane(revision, VERSION, values=values), "waves": [[name]], "from_revision": "default", "install": True}
    found = [one["what"] for one in _about(tool.verb("upgrade_plan", **asked), "meaning")]
    assert found == [
        "The new control plane has another trust domain.",
        "The new control plane is on another network.",
        "The new control plane would not see namespaces that move to it.",
    ]
    agreeing = {**asked, **control_plane(revision, VERSION)}
    plan = tool.verb("upgrade_plan", **agreeing)
    assert _about(plan, "meaning") == []
    assert [one["what"] for one in _about(plan, "meaning", "note")] == [
        "Whether both control planes have the same root of trust is a gate of its own"
    ]
    assert tool.writes() == []
