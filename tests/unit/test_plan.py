# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the plan says of small meshes: who moves, who restarts, what blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Namespace, move_to
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan, make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import (
    Pause,
    Phase,
    Record,
    begun,
    check_still,
    completed,
    completing,
    lost,
    next_step,
    read,
    rolling_back,
    to_roll_back,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.served import check_served
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane, Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.status import report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, tag, unrevisioned

SHOP, CART = namespace("shop", injection="enabled"), namespace("cart", injection="enabled")
MESH = mesh((SHOP, CART, namespace("plain")), ((deployment("web", "shop"), proxy()), (deployment("api", "cart"), proxy())))


def plan(
    snapshot: Snapshot, *waves: tuple[str, ...] | str, revision: str = NEW, exclude: tuple[str, ...] = (), old: str | None = None
) -> Plan:
    return make_plan(snapshot, Target(revision, "1.30.3", old, waves, frozenset(exclude), "istio-system"))


def lines(found: Plan) -> tuple[str, ...]:
    return tuple(finding.line() for finding in found.warnings)


def test_the_default_wave_is_all_that_the_old_one_injects() -> None:
    found = plan(MESH)
    assert (found.old, found.waves, found.blockers) == (OLD, (("cart", "shop"),), ())
    assert [j.workload.short for j in found.restarts] == ["deploy/web", "deploy/api"]


def test_a_rerun_after_a_kill_still_sees_what_is_half_moved() -> None:
    moved = replace(SHOP.asking(Asks(revision=NEW)), prior=Asks("enabled", None))
    half = replace(MESH, namespaces=(moved, CART), injectors=(unrevisioned(), expected_injector(NEW)))
    assert plan(half).waves == (("cart", "shop"),)
    assert [move.namespace.name for move in plan(half).moves] == ["cart"]


def test_a_first_onboarding_that_has_moved_would_lose_nothing() -> None:
    """By its former labels it asks for no sidecar: those that it has are of this very move."""
    moved = replace(namespace("plain", rev=NEW), prior=Asks())
    there = mesh((SHOP, moved), ((deployment("web", "plain"), proxy(NEW, "1.30.3")),), (unrevisioned(), expected_injector(NEW)))
    assert plan(there, ("plain",), old=OLD).blockers == ()


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
    exclude: tuple[str, ...] = ()


MANAGED = replace(expected_injector("managed"), url="https://mesh.example.com/inject")


def unseen(revision: str) -> ControlPlane:
    return replace(plane(revision, "1.30.3"), settings=None)


BLOCKED = {
    "a namespace in two waves": Blocked(MESH, 'Namespace "shop" is in two waves', (("shop",), ("shop", "cart"))),
    "a namespace that is to stay, and does not exist": Blocked(MESH, "mesh_exclude: nosuch", exclude=("nosuch", "cart")),
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
    "a kind that nobody has declared": Blocked(
        mesh((SHOP,), ((replace(deployment("web", "shop", "Rollout"), of_pods=True, group="argoproj.io"), proxy()),)),
        "mesh_recipes: [{kind: Rollout, group: argoproj.io, recipe: evict}]",
    ),
    "pods that a deleted Deployment has left": Blocked(
        mesh((SHOP,), ((replace(deployment("left", "shop"), of_pods=True), proxy()),)), "deploy/left in shop"
    ),
    "a namespace that keeps sidecars out": Blocked(
        mesh((SHOP, namespace("closed", injection="disabled"))), "istio-injection=disabled", (("closed",),)
    ),
    "an ambient namespace": Blocked(
        mesh((SHOP, namespace("mist", **{"istio.io/dataplane-mode": "ambient"}))), "istio.io/dataplane-mode=ambient", (("mist",),)
    ),
    "what has a sidecar and would get none, where all of the mesh moves": Blocked(
        mesh((SHOP, namespace("legacy", rev="1-28-2")), ((deployment("a", "legacy"), proxy("1-28-2", "1.28.2")),)),
        'no injector here serves revision or tag "1-28-2" (there are: default)',
    ),
    "pods that would come back without a sidecar": Blocked(
        mesh((SHOP,), ((deployment("web", "shop", labels={"sidecar.istio.io/inject": "false"}), proxy()),)),
        "the pod templates opt out of injection",
    ),
    "several revisions, none of them named": Blocked(
        mesh((SHOP, namespace("pay", rev="1-28-2")), injectors=(unrevisioned(), expected_injector("1-28-2"))), "Several revisions"
    ),
    "settings of the new control plane that cannot be seen": Blocked(
        replace(MESH, control_planes=(plane(OLD, "1.29.6"), unseen(NEW)), injectors=(unrevisioned(), expected_injector(NEW))),
        "its injector's settings cannot be seen (ConfigMap istio-sidecar-injector-1-30-3)",
    ),
    "what cannot be told elsewhere, where all of the mesh moves": Blocked(
        mesh((SHOP, namespace("far", rev="managed")), injectors=(unrevisioned(), MANAGED)),
        'What new pods in namespace "far" would get cannot be told',
        old=OLD,
    ),
    "two injectors that take the same pods": Blocked(
        mesh((SHOP,), injectors=(unrevisioned(), replace(unrevisioned(), name="another", revision="1-29-0"))),
        "another (1-29-0), istio-sidecar-injector (default)",
        (("shop",),),
        old=OLD,
    ),
    "a namespace in which only pods ask": Blocked(
        mesh((namespace("own"), SHOP), ((deployment("web", "own", labels={"istio.io/rev": OLD}), proxy()),)),
        "only single pods ask",
        (("own",),),
    ),
}


@pytest.mark.parametrize("case", BLOCKED.values(), ids=BLOCKED)
def test_blockers(case: Blocked) -> None:
    found = plan(case.snapshot, *case.waves, revision=case.revision, old=case.old, exclude=case.exclude)
    told = [blocker.error().text() for blocker in found.blockers]
    assert any(case.says in text for text in told), told


def test_of_two_old_control_planes_one_is_named() -> None:
    two = mesh((SHOP, namespace("pay", rev="1-28-2")), injectors=(unrevisioned(), expected_injector("1-28-2")))
    assert plan(two, old="1-28-2").waves == (("pay",),)


def test_what_is_orphaned_outside_of_named_waves_or_excluded_does_not_block() -> None:
    there = mesh((SHOP, namespace("legacy", rev="1-28-2")), ((deployment("a", "legacy"), proxy("1-28-2", "1.28.2")),))
    named = plan(there, ("shop",))
    assert named.blockers == ()
    assert "deploy/a in legacy has a sidecar and would get none now: it is orphaned, and left alone." in lines(named)
    assert plan(there, exclude=("legacy",)).blockers == ()


def test_what_nobody_serves_is_not_moved_since_it_could_not_be_given_back() -> None:
    there = mesh((SHOP, namespace("legacy", rev="1-28-2"), namespace("void", rev="typo")), ((deployment("a", "legacy"), proxy("1-28-2")),))
    told = [blocker.error().text() for blocker in plan(there, ("legacy", "void")).blockers]
    assert 'Namespace "legacy" would lose its sidecars.' in told[0]
    assert "kubectl label namespace legacy istio.io/rev=default --overwrite" in told[0]
    assert 'Namespace "void" asks for what nobody serves.' in told[1]


def test_a_gateway_is_no_orphan_and_is_told_where_it_moves() -> None:
    gateway = replace(deployment("gw", "shop"), gateway=Gateway.RENDERED)
    found = plan(mesh((SHOP,), ((gateway, proxy()), (deployment("web", "shop"), proxy()))))
    assert (found.blockers, [j.workload.short for j in found.restarts]) == ((), ["deploy/web"])
    assert lines(found) == ("deploy/gw in shop is a gateway: not restarted, its next pods get 1-30-3.",)


def test_what_is_unhealthy_already_is_told_before_anything_moves() -> None:
    sick = replace(deployment("web", "shop"), replicas=2, total=2, updated=2, available=1)
    assert lines(plan(mesh((SHOP,), ((sick, proxy()),)))) == (
        "deploy/web in shop is unhealthy already, 1 of 2 pods: its restart may not come to an end, and does not"
        " stop a wave as long as it is no worse than when the upgrade begins; kubectl -n shop describe deploy/web.",
    )


RENDERED = {
    "what a revision needs": ((expected_injector(NEW),), ""),
    "a tag that would move with it": ((expected_injector(NEW), tag("default", NEW)), "would move tag default at once"),
    "no injector": ((), 'no injector for revision "1-30-3"'),
}


@pytest.mark.parametrize(("brings", "says"), RENDERED.values(), ids=RENDERED)
def test_what_the_chart_would_do_besides_is_seen_before(brings: tuple[Injector, ...], says: str) -> None:
    target = Target(NEW, "1.30.3", None, (), frozenset(), "istio-system", brings, f"istiod-{NEW}")
    told = [blocker.error().text() for blocker in make_plan(MESH, target).blockers]
    assert (says in told[0]) if says else told == []


def test_a_control_plane_of_somebody_else_is_not_taken_over() -> None:
    target = Target(NEW, "1.30.3", None, (), frozenset(), "istio-system", (expected_injector(NEW),), f"istiod-{NEW}")
    both = (*MESH.control_planes, plane(NEW, "1.30.3"))
    there = replace(MESH, control_planes=both, injectors=(unrevisioned(), expected_injector(NEW)))
    assert "is not of helm release istiod-1-30-3" in make_plan(there, target).blockers[0].error().text()
    ours = replace(expected_injector(NEW), owner=f"istiod-{NEW}")
    assert make_plan(replace(there, injectors=(unrevisioned(), ours)), target).blockers == ()


def test_a_second_upgrade_moves_all_that_the_first_one_moved() -> None:
    """Also where the first old one is gone, and what came later never had another label."""
    moved = replace(SHOP.asking(Asks(revision=NEW)), prior=Asks("enabled", None))
    here = (moved, namespace("later", rev=NEW))
    pods = ((deployment("web", "shop"), proxy(NEW, "1.30.3")), (deployment("api", "later"), proxy(NEW, "1.30.3")))
    for injectors in ((expected_injector(NEW),), (unrevisioned(), expected_injector(NEW))):
        found = plan(mesh(here, pods, injectors), revision="1-31-0")
        assert (found.old, found.waves, found.blockers) == (NEW, (("later", "shop"),), ())
        assert found.moves[1].prior == Asks("enabled", None)


def test_a_selector_never_takes_what_does_not_ask_or_keeps_out() -> None:
    here = tuple(replace(n, labels={**n.labels, "team": "pay"}) for n in (SHOP, namespace("plain"), namespace("no", injection="disabled")))
    assert plan(mesh(here), "team=pay").waves == (("shop",),)


def test_followers_of_a_tag_move_only_when_they_are_named_and_are_told() -> None:
    web = ((deployment("front", "web"), proxy()),)
    there = mesh((SHOP, namespace("web", rev="prod")), web, injectors=(unrevisioned(), tag("prod", OLD)))
    assert plan(there).waves == (("shop",),)
    assert lines(plan(there)) == ('1 namespace not in any wave: web. New pods there still get "default".',)
    named = plan(there, ("shop", "web"))
    assert [move.namespace.name for move in named.moves] == ["shop", "web"]
    assert any('"web" follows tag "prod"' in warning for warning in lines(named))


def test_when_the_old_one_is_gone_nothing_is_left_to_do() -> None:
    done = replace(mesh((namespace("shop", rev=NEW),), injectors=(expected_injector(NEW),)), control_planes=(plane(NEW, "1.30.3"),))
    assert (plan(done).waves, plan(done).blockers) == ((), ())


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


def test_a_record_comes_back_as_it_was_written_and_older_ones_are_read() -> None:
    paused = replace(RECORD, paused=Pause("Restart what is stale in wave 1", "exceeded quota", "2026-11-22 03:20 UTC"))
    assert (read(RECORD.written()), read(paused.written())) == (RECORD, paused)
    older = json.loads(RECORD.written())
    del older["paused"]
    assert read(json.dumps(older)) == RECORD


def test_the_status_says_what_is_known_of_a_run_that_has_not_ended() -> None:
    """Nobody can write that he was cut off: who reads must not be told that it stands paused, nor that all is well."""
    paused = replace(RECORD, paused=Pause("Restart what is stale in wave 1", "deploy/api: exceeded quota\n  do: raise it", "03:20 UTC"))
    text = "\n".join(report(MESH, "eu-1", "1.36.3", paused, "2026-11-22T03:20:11Z"))
    assert f"upgrade to {NEW}: paused, wave 0 of 2 done" in text
    assert 'paused at "Restart what is stale in wave 1", 03:20 UTC\n    why:   deploy/api: exceeded quota\n' in text
    assert "do:    mend it and run meshops.istio.canary_upgrade again" in text
    cut_off = "\n".join(report(MESH, "eu-1", "1.36.3", replace(RECORD, phase=Phase.ROLLING_BACK), "2026-11-22T03:20:11Z"))
    assert "not finished and not paused, last heard of 2026-11-22 03:20:11 UTC: a run is at it, or it was cut off" in cut_off
    assert "if nobody is at it, run meshops.istio.rollback again" in cut_off
    for ended in (None, replace(RECORD, phase=Phase.DONE)):
        assert "again" not in "\n".join(report(MESH, "eu-1", "1.36.3", ended, ""))


def test_the_next_step_of_a_killed_run_is_the_wave_that_is_not_done() -> None:
    assert next_step(RECORD, MESH) == (0, 1)
    assert next_step(RECORD.advanced(0), MOVED) == (1,)
    assert next_step(replace(RECORD, phase=Phase.DONE), MOVED) == ()
    assert next_step(replace(RECORD, phase=Phase.ROLLED_BACK), MESH) == ()


def test_a_second_run_changes_nothing_in_the_record() -> None:
    done = replace(RECORD, phase=Phase.DONE, wave=2)
    assert begun(done, replace(RECORD, waves=(("cart", "shop"),), started="later"), MOVED) == done
    assert read(RECORD.written()) == RECORD


def test_a_finished_upgrade_with_new_waves_goes_on_with_those() -> None:
    done = replace(RECORD, phase=Phase.DONE, wave=2)
    grown = begun(done, replace(RECORD, waves=(("shop",), ("cart",), ("late",))), MESH)
    assert (grown.phase, grown.wave, grown.id) == (Phase.RUNNING, 0, RECORD.id)


def test_an_upgrade_does_not_start_in_the_middle_of_a_rollback() -> None:
    with pytest.raises(MeshError, match="A rollback is under way"):
        begun(replace(RECORD, phase=Phase.ROLLING_BACK), RECORD, MESH)


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.ROLLING_BACK, Phase.ROLLED_BACK])
def test_what_is_not_done_is_not_completed(phase: Phase) -> None:
    with pytest.raises(MeshError, match="has not come to its end"):
        completing(replace(RECORD, phase=phase))


