# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is done next with a workload of any kind, by what its pods and its controller show."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.baseline import Ill
from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import Budget
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.ledger import Begun, Delete, Evict, Ledger, Stamp
from ansible_collections.meshops.istio.plugins.module_utils._mesh.proof import in_the_mesh, left
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Declared, Recipe, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.restart import Step, Task, next_restarts
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import rolled_out, rolling
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import (
    STAMP,
    TEMPLATE_HASH,
    TEMPLATE_OF,
    Pod,
    Restarted,
    Workload,
)
from tests.unit.meshes import NEW, deployment, namespace, plane, pod, proxy

NOW, BEFORE = "2026-11-22T03:10:00Z", "2026-11-01T00:00:00Z"
OLD, RIGHT = proxy(), proxy(NEW, "1.30.3")
NONE_ALLOWED = Budget("shop", "db", Selector(), 0)


def of(kind: str, pods: int = 3, **more: t.Any) -> Workload:
    one = deployment("db", "shop", kind)
    return replace(one, **{"replicas": pods, "total": pods, "updated": pods, "available": pods, **more})


def sts(**more: t.Any) -> Workload:
    return of("StatefulSet", ordered=True, newest="db-2", **more)


STUCK_WITH = {TEMPLATE_HASH: "db-2"}
"""Of a pod of the newest template."""


def shape(stamp: str | None = None, labels: Mapping[str, str] | None = None) -> PodShape:
    return PodShape(labels or {}, {STAMP: stamp} if stamp else {})


def shop(workload: Workload, *pods: Pod, budgets: tuple[Budget, ...] = ()) -> Snapshot:
    return Snapshot((plane(NEW, "1.30.3"),), (expected_injector(NEW),), (namespace("shop", rev=NEW),), (workload,), pods, budgets)


def three(workload: Workload, **changed: Pod) -> tuple[Pod, ...]:
    """Pods 0 to 2 with the old sidecar, but those that are named: ``_1``. They are of the former template where that was stamped since."""
    stamped = replace(workload, template=shape(BEFORE)) if workload.template.annotations else workload
    return tuple(changed.get(f"_{number}", pod(stamped, number, OLD)) for number in range(3))


def step(now: Snapshot, ledger: Ledger | None = None, **task: t.Any) -> Step:
    return next_restarts(now, replace(Task(frozenset({"shop"}), 10, NOW), **task), ledger or Ledger())


def told(found: Step) -> list[str]:
    """``evict db-2``."""
    names = {Evict: "evict", Delete: "delete", Stamp: "stamp"}
    return [f"{names[type(a)]} {a.value if isinstance(a, Stamp) else a.pod.name}" for a in found.actions]


ON_DELETE = sts(on_delete=True)
ILL = replace(pod(ON_DELETE, 0, OLD, ready=False), never_ready=True)
UNREADY = replace(pod(ON_DELETE, 2, RIGHT, ready=False), uid="new")


@dataclass(frozen=True)
class Case:
    now: Snapshot
    does: list[str]
    task: Mapping[str, t.Any] = field(default_factory=dict)
    waits: str = ""
    gone: frozenset[str] = frozenset()


