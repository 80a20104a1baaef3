# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan says of small meshes: who moves, who restarts, what blocks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan, Target, make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import Phase, Record, begun, next_step, read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, tag, unrevisioned

SHOP, CART = namespace("shop", injection="enabled"), namespace("cart", injection="enabled")
MESH = mesh((SHOP, CART, namespace("plain")), ((deployment("web", "shop"), proxy()), (deployment("api", "cart"), proxy())))


def plan(
    snapshot: Snapshot, *waves: tuple[str, ...] | str, revision: str = NEW, exclude: tuple[str, ...] = (), old: str | None = None
) -> Plan:
    return make_plan(snapshot, Target(revision, "1.30.3", old, waves, frozenset(exclude), "istio-system"))


def test_the_default_wave_is_all_that_the_old_one_injects() -> None:
    found = plan(MESH)
    assert (found.old, found.waves, found.blockers) == (OLD, (("cart", "shop"),), ())
    assert [j.workload.short for j in found.restarts] == ["deploy/web", "deploy/api"]


def test_a_rerun_after_a_kill_still_sees_what_is_half_moved() -> None:
    moved = replace(SHOP.asking(Asks(revision=NEW)), prior=Asks("enabled", None))
    half = replace(MESH, namespaces=(moved, CART), injectors=(unrevisioned(), expected_injector(NEW)))
    assert plan(half).waves == (("cart", "shop"),)
    assert [move.namespace.name for move in plan(half).moves] == ["cart"]


def test_a_selector_is_a_wave_and_exclude_leaves_out() -> None:
    paying = replace(SHOP, labels={**SHOP.labels, "team": "pay"})
    assert plan(replace(MESH, namespaces=(paying, CART)), "team=pay", ("cart",)).waves == (("shop",), ("cart",))
    assert plan(MESH, exclude=("cart",)).waves == (("shop",),)


@dataclass(frozen=True)
class Blocked:
    snapshot: Snapshot
    says: str
    waves: tuple[tuple[str, ...] | str, ...] = ()
    revision: str = NEW
    old: str | None = None


BLOCKED = {
    "a namespace in two waves": Blocked(MESH, 'Namespace "shop" is in two waves', (("shop",), ("shop", "cart"))),
    "a namespace that does not exist": Blocked(MESH, "Some namespaces do not exist", (("nosuch",),)),
    "a wave that matches nothing": Blocked(MESH, "A wave is empty", ("team=nosuch",)),
    "an old revision that is not there": Blocked(MESH, 'There is no control plane "1-28-2"', old="1-28-2"),
    "no mesh at all": Blocked(mesh((SHOP,), injectors=()), "There is no control plane to upgrade from"),
    "a revision name that a tag has": Blocked(
        replace(MESH, injectors=(unrevisioned(), tag("prod", OLD))), '"prod" is a tag here', revision="prod"
    ),
    "a revision that belongs to another version": Blocked(
        replace(MESH, control_planes=(plane(OLD, "1.29.6"), plane(NEW, "1.30.1"))), f'Revision "{NEW}" belongs to another version'
    ),
    "a kind that is not restarted yet": Blocked(mesh((SHOP,), ((deployment("db", "shop", "StatefulSet"), proxy()),)), "need a restart"),
    "a paused Deployment": Blocked(mesh((SHOP,), ((replace(deployment("web", "shop"), paused=True), proxy()),)), "paused"),
    "a namespace in which only pods ask": Blocked(
        mesh((namespace("own"), SHOP), ((deployment("web", "own", labels={"istio.io/rev": OLD}), proxy()),)),
        "only single pods ask",
        (("own",),),
    ),
}


@pytest.mark.parametrize("case", BLOCKED.values(), ids=BLOCKED)
def test_blockers(case: Blocked) -> None:
    told = [blocker.text() for blocker in plan(case.snapshot, *case.waves, revision=case.revision, old=case.old).blockers]
    assert any(case.says in text for text in told), told


def test_two_old_control_planes_must_be_told_apart() -> None:
    two = mesh((SHOP, namespace("pay", rev="1-28-2")), injectors=(unrevisioned(), expected_injector("1-28-2")))
    assert "Several revisions" in plan(two).blockers[0].text()
    assert plan(two, old="1-28-2").waves == (("pay",),)


RECORD = Record(
    id="0a1b2c3d",
    revision=NEW,
    version="1.30.3",
    old=OLD,
    waves=(("shop",), ("cart",)),
    namespaces={"shop": "uid-shop", "cart": "uid-cart"},
    phase=Phase.RUNNING,
    wave=0,
    started="2026-11-22 03:10 UTC",
    by="ops@bastion",
)
MOVED = replace(
    mesh(
        tuple(replace(n.asking(Asks(revision=NEW)), prior=n.asks) for n in (SHOP, CART)),
        ((deployment("web", "shop"), proxy(NEW, "1.30.3")), (deployment("api", "cart"), proxy(NEW, "1.30.3"))),
        (unrevisioned(), expected_injector(NEW)),
    ),
    control_planes=(plane(OLD, "1.29.6"), plane(NEW, "1.30.3")),
)


def test_the_next_step_of_a_killed_run_is_the_wave_that_is_not_done() -> None:
    assert next_step(RECORD, MESH) == (0, 1)
    assert next_step(RECORD.advanced(0), MOVED) == (1,)
    assert next_step(replace(RECORD, phase=Phase.DONE), MOVED) == ()
    assert next_step(replace(RECORD, phase=Phase.ROLLED_BACK), MESH) == ()


def test_a_second_run_changes_nothing_in_the_record() -> None:
    done = replace(RECORD, phase=Phase.DONE, wave=2)
    assert begun(done, replace(RECORD, waves=(("cart", "shop"),), started="later"), MOVED) == done
    assert read(RECORD.written()) == RECORD


def test_a_running_upgrade_to_another_revision_is_not_overwritten() -> None:
    with pytest.raises(Exception, match="is under way"):
        begun(RECORD, replace(RECORD, revision="1-31-0"), MESH)