def test_an_upgrade_is_complete_when_nothing_of_the_old_control_plane_is_left() -> None:
    under_way = completing(replace(RECORD, phase=Phase.DONE))
    with pytest.raises(MeshError, match='"default" is not gone'):
        completed(under_way, MESH)
    assert completed(under_way, replace(MESH, control_planes=(), injectors=())).phase is Phase.COMPLETED


@pytest.mark.parametrize("phase", [Phase.COMPLETING, Phase.COMPLETED])
def test_from_a_completion_there_is_no_way_back(phase: Phase) -> None:
    with pytest.raises(MeshError, match="no way back"):
        rolling_back(replace(RECORD, phase=phase), MESH.namespace, "istio-system")


def test_without_a_record_and_without_recorded_labels_there_is_nothing_to_roll_back() -> None:
    with pytest.raises(MeshError, match="nothing to roll back") as told:
        rolling_back(None, MESH.namespace, "mesh-system")
    assert "no ConfigMap meshops-upgrade in namespace mesh-system" in told.value.text()
    assert rolling_back(None, MOVED.namespace, "mesh-system") is None, "a lost record is no reason to stay"


STILL: dict[str, tuple[Record | None, bool, bool]] = {
    "it is under way": (RECORD, True, True),
    "it is done, and told so again": (replace(RECORD, phase=Phase.DONE), True, True),
    "another run rolls it back": (replace(RECORD, phase=Phase.ROLLING_BACK), True, False),
    "who rolls it back goes on with that": (replace(RECORD, phase=Phase.ROLLING_BACK), False, True),
    "another run has rolled it back": (replace(RECORD, phase=Phase.ROLLED_BACK), True, False),
    "another one was begun": (replace(RECORD, id="ffffffff"), True, False),
    "another one was begun, which is not for us to roll back": (replace(RECORD, id="ffffffff"), False, False),
    "the record is gone": (None, True, False),
}