NEXT = {
    "a StatefulSet that rolls is stamped": Case(shop(sts(), *three(sts())), [f"stamp {NOW}"]),
    "of one with OnDelete, the highest ordinal is evicted": Case(shop(ON_DELETE, *three(ON_DELETE)), ["evict db-2"]),
    "of one with a partition too": Case(shop(sts(partition=1), *three(sts(partition=1))), ["evict db-2"]),
    "only stale pods are evicted": Case(shop(ON_DELETE, *three(ON_DELETE, _2=pod(ON_DELETE, 2, RIGHT))), ["evict db-1"]),
    "the next has to wait until all are ready": Case(
        shop(replace(ON_DELETE, available=2), *three(ON_DELETE, _2=pod(ON_DELETE, 2, RIGHT, ready=False))), [], waits="0 of 3 pods"
    ),
    "the next waits although the watch still shows what was evicted": Case(
        shop(ON_DELETE, *three(ON_DELETE)), [], gone=frozenset({"shop/db-2"}), waits="0 of 3 pods"
    ),
    "what is ill and stale goes first": Case(
        shop(replace(ON_DELETE, available=2), *three(ON_DELETE, _0=replace(ILL, never_ready=False))), ["evict db-0"]
    ),
    "what was never ready, is broken and holds an ordered one up is deleted": Case(
        shop(replace(ON_DELETE, available=2), *three(ON_DELETE, _0=replace(ILL, waiting="CrashLoopBackOff"))), ["delete db-0"]
    ),
    "what may only need its time to become ready is evicted, as its budget allows": Case(
        shop(replace(ON_DELETE, available=2), *three(ON_DELETE, _0=ILL)), ["evict db-0"]
    ),
    "one that is not ready any more waits for the one that is away": Case(
        shop(replace(ON_DELETE, available=1), *three(ON_DELETE, _1=pod(ON_DELETE, 1, OLD, ready=False))[:2]),
        [],
        gone=frozenset({"shop/db-2"}),
        waits="0 of 3 pods",
    ),
    "and while the new one is not ready": Case(
        shop(replace(ON_DELETE, available=1), *three(ON_DELETE, _1=pod(ON_DELETE, 1, OLD, ready=False), _2=UNREADY)),
        [],
        gone=frozenset({"shop/db-2"}),
        waits="0 of 3 pods",
    ),
    "also where its controller has not seen yet that one is away": Case(
        shop(ON_DELETE, *three(ON_DELETE, _1=pod(ON_DELETE, 1, OLD, ready=False))), [], gone=frozenset({"shop/db-2"}), waits="0 of 3 pods"
    ),
    "when all others are ready again it goes": Case(
        shop(replace(ON_DELETE, available=2), *three(ON_DELETE, _1=pod(ON_DELETE, 1, OLD, ready=False), _2=replace(UNREADY, ready=True))),
        ["evict db-1"],
        gone=frozenset({"shop/db-2"}),
    ),
    "a DaemonSet with OnDelete": Case(shop(of("DaemonSet", on_delete=True), *three(of("DaemonSet"))), ["evict db-2"]),
    "a ReplicaSet of nobody": Case(shop(of("ReplicaSet"), *three(of("ReplicaSet"))), ["evict db-2"]),
    "a budget that allows none holds an eviction back": Case(
        shop(of("ReplicaSet"), *three(of("ReplicaSet")), budgets=(NONE_ALLOWED,)), [], waits="pdb/db allows none now"
    ),
    "whatever mesh_respect_pdb says": Case(
        shop(of("ReplicaSet"), *three(of("ReplicaSet")), budgets=(NONE_ALLOWED,)),
        [],
        {"choices": Choices(respect_pdb=False)},
        waits="pdb/db allows none now",
    ),
    "a budget that allows none holds a stamp back": Case(
        shop(of("Deployment"), *three(of("Deployment")), budgets=(NONE_ALLOWED,)), [], waits="(mesh_respect_pdb)"
    ),
    "unless that is not wished": Case(
        shop(of("Deployment"), *three(of("Deployment")), budgets=(NONE_ALLOWED,)),
        [f"stamp {NOW}"],
        {"choices": Choices(respect_pdb=False)},
    ),
    "a budget of other pods holds nothing back": Case(
        shop(
            of("Deployment"), *three(of("Deployment")), budgets=(replace(NONE_ALLOWED, selector=None), replace(NONE_ALLOWED, namespace="x"))
        ),
        [f"stamp {NOW}"],
    ),
    "a bare pod is left": Case(shop(of("Pod", 0, of_pods=True), pod(of("Pod"), 0, OLD)), []),
    "a bare pod is evicted when told": Case(
        shop(of("Pod", 0, of_pods=True), pod(of("Pod"), 0, OLD)), ["evict db-0"], {"choices": Choices(bare_pods=Recipe.EVICT)}
    ),
    "a Job is waited for": Case(shop(of("Job", 0, of_pods=True), pod(of("Job"), 0, OLD)), [], waits="1 pod to come to an end (mesh_jobs)"),
    "a Job is left when told": Case(shop(of("Job", 0, of_pods=True), pod(of("Job"), 0, OLD)), [], {"choices": Choices(jobs=Recipe.REPORT)}),
    "a paused Deployment is left": Case(shop(of("Deployment", paused=True), *three(of("Deployment"))), []),
    "what nobody has declared is left": Case(shop(of("Rollout", 0, of_pods=True), *three(of("Rollout"))), []),
    "what is declared is evicted": Case(
        shop(of("Rollout", 0, of_pods=True), *three(of("Rollout"))),
        ["evict db-2"],
        {"choices": Choices(declared=(Declared("Rollout", "", Recipe.EVICT),))},
    ),
    "pods of a StatefulSet that is gone are left: nobody would make them anew": Case(
        shop(of("StatefulSet", 0, of_pods=True), *three(sts())), []
    ),
    "a StatefulSet that waits in vain for a broken pod of an older template has it deleted": Case(
        shop(sts(updated=0), *three(sts(), _0=replace(pod(sts(), 0, OLD, ready=False, waiting="CrashLoopBackOff"), never_ready=True))),
        ["delete db-0"],
    ),
    "but not while it may only be slow": Case(
        shop(sts(updated=0), *three(sts(), _0=replace(pod(sts(), 0, OLD, ready=False), never_ready=True))), [], waits="0 of 3 pods"
    ),
}


