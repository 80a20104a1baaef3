# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What restarts next: only what is stale, each once, a few at a time, and nothing that is on its way already."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import Budget
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Begun, Ledger
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Recipe
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import Step, Task, next_restarts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, Pod, Proxy, Workload
from tests.unit.meshes import NEW, deployment, namespace, plane, pod, proxy

NOW = "2026-11-22T03:10:00Z"
OLD_PROXY, NEW_PROXY = proxy(), proxy(NEW, "1.30.3")


def shop(*pods: tuple[Workload, Proxy | None]) -> Snapshot:
    return Snapshot(
        control_planes=(plane(NEW, "1.30.3"),),
        injectors=(expected_injector(NEW),),
        namespaces=(namespace("shop", rev=NEW), namespace("other", rev=NEW), namespace("lost", rev="nosuch")),
        workloads=tuple(workload for workload, _proxy in pods),
        pods=tuple(pod(workload, 0, sidecar) for workload, sidecar in pods),
    )


def step(now: Snapshot, started: dict[str, int] | None = None, concurrency: int = 10, leaving: str | None = None) -> Step:
    ledger = Ledger({uid: Begun(Recipe.STAMP, generation, NOW) for uid, generation in (started or {}).items()})
    return next_restarts(now, Task(frozenset({"shop", "lost"}), concurrency, NOW, leaving), ledger)


def starts(found: Step) -> list[str]:
    return [action.judged.workload.path for action in found.actions]


def test_only_stale_workloads_of_these_namespaces_restart() -> None:
    mesh = shop(
        (deployment("stale", "shop"), OLD_PROXY),
        (deployment("current", "shop"), NEW_PROXY),
        (deployment("stale", "other"), OLD_PROXY),
        (deployment("orphan", "lost"), OLD_PROXY),
        (replace(deployment("paused", "shop"), paused=True), OLD_PROXY),
        (deployment("once", "shop", "Job"), NEW_PROXY),
        (replace(deployment("left", "shop"), of_pods=True), OLD_PROXY),
    )
    assert starts(step(mesh)) == ["shop/deploy/stale"]


def test_no_more_than_so_many_roll_at_a_time() -> None:
    mesh = shop(*((deployment(name, "shop"), OLD_PROXY) for name in "abc"))
    assert starts(step(mesh, concurrency=2)) == ["shop/deploy/a", "shop/deploy/b"]
    flying = {f"shop/{name}": 2 for name in "ab"}
    assert starts(step(mesh, flying, concurrency=2)) == []
    assert step(mesh, flying, concurrency=2).progress.total == 3


BUDGET = Budget("shop", "all", Selector(equal=(("part-of", "shop"),)), 1)


def under(*budgets: Budget, kind: str = "Deployment", part_of: str = "shop") -> Snapshot:
    mesh = shop(*((deployment(name, "shop", kind, {"part-of": part_of}), OLD_PROXY) for name in "abc"))
    return replace(mesh, budgets=budgets)


NOTHING = Choices(respect_pdb=False)


@dataclass(frozen=True)
class Guarded:
    mesh: Snapshot
    starts: str
    flying: str = ""
    choices: Choices = field(default_factory=Choices)


GUARDED = {
    "as many begin as one budget allows them together": Guarded(under(BUDGET), "a"),
    "two where it allows two": Guarded(under(replace(BUDGET, allowed=2)), "ab"),
    "what is rolling counts, whether or not the budget shows it yet": Guarded(under(BUDGET), "", flying="a"),
    "and takes no more than one": Guarded(under(replace(BUDGET, allowed=2)), "b", flying="a"),
    "each budget has to allow it": Guarded(under(replace(BUDGET, allowed=3), replace(BUDGET, name="few", allowed=2)), "ab"),
    "one of other pods counts nothing": Guarded(under(BUDGET, part_of="another"), "abc"),
    "nor does one of another namespace": Guarded(under(replace(BUDGET, namespace="other")), "abc"),
    "evictions begin one after another, too": Guarded(under(BUDGET, kind="ReplicaSet"), "a"),
    "none is held back where that is not wished": Guarded(under(BUDGET), "abc", choices=NOTHING),
    "nor is an eviction, which asks for itself": Guarded(under(BUDGET, kind="ReplicaSet"), "abc", choices=NOTHING),
}