@pytest.mark.parametrize(("found", "going_on", "ours"), STILL.values(), ids=STILL)
def test_who_is_in_the_middle_of_an_upgrade_stops_where_another_has_taken_over(found: Record | None, going_on: bool, ours: bool) -> None:
    try:
        check_still(found, RECORD.id, going_on=going_on)
    except MeshError as problem:
        assert not ours, problem.text()
    else:
        assert ours, "it goes on beside the other"


def test_a_rollback_concerns_what_has_moved_also_when_its_labels_are_back_already() -> None:
    half = {**MESH.namespace, "shop": MOVED.namespace["shop"]}
    assert to_roll_back(RECORD, half) == ("shop",), "what was never reached is left alone"
    begun_one = rolling_back(RECORD, half, "istio-system")
    assert begun_one
    assert begun_one.namespaces == {"shop": "uid-shop"}
    assert to_roll_back(begun_one, MESH.namespace) == ("shop",), "a killed rollback still has to restart it"
    assert to_roll_back(replace(begun_one, phase=Phase.ROLLED_BACK), MESH.namespace) == ()
    assert to_roll_back(None, MOVED.namespace) == ("cart", "shop")
    leaving = {**MOVED.namespace, "cart": replace(MOVED.namespace["cart"], deleting=True)}
    assert to_roll_back(None, leaving) == ("shop",), "what is on its way out is gone at the next step"