@pytest.mark.parametrize("case", NEXT.values(), ids=NEXT)
def test_next(case: Case) -> None:
    known = {"shop/db": Begun(Recipe.EVICT, seen=frozenset(p.uid for p in case.now.pods), pods=3)} if case.gone else {}
    found = step(case.now, Ledger(known, case.gone), **case.task)
    assert told(found) == case.does
    assert found.progress.fatal is None
    assert any(case.waits in line for line in found.progress.waiting) or not case.waits


def test_pods_that_were_ill_before_the_first_went_wait_for_none() -> None:
    """They may need each other: two of three members that have lost their quorum."""
    ill = {f"_{number}": pod(ON_DELETE, number, OLD, ready=False) for number in (0, 1)}
    now = shop(replace(ON_DELETE, available=1), *three(ON_DELETE, **ill))
    (action,) = step(now).actions
    assert isinstance(action, Evict)
    assert action.pod.name == "db-1"
    assert told(step(now, Ledger({"shop/db": action.begun}, frozenset({action.pod.uid})))) == ["evict db-0"]


def test_on_the_way_back_what_was_never_ready_is_deleted_also_where_it_may_only_need_its_time() -> None:
    now = back(replace(ON_DELETE, available=2), *three(ON_DELETE, _0=replace(ILL, proxy=RIGHT)))
    assert told(step(now, back=True, leaving=NEW)) == ["delete db-0"]


ROLLOUT = of("Rollout", 0, of_pods=True, group="argoproj.io")
AS_DECLARED = Choices(bare_pods=Recipe.EVICT, declared=(Declared("Rollout", "argoproj.io", Recipe.EVICT, "v1alpha1", "rollouts"),))
LATER = {
    "while it has no pod it is waited for": ((), "rollout/db in shop: 0 of 1 pods"),
    "while its new pod is not ready too": ((pod(ROLLOUT, 1, RIGHT, ready=False),), "rollout/db in shop: 0 of 1 pods"),
    "with its new pod it is done": ((pod(ROLLOUT, 1, RIGHT),), ""),
}


@pytest.mark.parametrize("recipe", [Recipe.EVICT, Recipe.STAMP])
@pytest.mark.parametrize(("pods", "waits"), LATER.values(), ids=LATER)
def test_the_only_pod_of_a_declared_kind_has_to_come_back(recipe: Recipe, pods: tuple[Pod, ...], waits: str) -> None:
    """While it ends, nothing tells of the workload."""
    declared = replace(AS_DECLARED, declared=(replace(AS_DECLARED.declared[0], recipe=recipe),))
    only = pod(ROLLOUT, 0, OLD)
    (action,) = step(shop(ROLLOUT, only), choices=declared).actions
    assert not isinstance(action, Delete)
    begun = Ledger({ROLLOUT.uid: action.begun}, frozenset({only.uid}))
    now = shop(ROLLOUT, *pods)
    found = step(now if pods else replace(now, workloads=()), begun, choices=declared)
    assert (told(found), found.progress.waiting) == ([], (waits,) if waits else ())
    assert found.progress.finished is not bool(waits)
    assert found.progress.total == 1