@pytest.mark.parametrize("case", GUARDED.values(), ids=GUARDED)
def test_no_more_begin_than_their_budgets_allow(case: Guarded) -> None:
    begun = {f"shop/{name}": Begun(Recipe.STAMP, 2, NOW) for name in case.flying}
    found = next_restarts(case.mesh, Task(frozenset({"shop"}), 10, NOW, choices=case.choices), Ledger(begun))
    assert "".join(action.judged.workload.name for action in found.actions) == case.starts
    held = [line for line in found.progress.waiting if "allows no further disruption now (mesh_respect_pdb)" in line]
    assert len(held) == 3 - len(case.starts) - len(case.flying)
    assert (found.progress.done, found.progress.total) == (0, 3)


def test_what_is_rolling_already_is_waited_for_and_then_judged_again() -> None:
    """A run that was killed, or somebody else, has begun the rollout: a second restart would only disturb it."""
    rolling = replace(deployment("api", "shop"), replicas=2, total=3, updated=1, available=2)
    assert starts(step(shop((rolling, OLD_PROXY)))) == []
    assert not step(shop((rolling, OLD_PROXY))).progress.finished
    done = deployment("api", "shop")
    assert step(shop((done, NEW_PROXY))).progress.finished
    assert starts(step(shop((done, OLD_PROXY)))) == ["shop/deploy/api"]


def test_what_is_unhealthy_but_not_rolling_is_restarted() -> None:
    """It may be the old sidecar that it suffers from; to wait for it would be to wait for ever."""
    sick = replace(deployment("api", "shop"), available=0)
    assert starts(step(shop((sick, OLD_PROXY)))) == ["shop/deploy/api"]


def test_what_is_taken_back_loses_a_sidecar_that_nobody_would_give_it_now() -> None:
    mesh = shop((deployment("ours", "lost"), NEW_PROXY), (deployment("theirs", "lost"), OLD_PROXY))
    assert starts(step(mesh, leaving=NEW)) == ["lost/deploy/ours"]
    assert starts(step(mesh)) == []


def test_one_that_was_deleted_and_made_anew_is_judged_by_itself() -> None:
    anew = replace(deployment("api", "shop"), uid="another")
    assert step(shop((anew, NEW_PROXY)), {"shop/api": 7}).progress.finished
    assert starts(step(shop((anew, OLD_PROXY)), {"shop/api": 7})) == ["shop/deploy/api"]


def test_a_restart_is_done_when_its_generation_is_rolled_out() -> None:
    started = {"shop/api": 2}
    unseen = replace(deployment("api", "shop"), generation=1, observed=1)
    assert not step(shop((unseen, OLD_PROXY)), started).progress.finished
    assert step(shop((replace(unseen, generation=2, observed=2), NEW_PROXY)), started).progress.finished


def test_what_was_deleted_meanwhile_is_done() -> None:
    assert step(shop(), {"shop/gone": 2}).progress.finished


def test_a_new_pod_with_another_sidecar_than_wanted_ends_it_at_once() -> None:
    api = replace(deployment("api", "shop"), generation=2, observed=2, updated=0)
    new_pod = replace(pod(api, 1, OLD_PROXY), shape=PodShape({}, {STAMP: NOW}))
    mesh = replace(shop((api, OLD_PROXY)), pods=(new_pod,))
    fatal = step(mesh, {"shop/api": 2}).progress.fatal
    assert fatal is not None
    assert "it has the sidecar of default, 1.29.6; expected was 1-30-3" in fatal.text()


def test_an_old_pod_with_an_old_sidecar_does_not() -> None:
    api = replace(deployment("api", "shop"), generation=2, observed=2, updated=0)
    old: Pod = replace(pod(api, 1, OLD_PROXY), shape=PodShape({}, {STAMP: "2025-01-01T00:00:00Z"}))
    mesh = replace(shop((api, OLD_PROXY)), pods=(old,))
    assert step(mesh, {"shop/api": 2}).progress.fatal is None
