# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was ill before an upgrade stops it only when it gets worse."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Ill, baseline, borne, read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Begun, Ledger
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import Task, next_restarts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import trouble
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, Judged, Workload
from tests.unit.meshes import NEW, deployment, mesh, namespace, plane, pod, proxy

SHOP = namespace("shop", injection="enabled")
QUOTA = 'FailedCreate: pods "api-1" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=3, limited: pods=3'
LATER = 'FailedCreate: pods "api-2" is forbidden: exceeded quota: tight, requested: pods=1, used: pods=2, limited: pods=2'
DENIED = 'FailedCreate: admission webhook "rules.example.com" denied the request: no'


def api(available: int = 1, replicas: int = 2, **more: t.Any) -> Workload:
    return replace(deployment("api", "shop"), replicas=replicas, total=2, updated=2, available=available, **more)


def judged(workload: Workload, *waiting: str, container: str = "app") -> Judged:
    """As it is when its pods wait for these reasons; the rest of them is ready."""
    there = mesh((SHOP,), ((workload, proxy()),))
    waiting = waiting or ("",)
    made = (pod(workload, number, proxy(), ready=not why, waiting=why) for number, why in enumerate(waiting))
    pods = tuple(replace(one, container=container if one.waiting else "") for one in made)
    (found,) = replace(there, pods=pods).within(["shop"])
    return found


BEFORE: dict[str, tuple[Judged, Ill | None]] = {
    "well": (judged(api(2)), None),
    "a crash loop": (judged(api(1), "CrashLoopBackOff", ""), Ill(1, 2, "app: CrashLoopBackOff")),
    "not ready, and nothing says why": (judged(api(1)), Ill(1, 2)),
    "refused": (judged(api(1, failure=QUOTA)), Ill(1, 2, QUOTA)),
    "a rollout that goes its way": (judged(replace(api(1), updated=1)), None),
    "a rollout that is stuck, while the old pods serve": (
        judged(replace(api(2), total=3, updated=1), "ImagePullBackOff", "", ""),
        Ill(2, 2, "app: ImagePullBackOff"),
    ),
    "a Job, which ends by itself": (judged(replace(api(0), kind="Job")), None),
    "scaled to nothing": (judged(api(0, 0)), None),
}


@pytest.mark.parametrize(("found", "was"), BEFORE.values(), ids=BEFORE)
def test_what_is_ill(found: Judged, was: Ill | None) -> None:
    there = mesh((SHOP,), ((found.workload, proxy()),))
    there = replace(there, pods=tuple(replace(one, owner=found.workload.owner[1]) for one in found.pods))
    assert baseline(there, ["shop"]) == ({found.workload.path: was} if was else {})
    assert baseline(there, []) == {}


@dataclass(frozen=True)
class After:
    now: Judged
    was: Ill
    borne: bool


AFTER = {
    "as many as before": After(judged(api(1), "CrashLoopBackOff", ""), Ill(1, 2, "app: CrashLoopBackOff"), True),
    "fewer than before": After(judged(api(0), "CrashLoopBackOff", "CrashLoopBackOff"), Ill(1, 2, "app: CrashLoopBackOff"), False),
    "more than before": After(judged(api(1), "CrashLoopBackOff", ""), Ill(0, 2, "app: CrashLoopBackOff"), True),
    "another reason, and as many": After(judged(api(1), "ImagePullBackOff", ""), Ill(1, 2, "app: CrashLoopBackOff"), True),
    "as many as are wanted now": After(judged(api(1, 3), "CrashLoopBackOff"), Ill(2, 2, "app: CrashLoopBackOff"), False),
    "a sidecar that cannot run, which is new": After(
        judged(api(1), "ImagePullBackOff", container="istio-proxy"), Ill(1, 2, "app: ImagePullBackOff"), False
    ),
    "a sidecar that could not run before": After(
        judged(api(1), "ImagePullBackOff", container="istio-proxy"), Ill(1, 2, "istio-proxy: ImagePullBackOff"), True
    ),
    "refused by the same quota": After(judged(api(1, failure=LATER)), Ill(1, 2, QUOTA), True),
    "refused by a webhook, which is new": After(judged(api(1, failure=DENIED)), Ill(1, 2, QUOTA), False),
    "refused by the webhook of before": After(judged(api(1, failure=DENIED)), Ill(1, 2, DENIED), True),
    "a template that its controller has not seen": After(judged(api(1, generation=2, observed=1), "CrashLoopBackOff"), Ill(1, 2), False),
}


