# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a rollout is done, and when it will never be."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Entry
from ansible_collections.meshops.istio.plugins.module_utils._mesh.proof import faults, in_the_mesh, unknown
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready, rollout
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Pod, Proxy, Standing, Workload, judge
from tests.unit.meshes import NEW, deployment, mesh, namespace, pod, proxy

DONE = replace(deployment("web", "shop"), replicas=2, total=2, updated=2, available=2, generation=3, observed=3)


@dataclass(frozen=True)
class Case:
    workload: Workload
    finished: bool = False
    fatal: str = ""
    failing: str = ""
    waiting: str = ""


CASES = {
    "all pods are new and available": Case(DONE, finished=True),
    "the newest template is not observed yet": Case(replace(DONE, observed=2)),
    "ready, but no pod is of the newest template": Case(replace(DONE, updated=0)),
    "an old pod is left": Case(replace(DONE, total=3)),
    "a new pod is not available": Case(replace(DONE, available=1)),
    "an image that cannot be pulled may still come": Case(replace(DONE, updated=1), failing="ImagePullBackOff", waiting="ImagePullBackOff"),
    "an image name that is none never comes": Case(replace(DONE, updated=1), fatal="InvalidImageName", waiting="InvalidImageName"),
    "a webhook refuses the pods": Case(
        replace(DONE, updated=1, failure='FailedCreate: Internal error: failed calling webhook "rev.namespace"'),
        fatal="failed calling webhook",
    ),
    "a quota may be raised": Case(replace(DONE, updated=1, failure="FailedCreate: exceeded quota: q"), failing="exceeded quota"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rollout(case: Case) -> None:
    pods = (pod(case.workload, 0, None, ready=False, waiting=case.waiting),) if case.waiting else ()
    progress = rollout(case.workload, pods)
    assert progress.finished is case.finished
    assert (case.fatal in progress.fatal.why) if progress.fatal else not case.fatal
    assert (case.failing in progress.failing.why) if progress.failing else not case.failing


def test_a_control_plane_without_a_ca_in_every_entry_is_not_ready() -> None:
    injector = expected_injector(NEW)
    blank = replace(injector, entries=(*injector.entries, Entry("rev.object.sidecar-injector.istio.io", Selector(), Selector(), False)))
    assert control_plane_ready(NEW, DONE, (), (injector,), 1).finished
    assert not control_plane_ready(NEW, DONE, (), (blank,), 1).finished
    assert not control_plane_ready(NEW, DONE, (), (injector,), 0).finished
    assert not control_plane_ready(NEW, DONE, (), (), 1).finished


STANDINGS = {
    "as wanted": (proxy(NEW, "1.30.3"), Standing.CURRENT),
    "another revision": (proxy("default", "1.30.3"), Standing.STALE),
    "another version": (proxy(NEW, "1.30.2"), Standing.STALE),
    "no proxy where one would come": (None, Standing.STALE),
    "an image that tells no version is unknown, not stale": (proxy(NEW, None), Standing.CURRENT),
}


@pytest.mark.parametrize(("running", "standing"), STANDINGS.values(), ids=STANDINGS)
def test_standing(running: Proxy | None, standing: Standing) -> None:
    there = mesh((namespace("shop", rev=NEW),), injectors=(expected_injector(NEW),))
    one = pod(DONE, 0, running)
    assert judge(DONE, (one,), there.gets("shop"), "1.30.3").standing is standing


def test_a_proxy_where_none_would_come_is_orphaned() -> None:
    there = mesh((namespace("shop", rev="nosuch"),), injectors=(expected_injector(NEW),))
    assert judge(DONE, (pod(DONE, 0, proxy()),), there.gets("shop"), None).standing is Standing.ORPHANED
    assert judge(DONE, (pod(DONE, 0, None),), there.gets("shop"), None).standing is Standing.OUTSIDE


@pytest.mark.parametrize("running", [proxy(), proxy(NEW, "1.30.3"), None])
def test_what_cannot_be_predicted_is_neither_stale_nor_orphaned(running: Proxy | None) -> None:
    """Only the user can say then which sidecar is wanted; without that, pods need only be ready."""
    there = mesh((namespace("shop", rev=NEW),), injectors=(replace(expected_injector(NEW), url="https://mesh.example.com/inject"),))
    judged = judge(DONE, (pod(DONE, 0, running),), there.gets("shop"), None)
    assert judged.standing is Standing.UNKNOWN
    assert bool(in_the_mesh((judged,), Choices())) is (running is not None)
    assert unknown((judged,)) == (() if running else (judged,))
    assert not faults(judged, None, None)
    assert bool(faults(judged, "1-30-3", None)) is (running is None or running.revision != NEW)


FAULTS = {
    "no sidecar, not one of 1-30-3": pod(DONE, 0, None),
    "the sidecar of default, not of 1-30-3": pod(DONE, 0, proxy()),
    "the sidecar has version 1.30.2, not 1.30.3": pod(DONE, 0, proxy(NEW, "1.30.2")),
    "not ready (CrashLoopBackOff)": pod(DONE, 0, proxy(NEW, "1.30.3", ready=False), waiting="CrashLoopBackOff"),
}


@pytest.mark.parametrize(("says", "one"), FAULTS.items(), ids=FAULTS)
def test_proxy_faults_are_named(says: str, one: Pod) -> None:
    there = mesh((namespace("shop", rev=NEW),), injectors=(expected_injector(NEW),))
    judged = judge(DONE, (one,), there.gets("shop"), "1.30.3")
    assert [fault.text for fault in faults(judged, NEW, "1.30.3")] == [f"deploy/web in shop, pod web-0: {says}"]
