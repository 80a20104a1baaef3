# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every built-in kind on a real API server with real controllers: what restarts it, what goes wrong, and the way back."""

from __future__ import annotations

import contextlib
import re
import threading
import typing as t
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from tests.lab import samples
from tests.lab.api import Json
from tests.lab.cluster import NODES, Cluster, condition
from tests.lab.stages import CRASH, FAULT, FAULT_WITH, IMAGE_PULL, NEVER_READY, SIDECAR_CRASH, SIDECAR_IMAGE, SLOW_END

from .conftest import Namespaces
from .seen import annotations, labels, limit_pods, pods, revision
from .tool import Facts, Tool, until, variables

ENABLED = {"istio-injection": "enabled"}
NEW, VERSION = "1-30-3", "1.30.3"
ON_DELETE = {"type": "OnDelete"}
PARTITION = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
FORMS: dict[str, tuple[str, Json | None]] = {
    "deploy": ("Deployment", None),
    "sts": ("StatefulSet", None),
    "sts-partition": ("StatefulSet", PARTITION),
    "sts-ondelete": ("StatefulSet", ON_DELETE),
    "ds": ("DaemonSet", None),
    "ds-ondelete": ("DaemonSet", ON_DELETE),
    "rs": ("ReplicaSet", None),
    "rc": ("ReplicationController", None),
}
"""What is restarted by us: kind and update strategy."""
STAMPED = {"deploy", "sts", "ds"}
PODS = {form: NODES if kind == "DaemonSet" else 2 for form, (kind, _strategy) in FORMS.items()}


def make(lab: Cluster, namespace: str, kind: str, name: str, **more: t.Any) -> None:
    path, item = samples.workload(kind, name, **more)
    lab.api.post(path.format(namespace), item)


def move(tool: Tool, *names: str) -> None:
    moved = tool.verb("namespace_injection", namespaces=list(names), revision=NEW)
    assert not moved.get("failed"), moved["msg"]


def move_back(tool: Tool, *names: str) -> None:
    moved = tool.verb("namespace_injection", state="restored", namespaces=list(names))
    assert not moved.get("failed"), moved["msg"]


def ready(lab: Cluster, name: str, number: int) -> None:
    """Until so many pods of a namespace are ready, and no other is there."""

    def met(found: list[Json]) -> bool:
        return len(found) == number and all(condition(one, "Ready") for one in found)

    lab.api.until(f"/api/v1/namespaces/{name}/pods", met, timeout=60, what=f"{number} pods of {name}")


def sidecars(lab: Cluster, name: str) -> dict[str, set[str | None]]:
    """By the app that their pods belong to."""
    found: dict[str, set[str | None]] = {}
    for pod in pods(lab, name):
        found.setdefault(pod["metadata"]["labels"].get("app", pod["metadata"]["name"]), set()).add(revision(pod))
    return found


def template(lab: Cluster, namespace: str, form: str) -> tuple[Json, Json]:
    """Of a workload, with its annotations that are not of a controller."""
    path, item = samples.workload(FORMS[form][0], form)
    found = lab.api.get(f"{path.format(namespace)}/{item['metadata']['name']}")
    notes = found["metadata"].get("annotations") or {}
    return found["spec"]["template"], {
        key: value for key, value in notes.items() if not key.startswith(("deployment.", "deprecated.", "lab."))
    }