@pytest.mark.parametrize("case", AFTER.values(), ids=AFTER)
def test_what_is_no_worse_is_borne(case: After) -> None:
    found = trouble(case.now.workload, case.now.pods, "line")
    assert found.fatal or found.failing, "the test is about what fails"
    after = borne(found, case.now, {"shop/deploy/api": case.was})
    assert bool(after.borne) is case.borne
    assert (after.fatal or after.failing) is None if case.borne else after == found
    assert borne(found, case.now, {}) == found, "what was well is never borne"


def test_what_is_on_its_way_is_not_judged_yet() -> None:
    """With strategy Recreate the old pods end first: until they have, they are counted as available."""
    now, was = judged(api(1), "CrashLoopBackOff", ""), Ill(1, 2, "app: CrashLoopBackOff")
    ending = replace(now, pods=(now.pods[0], replace(now.pods[1], deleting=True)))
    found = trouble(ending.workload, ending.pods, "line")
    assert borne(found, ending, {"shop/deploy/api": was}) == found


def test_where_pods_were_missing_before_there_is_no_rollout_to_wait_for() -> None:
    short = replace(api(1), total=1, updated=1)
    there = mesh((namespace("shop", rev=NEW),), ((short, proxy()),))
    there = replace(there, injectors=(expected_injector(NEW),), control_planes=(plane(NEW, "1.30.3"),))
    task = Task(frozenset({"shop"}), 1, "now")
    assert next_restarts(there, task, Ledger()).actions == ()
    (stamp,) = next_restarts(there, replace(task, baseline={"shop/deploy/api": Ill(1, 2, QUOTA)}), Ledger()).actions
    assert stamp.judged.workload.name == "api"


def test_what_is_borne_takes_no_turn_from_the_next() -> None:
    ill = replace(api(1), generation=2, observed=2, template=PodShape({}, {STAMP: "now"}))
    there = mesh((namespace("shop", rev=NEW),), ((ill, proxy(NEW, "1.30.3")), (deployment("web", "shop"), proxy())))
    there = replace(there, injectors=(expected_injector(NEW),), control_planes=(plane(NEW, "1.30.3"),))
    crashing: dict[str, t.Any] = {"waiting": "CrashLoopBackOff", "container": "app", "ready": False}
    there = replace(there, pods=tuple(replace(one, **crashing) if one.owner.name == "api" else one for one in there.pods))
    begun = Ledger({ill.uid: Begun(Recipe.STAMP, 2, "now")})
    known = {"shop/deploy/api": Ill(1, 2, "app: CrashLoopBackOff")}
    alone = next_restarts(there, Task(frozenset({"shop"}), 1, "now", baseline=known), begun)
    assert [action.judged.workload.name for action in alone.actions] == ["web"]
    assert next_restarts(there, Task(frozenset({"shop"}), 1, "now"), begun).actions == ()


NO_BASELINES = [["list"], {"a": 1}, {"a": {}}, {"a": {"available": "1", "wanted": 2}}, {"a": {"available": 1, "wanted": 2, "x": 1}}]


@pytest.mark.parametrize("found", NO_BASELINES)
def test_what_is_no_baseline_is_refused(found: object) -> None:
    with pytest.raises(MeshError, match="The baseline cannot be read"):
        read(found)


def test_a_baseline_is_read_as_it_was_written() -> None:
    assert read({"shop/deploy/api": {"available": 1, "wanted": 2, "why": QUOTA}}) == {"shop/deploy/api": Ill(1, 2, QUOTA)}
    assert read(None) == read({}) == {}