def test_what_has_no_pods_is_not_borne_as_no_worse_than_before() -> None:
    only = pod(ROLLOUT, 0, OLD, ready=False)
    known: dict[str, t.Any] = {"choices": AS_DECLARED, "baseline": {ROLLOUT.path: Ill(0, 1)}}
    (action,) = step(shop(ROLLOUT, only), **known).actions
    assert isinstance(action, Evict)
    gone = replace(shop(ROLLOUT), workloads=())
    assert step(gone, Ledger({ROLLOUT.uid: action.begun}, frozenset({only.uid})), **known).progress.borne == ()


def test_what_was_made_anew_with_the_same_name_and_a_bare_pod_that_is_gone_are_not_waited_for() -> None:
    bare = of("Pod", 0, of_pods=True)
    anew = replace(ROLLOUT, uid="anew")
    for workload, now in ((bare, replace(shop(bare), workloads=())), (ROLLOUT, shop(anew, replace(pod(anew, 0, RIGHT), uid="new")))):
        only = pod(workload, 0, OLD)
        (action,) = step(shop(workload, only), choices=AS_DECLARED).actions
        assert isinstance(action, Evict)
        assert step(now, Ledger({workload.uid: action.begun}, frozenset({only.uid})), choices=AS_DECLARED).progress.finished


HOME = "istio.io/rev=old"
OURS = Restarted(NOW, BEFORE, HOME)
HALF = sts(template=shape(NOW), restarted=OURS, updated=1, available=2)
THEIRS = replace(HALF, template=shape("theirs"), updated=3, available=3)
NEW_POD = replace(pod(HALF, 2, RIGHT, ready=False), shape=shape(NOW, STUCK_WITH), never_ready=True)


def back(workload: Workload, *pods: Pod, budgets: tuple[Budget, ...] = ()) -> Snapshot:
    """The namespace asks for the old one again."""
    injectors, planes = (expected_injector("old"),), (plane("old", "1.29.6"),)
    old = proxy("old")
    given = tuple(replace(one, proxy=old) if one.proxy == OLD else one for one in pods)
    return Snapshot(planes, injectors, (namespace("shop", rev="old"),), (workload,), given, budgets)


BACK = {
    "a restart of ours that is stuck half way gets its former stamp back": Case(back(HALF, *three(HALF, _2=NEW_POD)), [f"stamp {BEFORE}"]),
    "also where a budget allows nothing, since it is ill": Case(
        back(HALF, *three(HALF, _2=NEW_POD), budgets=(NONE_ALLOWED,)), [f"stamp {BEFORE}"]
    ),
    "one that never got a new pod too": Case(back(replace(HALF, updated=0), *three(HALF)), [f"stamp {BEFORE}"]),
    "one that was well is held back by a budget": Case(
        back(replace(HALF, updated=3, available=3), *(pod(HALF, n, RIGHT) for n in range(3)), budgets=(NONE_ALLOWED,)), [], waits="pdb/db"
    ),
    "one that had no stamp has none again": Case(
        back(replace(HALF, restarted=Restarted(NOW, None, HOME)), *three(HALF, _2=NEW_POD)), ["stamp None"]
    ),
    "a stamp of somebody else is not taken back, a new one is set": Case(
        back(THEIRS, *(pod(THEIRS, n, RIGHT) for n in range(3))), [f"stamp {NOW}"]
    ),
    "what is as it should be is left": Case(back(of("Deployment"), *three(of("Deployment"))), []),
}


@pytest.mark.parametrize("case", BACK.values(), ids=BACK)
def test_back(case: Case) -> None:
    found = step(case.now, back=True, leaving=NEW, **case.task)
    assert told(found) == case.does
    assert any(case.waits in line for line in found.progress.waiting) or not case.waits