def test_every_kind_restarts_by_its_own_recipe_and_is_given_back(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED)
    for form, (kind, strategy) in FORMS.items():
        make(lab, name, kind, form, strategy=strategy)
    make(lab, name, "Pod", "bare")
    make(lab, name, "Job", "job", replicas=1)
    make(lab, name, "CronJob", "cron")
    ready(lab, name, sum(PODS.values()) + 2)
    before = {form: template(lab, name, form) for form in FORMS}
    all_new = {form: {NEW} for form in FORMS}
    left = {"bare": {"default"}, "job": {"default"}}

    plan = tool.verb("upgrade_plan", revision=NEW, waves=[[name]], from_revision="default")
    recipes = {way["workload"].rpartition("/")[2]: (way["recipe"], way["variable"]) for way in plan["ways"]}
    expected = {form: ("stamp" if form in STAMPED else "evict", None) for form in FORMS}
    assert recipes == expected | {"bare": ("report", "mesh_bare_pods"), "job": ("wait", "mesh_jobs")}
    would = tool.verb("workload_restart", check_mode=True, namespaces=[name], revision=NEW, version=VERSION)
    assert tool.writes() == []

    move(tool, name)
    done = tool.verb("workload_restart", namespaces=[name], jobs="report", wait_timeout=60)
    assert not done.get("failed"), done["msg"]
    assert done["restarted"] == would["restarted"]
    assert sidecars(lab, name) == all_new | left
    for form in ("sts-partition", "sts-ondelete"):
        assert [one for one in done["evicted"] if f"/{form}-" in one] == [f"{name}/pod/{form}-{number}" for number in (1, 0)]
    assert any("pod/bare" in warning and "mesh_bare_pods" in warning for warning in done["warnings"])
    assert any("job/job" in warning and "mesh_jobs" in warning for warning in done["warnings"])
    proved = tool.verb("proxy_check", namespaces=[name], revision=NEW, version=VERSION, wait_timeout=60)
    assert {path.rpartition("/")[2] for path in proved["workloads"]} == FORMS.keys()

    written = tool.writes()
    assert not tool.changes("workload_restart", namespaces=[name], jobs="report")
    assert tool.writes() == written

    move_back(tool, name)
    back = tool.verb("workload_restart", namespaces=[name], restored=True, leaving=NEW, wait_timeout=60)
    assert not back.get("failed"), back["msg"]
    assert sidecars(lab, name) == {form: {"default"} for form in FORMS} | left
    assert {form: template(lab, name, form) for form in FORMS} == before


def test_a_namespace_leaves_the_mesh_and_comes_back(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """A move like any other: planned by check mode, proved, and taken back by the playbook."""
    name = namespaces({"istio.io/rev": NEW})
    for form, (kind, strategy) in FORMS.items():
        make(lab, name, kind, form, strategy=strategy)
    ready(lab, name, sum(PODS.values()))
    before = {form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])
    left = {"namespaces": [name], "leaving": NEW, "wait_timeout": 60}
    would = tool.verb("workload_restart", check_mode=True, **left)
    assert {path.rpartition("/")[2] for path in would["restarted"]} == FORMS.keys()

    tool.verb("namespace_injection", state="absent", namespaces=[name])
    done = tool.verb("workload_restart", **left)
    assert (done["restarted"], done.get("failed")) == (would["restarted"], None), done["msg"]
    assert sidecars(lab, name) == {form: {None} for form in FORMS}
    assert not tool.verb("proxy_check", namespaces=[name], wait_timeout=60).get("failed")
    written = tool.writes()
    assert not tool.changes("namespace_injection", state="absent", namespaces=[name])
    assert not tool.changes("workload_restart", **left)
    assert tool.writes() == written

    tool.play("rollback").succeeded()
    assert sidecars(lab, name) == {form: {NEW} for form in FORMS}
    assert ({form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])) == before


def test_a_first_onboarding_of_every_kind_is_taken_back_exactly(
    lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None
) -> None:
    name = namespaces({})
    for form, (kind, strategy) in FORMS.items():
        make(lab, name, kind, form, strategy=strategy)
    make(lab, name, "Pod", "bare")
    ready(lab, name, sum(PODS.values()) + 1)
    before = {form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])
    asked = variables(NEW, VERSION, waves=[[name]], **{"from": "default"}, bare_pods="report")
    moved = tool.play("canary_upgrade", **asked).succeeded()
    assert "mesh_bare_pods" in moved.said, "the plan says what is left, and by which variable"
    assert sidecars(lab, name) == {form: {NEW} for form in FORMS} | {"bare": {None}}
    written = tool.writes()
    again = tool.play("canary_upgrade", **asked).succeeded()
    assert (again.changed, tool.writes()) == (0, written), "what is left does not make the wave begin again"

    tool.play("rollback").succeeded()
    assert sidecars(lab, name) == {form: {None} for form in FORMS} | {"bare": {None}}
    assert ({form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])) == before


