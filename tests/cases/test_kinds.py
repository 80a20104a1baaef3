# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every built-in kind on a real API server with real controllers: what restarts it, what goes wrong, and the way back."""

from __future__ import annotations

import typing as t

from tests.lab import samples
from tests.lab.api import Json
from tests.lab.cluster import NODES, Cluster, condition

from .conftest import Namespaces
from .seen import pods, revision
from .tool import Tool

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


def move(lab: Cluster, *names: str) -> None:
    for name in names:
        lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": None, "istio.io/rev": NEW}}})


def move_back(lab: Cluster, *names: str) -> None:
    for name in names:
        lab.api.patch(f"/api/v1/namespaces/{name}", {"metadata": {"labels": {"istio-injection": "enabled", "istio.io/rev": None}}})


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
    return found["spec"]["template"], {key: value for key, value in notes.items() if not key.startswith(("deployment.", "deprecated."))}


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

    move(lab, name)
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
    assert not tool.verb("workload_restart", namespaces=[name], jobs="report")["changed"]
    assert tool.writes() == written

    move_back(lab, name)
    back = tool.verb("workload_restart", namespaces=[name], restored=True, leaving=NEW, wait_timeout=60)
    assert not back.get("failed"), back["msg"]
    assert sidecars(lab, name) == {form: {"default"} for form in FORMS} | left
    assert {form: template(lab, name, form) for form in FORMS} == before