def test_what_the_former_template_has_made_meanwhile_is_evicted_and_once_only() -> None:
    """It stayed, since its template is the wanted one again; its sidecar is not."""
    there = of("Deployment", template=shape(BEFORE))
    stray = replace(pod(there, 1, RIGHT), uid="stray")
    ledger = Ledger({"shop/db": Begun(Recipe.STAMP, 0, None, frozenset({"stray"}), 3)})
    now = back(there, *three(there, _1=stray))
    (action,) = step(now, ledger, back=True).actions
    assert isinstance(action, Evict)
    assert action.pod == stray
    evicted = ledger.with_begun("shop/db", action.begun).without(stray)
    again = replace(now, pods=three(there, _1=replace(stray, uid="again")))
    fatal = step(again, evicted, back=True).progress.fatal
    assert fatal is not None
    assert "its new pods are not as they should be" in fatal.text()


def test_a_second_move_keeps_the_first_way_back() -> None:
    """One of an upgrade that was completed leads elsewhere, and is none."""
    here = f"istio.io/rev={NEW}"
    for home, prior in ((here, "the first"), ("istio-injection=enabled", BEFORE)):
        moved = of("Deployment", template=shape(BEFORE), restarted=Restarted(BEFORE, "the first", home))
        (action,) = step(shop(moved, *three(moved))).actions
        assert isinstance(action, Stamp)
        assert action.restarted == Restarted(NOW, prior, here)


def test_a_sidecar_that_cannot_run_ends_it_at_once_where_it_was_just_caused() -> None:
    broken = replace(pod(HALF, 2, RIGHT, ready=False, waiting="ImagePullBackOff"), container="istio-proxy", shape=shape(NOW, STUCK_WITH))
    now = shop(HALF, *three(HALF, _2=broken))
    ours = step(now, Ledger({"shop/db": Begun(Recipe.STAMP, 0, NOW)})).progress
    assert ours.fatal is not None
    assert "pod db-2: istio-proxy: ImagePullBackOff" in ours.fatal.text()
    found = step(now).progress
    assert found.fatal is None, "it may have been mended since it was begun"
    assert found.failing is not None
    app = replace(now, pods=three(HALF, _2=replace(broken, container="app")))
    assert step(app, Ledger({"shop/db": Begun(Recipe.STAMP, 0, NOW)})).progress.fatal is None


def test_pods_count_as_getting_further() -> None:
    half = replace(HALF, updated=2, available=3)
    assert step(shop(half, *three(half)), Ledger({"shop/db": Begun(Recipe.STAMP, 0, NOW)})).progress.pods == 2


def test_pods_of_a_job_that_have_come_to_their_end_count_as_getting_further() -> None:
    job = of("Job", 0, of_pods=True)
    found = step(shop(job, pod(job, 0, OLD), replace(pod(job, 1, OLD), finished=True), replace(pod(job, 2, OLD), finished=True)))
    assert (found.progress.waiting, found.progress.pods) == (("job/db in shop: 1 pod to come to an end (mesh_jobs)",), 2)


def test_pods_of_an_older_template_that_the_watch_still_shows_say_nothing() -> None:
    """A run that was killed has restarted it, and its controller is done: a second stamp would restart it again."""
    done = of("Deployment", template=shape(NOW))
    found = step(shop(done, *three(done)))
    assert (told(found), found.progress.finished) == ([], False)
    surge = of("Deployment", total=1, updated=1, available=1, pods=1)
    assert told(step(shop(surge, *three(surge)))) == []


def of_template(workload: Workload, name: str, **more: t.Any) -> tuple[Pod, ...]:
    """Its pods, all with the old sidecar, as their controller labels those of a template, each on its node."""
    labels = {TEMPLATE_OF[workload.kind]: name}
    return tuple(replace(one, shape=PodShape(labels, more.get("notes", {})), node=one.name) for one in three(workload))