LOST = {
    "it is as it was": (SHOP, ""),
    "it was moved and has its way back": (replace(SHOP.asking(Asks(revision=NEW)), prior=SHOP.asks), ""),
    "it was made anew and moved again": (replace(SHOP.asking(Asks(revision=NEW)), prior=SHOP.asks, uid="another"), ""),
    "it was made anew": (replace(SHOP.asking(Asks(revision=NEW)), uid="another"), "was made anew since the upgrade began"),
    "its annotation is gone": (SHOP.asking(Asks(revision=NEW)), "has no annotation meshops.io/prior-injection"),
}


@pytest.mark.parametrize(("found", "says"), LOST.values(), ids=LOST)
def test_what_cannot_be_given_back_is_named(found: Namespace, says: str) -> None:
    told = lost(replace(RECORD, namespaces={"shop": "uid-shop"}), {"shop": found})
    assert (says in told[0]) if says else told == ()


def test_what_is_gone_is_named() -> None:
    (told,) = lost(replace(RECORD, namespaces={"shop": "uid-shop"}), {})
    assert told == 'Namespace "shop" was deleted since the upgrade began; it is left out.'


def test_a_namespace_that_was_made_anew_is_taken_into_the_record_again() -> None:
    anew = replace(RECORD, namespaces={**RECORD.namespaces, "shop": "another"})
    assert begun(RECORD, anew, MESH).namespaces["shop"] == "another"


SERVED = {
    "an injector serves it": (expected_injector(NEW), ""),
    "none serves it": (unrevisioned(), 'No injector here serves "istio.io/rev=1-30-3"'),
    "the one that serves it has no caBundle": (
        replace(expected_injector(NEW), entries=tuple(replace(e, has_ca=False) for e in expected_injector(NEW).entries)),
        "has no caBundle",
    ),
    "the one that serves it has no ready endpoint": (replace(expected_injector(NEW), service="istiod-x", ready=False), "no ready endpoint"),
}


@pytest.mark.parametrize(("injector", "says"), SERVED.values(), ids=SERVED)
def test_labels_are_written_only_when_an_injector_serves_them(injector: Injector, says: str) -> None:
    try:
        check_served([move_to(SHOP, NEW)], [injector])
    except MeshError as problem:
        assert says and says in problem.text()
    else:
        assert not says


def test_a_running_upgrade_to_another_revision_is_not_overwritten() -> None:
    with pytest.raises(Exception, match="is under way"):
        begun(RECORD, replace(RECORD, revision="1-31-0"), MESH)