def test_a_wave_that_is_stuck_half_way_is_rolled_back(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """The sidecars of the new revision crash, of every kind at the same time: which is what a rollback is for."""
    name = namespaces(ENABLED)
    for form, (kind, strategy) in FORMS.items():
        make(lab, name, kind, form, strategy=strategy, annotations={FAULT: SIDECAR_CRASH, FAULT_WITH: NEW})
    ready(lab, name, sum(PODS.values()))
    before = {form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])
    failed = tool.play("canary_upgrade", **variables(NEW, VERSION, waves=[[name]], **{"from": "default"}, on_failure="rollback"))
    assert failed.code != 0
    assert "istio-proxy: CrashLoopBackOff" in failed.said
    assert "has been rolled back" in failed.said
    ready(lab, name, sum(PODS.values()))
    assert sidecars(lab, name) == {form: {"default"} for form in FORMS}
    assert ({form: template(lab, name, form) for form in FORMS}, labels(lab, [name]), annotations(lab, [name])) == before


def test_a_budget_is_waited_for_also_by_who_may_not_see_it(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Then each eviction is refused (429), and asked for again until it is allowed."""
    name = namespaces(ENABLED)
    make(lab, name, "ReplicaSet", "rs")
    make(lab, name, "StatefulSet", "sts")
    ready(lab, name, 4)
    allow_nothing(lab, name, "rs")
    move(tool, name)
    path, item = samples.budget("rs")
    limited = {"impersonate_groups": ["limited"]}

    def allow() -> None:
        until(lambda: any(write.endswith("/eviction") for write in tool.writes()), "the first eviction that is refused")
        lab.api.patch(f"{path.format(name)}/{item['metadata']['name']}", {"spec": {"maxUnavailable": 1}})

    somebody = threading.Thread(target=allow)
    somebody.start()
    with limited_rights(lab):
        done = tool.verb("workload_restart", namespaces=[name], wait_timeout=60, **limited)
    somebody.join()
    assert not done.get("failed"), done["msg"]
    for kind in ("PodDisruptionBudget", "Event"):
        assert any(warning.startswith(f"{kind}: this user may not list any") for warning in done["warnings"])
    assert len(done["evicted"]) == 2
    assert sidecars(lab, name) == {"rs": {NEW}, "sts": {NEW}}


@contextlib.contextmanager
def limited_rights(lab: Cluster) -> Iterator[None]:
    """Group ``limited`` may do all that a restart needs, and see neither budgets nor events."""
    rules = [
        {"apiGroups": [""], "resources": ["namespaces", "pods", "replicationcontrollers"], "verbs": ["list", "watch"]},
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["list", "watch", "patch"]},
        {"apiGroups": ["admissionregistration.k8s.io", "discovery.k8s.io"], "resources": ["*"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},  # what istiod injects by
    ]
    group = "/apis/rbac.authorization.k8s.io/v1"
    subject = {"kind": "Group", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}
    lab.api.post(f"{group}/clusterroles", {"metadata": {"name": "limited"}, "rules": rules})
    lab.api.post(f"{group}/clusterrolebindings", {"metadata": {"name": "limited"}, "roleRef": role, "subjects": [subject]})
    try:
        yield
    finally:
        lab.api.delete(f"{group}/clusterrolebindings/limited")
        lab.api.delete(f"{group}/clusterroles/limited")


def test_jobs_are_waited_for_and_bare_pods_evicted_when_told(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED)
    make(lab, name, "Pod", "bare")
    make(lab, name, "Job", "job", replicas=1)
    ready(lab, name, 2)
    move(tool, name)
    late = tool.verb("workload_restart", namespaces=[name], wait_timeout=1)
    assert late["error"]["kind"] == "timeout"
    assert f"job/job in {name}: 1 pod to come to an end (mesh_jobs)" in late["msg"]
    moved = tool.writes()
    assert moved == [f"patch /api/v1/namespaces/{name}"]

    def end() -> None:
        until(lambda: tool.writes() != moved, "the eviction")
        (pod,) = (one["metadata"] for one in pods(lab, name) if one["metadata"]["labels"].get("app") == "job")
        lab.api.patch(f"/api/v1/namespaces/{name}/pods/{pod['name']}/status", {"status": {"phase": "Succeeded"}})

    somebody = threading.Thread(target=end)
    somebody.start()
    done = tool.verb("workload_restart", namespaces=[name], bare_pods="evict", wait_timeout=60)
    somebody.join()
    assert (done.get("failed"), done["evicted"]) == (None, [f"{name}/pod/bare"]), done["msg"]
    assert tool.writes() == [*moved, f"create /api/v1/namespaces/{name}/pods/bare/eviction"]


def test_what_is_paused_or_has_no_pods_is_left(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED)
    make(lab, name, "Deployment", "paused", replicas=1)
    make(lab, name, "Deployment", "empty", replicas=0)
    ready(lab, name, 1)
    lab.api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/paused", {"spec": {"paused": True}})
    plan = tool.verb("upgrade_plan", revision=NEW, waves=[[name]], from_revision="default")
    assert plan["restarts"] == []
    assert any("deploy/paused" in warning and "it is paused" in warning for warning in plan["warnings"])
    move(tool, name)
    done = tool.verb("workload_restart", namespaces=[name])
    assert (done["restarted"], tool.writes()) == ([], [f"patch /api/v1/namespaces/{name}"])
    assert any("deploy/paused" in warning for warning in done["warnings"])
    assert tool.verb("proxy_check", namespaces=[name], wait_timeout=10)["workloads"] == []


def test_a_declared_kind_is_restarted_by_its_recipe(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """As an Argo Rollout: it owns ReplicaSets, which own the pods. Nobody has declared it, so that it needs a person."""
    name = namespaces(ENABLED)
    path, item = samples.workload("ReplicaSet", "web-1")
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "0", "controller": True}
    lab.api.post(path.format(name), item)
    ready(lab, name, 2)
    lab.api.patch(f"{path.format(name)}/web-1", {"metadata": {"ownerReferences": [owner]}})
    asked = {"revision": NEW, "waves": [[name]], "from_revision": "default"}
    told = tool.fails("upgrade_plan", **asked)
    assert "nobody has said how a Rollout is restarted" in told
    assert f"rollout/web in {name}" in told
    recipes = [{"kind": "Rollout", "group": "argoproj.io", "recipe": "evict"}]
    assert tool.verb("upgrade_plan", **asked, recipes=recipes)["restarts"] == [f"{name}/rollout/web"]
    move(tool, name)
    assert tool.verb("workload_restart", namespaces=[name])["restarted"] == []
    done = tool.verb("workload_restart", namespaces=[name], recipes=recipes, wait_timeout=60)
    assert (done["restarted"], len(done["evicted"])) == ([f"{name}/rollout/web"], 2)
    assert sidecars(lab, name) == {"web-1": {NEW}}


def test_the_only_pod_of_a_declared_kind_is_waited_for_until_it_is_back(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """While it ends, nothing tells of its workload."""
    name = namespaces(ENABLED)
    path, item = samples.workload("ReplicaSet", "web-1", 1, annotations={SLOW_END: "yes"})
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "0", "controller": True}
    lab.api.post(path.format(name), item)
    ready(lab, name, 1)
    lab.api.patch(f"{path.format(name)}/web-1", {"metadata": {"ownerReferences": [owner]}})
    move(tool, name)
    limit_pods(lab, name, 0)
    asked = {"namespaces": [name], "recipes": [{"kind": "Rollout", "group": "argoproj.io", "recipe": "evict"}]}
    late = tool.verb("workload_restart", **asked, wait_timeout=8)
    assert f"rollout/web in {name}: 0 of 1 pods" in late["msg"]
    lab.api.delete(f"/api/v1/namespaces/{name}/resourcequotas/tight")
    lab.api.patch(f"{path.format(name)}/web-1", {"metadata": {"annotations": {"lab.meshops.io/look": "again"}}})
    ready(lab, name, 1)
    assert sidecars(lab, name) == {"web-1": {NEW}}
    assert tool.verb("workload_restart", **asked)["restarted"] == []


def test_a_daemon_set_with_a_pod_on_a_node_that_takes_no_more_is_restarted(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    """Its controller does not count that pod, takes it away, and makes none in its place."""
    name = namespaces(ENABLED)
    make(lab, name, "DaemonSet", "ds")
    ready(lab, name, NODES)
    with tainted(lab, "node-0"):
        sets = f"/apis/apps/v1/namespaces/{name}/daemonsets"
        lab.api.patch(f"{sets}/ds", {"metadata": {"annotations": {"lab.meshops.io/look": "again"}}})  # a taint alone does not make it look
        lab.api.until(sets, lambda found: found[0]["status"]["numberMisscheduled"] == 1, timeout=30, what="the pod that is not counted")
        move(tool, name)
        done = tool.verb("workload_restart", namespaces=[name], wait_timeout=30)
        assert not done.get("failed"), done["msg"]
        assert (sidecars(lab, name), len(pods(lab, name))) == ({"ds": {NEW}}, NODES - 1)
        assert not tool.verb("proxy_check", namespaces=[name], wait_timeout=30).get("failed")
        assert not tool.changes("workload_restart", namespaces=[name])


@contextlib.contextmanager
def tainted(lab: Cluster, node: str) -> Iterator[None]:
    taint = {"key": "lab.meshops.io/full", "effect": "NoSchedule"}
    lab.api.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": [taint]}})
    try:
        yield
    finally:
        lab.api.patch(f"/api/v1/nodes/{node}", {"spec": {"taints": None}})


def test_pods_of_a_replica_set_whose_deployment_is_gone_are_evicted(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    name = namespaces(ENABLED, [samples.deployment("web", 2)])
    lab.api.delete(f"/apis/apps/v1/namespaces/{name}/deployments/web", propagationPolicy="Orphan")
    sets = f"/apis/apps/v1/namespaces/{name}/replicasets"
    lab.api.until(sets, lambda found: not found[0]["metadata"].get("ownerReferences"), timeout=30, what="the orphan")
    move(tool, name)
    done = tool.verb("workload_restart", namespaces=[name], wait_timeout=60)
    assert len(done["evicted"]) == 2, done
    assert sidecars(lab, name) == {"web": {NEW}}


# The table: kind and strategy, by what can go wrong


@dataclass(frozen=True)
class Wrong:
    """What goes wrong with the new pods of a workload, and what is said of it; nothing said means that it ends well all the same."""

    notes: dict[str, str] = field(default_factory=dict)
    """Annotations of the pods."""
    fault: str = ""
    """Of those that the new revision has injected."""
    spec: Json | None = None
    """Of the pods."""
    before: Callable[[Cluster, str, str], None] | None = None
    """Done to a namespace and its workload when its first pods are ready."""
    meanwhile: Callable[[Cluster, str, str], None] | None = None
    """Done by somebody else once the restart has begun."""
    says: str = ""
    timeout: int = 60
    grace: int = 1
    again: bool = False
    """The run ends after its first step, as a killed one would, and a second one follows."""

    def template(self) -> dict[str, t.Any]:
        faults = {FAULT: self.fault, FAULT_WITH: NEW} if self.fault else {}
        return {"annotations": {**self.notes, **faults}, "pod": self.spec}


def tight(lab: Cluster, name: str, form: str) -> None:
    limit_pods(lab, name, PODS[form] - 1)


def allow_nothing(lab: Cluster, name: str, form: str) -> None:
    path, item = samples.budget(form)
    lab.api.post(path.format(name), item)
    lab.api.until(path.format(name), lambda found: "currentHealthy" in found[0].get("status", {}), timeout=30, what="the budget")


def refuse(lab: Cluster, name: str, _form: str) -> None:
    lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {REFUSING: "true"}}})


def at(name: str, form: str) -> str:
    path, _item = samples.workload(FORMS[form][0], form)
    return f"{path.format(name)}/{form}"


def delete(lab: Cluster, name: str, form: str) -> None:
    lab.api.delete(at(name, form), propagationPolicy="Background")


def scale(lab: Cluster, name: str, form: str) -> None:
    """As a HorizontalPodAutoscaler does: the lab has no metrics that one could go by."""
    lab.api.patch(at(name, form), {"spec": {"replicas": PODS[form] + 1}})


REFUSING = "lab.meshops.io/refuses"
ROOM = "lab.meshops.io/room"
AT_ONCE = 300
"""A grace time that the test could not wait for."""
WRONGS = {
    "healthy": Wrong(),
    "a pod never gets ready": Wrong(fault=NEVER_READY, says="nothing got further", timeout=4),
    "the app's image cannot be pulled": Wrong(fault=IMAGE_PULL, says="app: ImagePullBackOff"),
    "the app crashes": Wrong(fault=CRASH, says="CrashLoopBackOff"),
    "the sidecar's image cannot be pulled": Wrong(
        fault=SIDECAR_IMAGE, says="istio-proxy: ImagePullBackOff", grace=AT_ONCE, timeout=AT_ONCE
    ),
    "the sidecar crashes": Wrong(fault=SIDECAR_CRASH, says="istio-proxy: CrashLoopBackOff", grace=AT_ONCE, timeout=AT_ONCE),
    "no node takes it": Wrong(spec={"nodeSelector": {ROOM: "yes"}}, says="Unschedulable"),
    "the quota is full": Wrong(before=tight, says="exceeded quota"),
    "a policy refuses it": Wrong(before=refuse, says="denied request", grace=AT_ONCE, timeout=AT_ONCE),
    "its budget allows nothing": Wrong(before=allow_nothing, says="pdb/", timeout=1),
    "it is deleted meanwhile": Wrong(fault=NEVER_READY, meanwhile=delete),
    "it is scaled meanwhile": Wrong(meanwhile=scale),
    "the run is killed": Wrong(timeout=0, again=True),
    "its pods end slowly": Wrong(notes={SLOW_END: "yes"}),
}
EMPTY = {
    ("ds", "no node takes it"): "a DaemonSet wants no pod on a node that does not take it",
    ("ds-ondelete", "no node takes it"): "a DaemonSet wants no pod on a node that does not take it",
    ("ds", "it is scaled meanwhile"): "a DaemonSet has as many pods as there are nodes",
    ("ds-ondelete", "it is scaled meanwhile"): "a DaemonSet has as many pods as there are nodes",
}
"""Cells of the table that cannot be, and why. What is not in FORMS is told elsewhere: Jobs and bare pods are not replaced, so that
nothing can go wrong with what is new; a CronJob has no pods of its own; a paused Deployment, or one scaled to zero, is not touched."""
CELLS = [(form, wrong) for wrong in WRONGS for form in FORMS if (form, wrong) not in EMPTY]


@pytest.fixture
def refusing_policy(lab: Cluster) -> Iterator[None]:
    """Namespaces with a label take no pods with a sidecar of the new revision."""
    group = "/apis/admissionregistration.k8s.io/v1"
    name = "no-new-sidecars"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    notes = "object.metadata.annotations"
    old = f"!has({notes}) || !('istio.io/rev' in {notes}) || {notes}['istio.io/rev'] != '{NEW}'"
    spec = {"matchConstraints": {"resourceRules": [rule]}, "validations": [{"expression": old, "message": "not here"}]}
    lab.api.post(f"{group}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": {REFUSING: "true"}}},
    }
    lab.api.post(f"{group}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    yield
    lab.api.delete(f"{group}/validatingadmissionpolicybindings/{name}")
    lab.api.delete(f"{group}/validatingadmissionpolicies/{name}")


def room(lab: Cluster, there: str | None) -> None:
    for number in range(NODES):
        lab.api.patch(f"/api/v1/nodes/node-{number}", {"metadata": {"labels": {ROOM: there}}})


def test_every_kind_with_all_that_can_go_wrong(lab: Cluster, tool: Tool, namespaces: Namespaces, refusing_policy: None) -> None:
    """Each cell is a namespace with one workload; all of them at the same time. What went wrong is taken back, and all is well again."""
    room(lab, "yes")
    names = {cell: namespaces(ENABLED, wait=False) for cell in CELLS}
    for (form, wrong), name in names.items():
        kind, strategy = FORMS[form]
        make(lab, name, kind, form, strategy=strategy, **WRONGS[wrong].template())
    wanted = {name: PODS[form] for (form, _wrong), name in names.items()}

    def all_there(found: list[Json]) -> bool:
        mine = [one["metadata"]["namespace"] for one in found if condition(one, "Ready")]
        return all(mine.count(name) == number for name, number in wanted.items())

    lab.api.until("/api/v1/pods", all_there, timeout=180, what="the pods of all cells")
    room(lab, None)
    before = {cell: template(lab, name, cell[0]) for cell, name in names.items()}
    for (form, wrong), name in names.items():
        prepare = WRONGS[wrong].before
        if prepare:
            prepare(lab, name, form)
    move(tool, *names.values())
    with ThreadPoolExecutor(16) as pool:
        told = dict(zip(CELLS, pool.map(lambda cell: _cell(lab, tool, names[cell], *cell), CELLS), strict=True))
        assert not any(told.values()), _table(told)
        stuck = [cell for cell in CELLS if WRONGS[cell[1]].says]
        room(lab, "yes")
        move_back(tool, *(names[cell] for cell in stuck))
        back = dict(zip(stuck, pool.map(lambda cell: _back(lab, tool, names[cell], cell, before[cell]), stuck), strict=True))
    assert not any(back.values()), _table(back)


def _table(told: dict[tuple[str, str], str]) -> str:
    return "\n".join(["", *(f"{form}, {wrong}: {text}" for (form, wrong), text in told.items() if text)])


def _back(lab: Cluster, tool: Tool, name: str, cell: tuple[str, str], before: tuple[Json, Json]) -> str:
    """What is not as it was before the move; empty where all is. What the cluster itself lacked is there again by now."""
    before_it = WRONGS[cell[1]].before
    if before_it is tight:
        lab.api.delete(f"/api/v1/namespaces/{name}/resourcequotas/tight")
    done = tool.verb("workload_restart", namespaces=[name], restored=True, leaving=NEW, wait_timeout=60, grace_time=30)
    if before_it is tight:  # its controller would try again by itself, some minutes later
        lab.api.patch(at(name, cell[0]), {"metadata": {"annotations": {"lab.meshops.io/look": "again"}}})
    proved = done if done.get("failed") else tool.verb("proxy_check", namespaces=[name], wait_timeout=60, grace_time=60)
    if proved.get("failed"):
        return str(proved["msg"])
    by_itself = before_it in (tight, refuse)  # nothing stands in its way any more: it may have rolled out, and well, before we came
    if template(lab, name, cell[0]) != before and not by_itself:
        return f"its template is {template(lab, name, cell[0])}, and was {before}"
    unready = [pod["metadata"]["name"] for pod in pods(lab, name) if not condition(pod, "Ready")]
    found = sidecars(lab, name), len(pods(lab, name)), unready
    return "" if found == ({cell[0]: {"default"}}, PODS[cell[0]], []) else f"it has {found}"


def _cell(lab: Cluster, tool: Tool, name: str, form: str, wrong: str) -> str:
    """What is not as it should be; empty where all is."""
    how = WRONGS[wrong]
    grace = how.grace if how.says else AT_ONCE  # what passes by itself (SchedulerError) is no failure where none is expected
    options = {"namespaces": [name], "grace_time": grace, "wait_timeout": how.timeout}
    somebody = threading.Thread(target=lambda: _meanwhile(lab, tool, name, form, how))
    somebody.start()
    done = tool.verb("workload_restart", **options)
    if how.again:
        done = tool.verb("workload_restart", **{**options, "wait_timeout": 60})
    somebody.join()
    return "; ".join(_judged(lab, tool, name, form, how, done))


def _meanwhile(lab: Cluster, tool: Tool, name: str, form: str, how: Wrong) -> None:
    if how.meanwhile:
        until(lambda: any(f"/namespaces/{name}/" in write for write in tool.writes()), "the first write")
        how.meanwhile(lab, name, form)


def _judged(lab: Cluster, tool: Tool, name: str, form: str, how: Wrong, done: Facts) -> Iterator[str]:
    written = [write for write in tool.writes() if f"/namespaces/{name}/" in write]
    stamps = [write for write in written if write.startswith("patch /apis/apps/")]
    evictions = [write for write in written if re.search(r"/pods/[^/]+/eviction$", write)]
    if len(stamps) != (form in STAMPED and how.before is not allow_nothing):
        yield f"stamped {len(stamps)} times"
    if how.says:
        if not done.get("failed") or how.says not in str(done["msg"]):
            yield f"said {done['msg']}, not {how.says}"
        if len(evictions) > 1:
            yield f"{len(evictions)} pods were evicted although the first did not come back"
    elif done.get("failed"):
        yield str(done["msg"])
    elif how.meanwhile is not delete and sidecars(lab, name) != {form: {NEW}}:
        yield f"its pods have the sidecars {sidecars(lab, name)}"
    elif how.meanwhile is not delete and form not in STAMPED and len(evictions) != PODS[form]:
        yield f"{len(evictions)} evictions"