DAEMONS = of("DaemonSet", newest="2", template=shape(NOW))
ON_A_TAINTED_NODE = replace(pod(DAEMONS, 3, OLD), node="db-3", shape=PodShape({TEMPLATE_OF["DaemonSet"]: "1"}))
BY_HAND = {"notes": {STAMP: "by hand"}}
SHOWN = {
    "a DaemonSet's pod on a node that would take none any more is not counted, and does not hold it up": (
        shop(DAEMONS, *of_template(DAEMONS, "2"), ON_A_TAINTED_NODE),
        True,
    ),
    "nor where no pod was ever stamped": (
        shop(replace(DAEMONS, template=shape()), *of_template(DAEMONS, "2"), ON_A_TAINTED_NODE),
        True,
    ),
    "its former pods say nothing when its controller has made others": (shop(DAEMONS, *of_template(DAEMONS, "1")), False),
    "nor does one beside a new one on the same node": (
        shop(DAEMONS, *of_template(DAEMONS, "2"), replace(ON_A_TAINTED_NODE, node="db-2")),
        False,
    ),
    "a DaemonSet's pod that somebody has stamped by hand is of the newest template": (
        shop(DAEMONS, *of_template(DAEMONS, "2", **BY_HAND)),
        True,
    ),
    "a StatefulSet's too": (shop(sts(), *of_template(sts(), "db-2", **BY_HAND)), True),
    "but not where its template is another": (shop(sts(), *of_template(sts(), "db-1", **BY_HAND)), False),
    "a Deployment's too": (shop(of("Deployment", newest="5d8f"), *of_template(of("Deployment"), "5d8f", **BY_HAND)), True),
    "but not of another ReplicaSet": (shop(of("Deployment", newest="5d8f"), *of_template(of("Deployment"), "77c9", **BY_HAND)), False),
    "nor where the Deployment does not say which is its newest": (
        shop(of("Deployment"), *of_template(of("Deployment"), "", **BY_HAND)),
        False,
    ),
}


@pytest.mark.parametrize(("now", "starts"), SHOWN.values(), ids=SHOWN)
def test_only_what_its_controller_has_replaced_already_is_not_judged(now: Snapshot, starts: bool) -> None:
    found = step(now)
    assert told(found) == ([f"stamp {NOW}"] if starts else [])
    assert starts or found.progress.waiting[0].endswith("its former pods to go")


def test_a_daemon_set_is_done_when_its_pods_that_are_not_counted_are_replaced_too() -> None:
    """Its controller says that it is done while one is left on a node that would take none any more, and the proof would find that."""
    begun = Ledger({"shop/db": Begun(Recipe.STAMP, 0, NOW, frozenset({ON_A_TAINTED_NODE.uid}))})
    new = tuple(replace(one, uid=f"new-{one.name}", proxy=RIGHT) for one in of_template(DAEMONS, "2", notes={STAMP: NOW}))
    assert not step(shop(DAEMONS, *new, ON_A_TAINTED_NODE), begun).progress.finished
    assert step(shop(DAEMONS, *new), begun).progress.finished


ROLLOUTS = {
    "a partition keeps the lower ones": (sts(partition=2, updated=1), True),
    "with a partition, its own part has to roll": (sts(partition=1, updated=1), False),
    "OnDelete rolls nothing": (sts(on_delete=True, updated=0), True),
    "OnDelete with a pod that is not ready": (sts(on_delete=True, updated=0, available=2), False),
    "a StatefulSet with an old pod": (sts(updated=2), False),
    "a DaemonSet on all its nodes": (of("DaemonSet"), True),
    "scaled to zero": (of("StatefulSet", 0), True),
}


@pytest.mark.parametrize(("workload", "done"), ROLLOUTS.values(), ids=ROLLOUTS)
def test_rolled_out_is_what_kubectl_calls_it(workload: Workload, done: bool) -> None:
    assert rolled_out(workload) is done
    assert not (done and rolling(workload))


def test_what_is_left_is_named_and_not_waited_for() -> None:
    for kind in ("Pod", "Job"):
        one = of(kind, 0, of_pods=True)
        here = shop(one, pod(one, 0, OLD)).within(["shop"])
        choices = Choices(jobs=Recipe.REPORT)
        assert in_the_mesh(here, choices) == ()
        assert [judged.workload.kind for judged, _way in left(here, choices)] == [kind]


def test_a_kind_of_another_group_is_not_the_built_in_one() -> None:
    assert way_of(of("Deployment", group="example.com"), Choices()).recipe is Recipe.UNKNOWN
