# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was unhealthy before an upgrade does not stop it, and what got worse does."""

from __future__ import annotations

import json

from tests.lab import mesh, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster
from tests.lab.stages import CRASH, FAULT_WITH, IMAGE_PULL, NEVER_READY

from .conftest import Namespaces
from .seen import limit_pods, pods, proxies
from .seen import revision as injected_by
from .tool import Tool, variables

ENABLED = {"istio-injection": "enabled"}
NEW, VERSION = "1-30-3", "1.30.3"
FIRST_GOES = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}


def waiting(lab: Cluster, name: str, number: int) -> None:
    """Until so many pods of a namespace have been looked at by a kubelet."""

    def met(found: list[Json]) -> bool:
        return sum(bool(one.get("status", {}).get("containerStatuses")) for one in found) == number

    lab.api.until(f"/api/v1/namespaces/{name}/pods", met, timeout=60, what=f"{number} pods of {name}")


def scaled(lab: Cluster, name: str, replicas: int) -> None:
    """More pods are wanted than its quota allows; its controller says so on return."""
    path = f"/apis/apps/v1/namespaces/{name}/deployments"
    lab.api.patch(f"{path}/api", {"spec": {"replicas": replicas}})

    def refused(found: list[Json]) -> bool:
        return any(one["type"] == "ReplicaFailure" for one in found[0].get("status", {}).get("conditions", []))

    lab.api.until(path, refused, timeout=30, what="a refusal by the quota")


def test_a_wave_is_not_stopped_by_what_was_ill_before_it(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str) -> None:
    """Crash loops, images that cannot be pulled, pods that a full quota keeps out: all of them are named, and are as they were."""
    ill, full = namespaces(ENABLED, wait=False), namespaces(ENABLED, [samples.deployment("api")])
    faults = {"crash": CRASH, "pull": IMAGE_PULL, "never": NEVER_READY}
    for name, fault in faults.items():
        lab.api.post(f"/apis/apps/v1/namespaces/{ill}/deployments", samples.deployment(name, fault=fault))
    lab.api.post(f"/apis/apps/v1/namespaces/{ill}/deployments", samples.deployment("well"))
    path, ordered = samples.workload("StatefulSet", "ordered", 1, fault=CRASH)
    lab.api.post(path.format(ill), ordered)
    waiting(lab, ill, 5)
    limit_pods(lab, full, 1)
    scaled(lab, full, 2)

    asked = variables(revision, VERSION, waves=[[ill, full]], grace_time=2, wait_timeout=60)
    done = tool.play("canary_upgrade", **asked).succeeded()
    for text in (
        f"deploy/crash in {ill} was unhealthy before the upgrade, 0 of 1 pods (app: CrashLoopBackOff), and is no worse",
        f"deploy/pull in {ill} was unhealthy before the upgrade, 0 of 1 pods (app: ImagePullBackOff), and is no worse",
        f"deploy/never in {ill} was unhealthy before the upgrade, 0 of 1 pods, and is no worse",
        f"deploy/api in {full} was unhealthy before the upgrade, 1 of 2 pods",
    ):
        assert text in done.said
    by_app = {pod["metadata"]["labels"]["app"]: pod for pod in pods(lab, ill)}
    assert _revision(by_app["well"]) == revision
    assert f"deploy/well in {ill} was unhealthy" not in done.said
    record = _record(lab)
    assert record["phase"] == "done"
    assert record["baseline"][f"{ill}/deploy/crash"] == {"available": 0, "wanted": 1, "why": "app: CrashLoopBackOff"}
    assert f"{ill}/deploy/well" not in record["baseline"]
    tool.play("rollback", mesh_grace_time=2, mesh_wait_timeout=60).succeeded()
    assert _revision({pod["metadata"]["labels"]["app"]: pod for pod in pods(lab, ill)}["well"]) == "default"


def test_what_was_ill_and_gets_worse_stops_its_wave(lab: Cluster, tool: Tool, namespaces: Namespaces, clean_record: None) -> None:
    """One of two pods ran, since a quota allowed no more; with the new sidecar none does."""
    api = samples.deployment("api", fault=CRASH, annotations={FAULT_WITH: NEW})
    api["spec"]["strategy"] = {"type": "Recreate"}
    name = namespaces(ENABLED, [api])
    limit_pods(lab, name, 1)
    scaled(lab, name, 2)
    begun = tool.verb("upgrade_state", state="started", revision=NEW, version=VERSION, from_revision="default", waves=[[name]])
    known = begun["record"]["baseline"]
    assert known[f"{name}/deploy/api"]["available"] == 1
    tool.verb("namespace_injection", namespaces=[name], revision=NEW)
    asked = {"namespaces": [name], "baseline": known, "grace_time": 2, "wait_timeout": 60}
    probed = tool.verb("injection_probe", revision=NEW, version=VERSION, **asked)
    assert not probed.get("failed"), probed["msg"]
    assert any(f"deploy/api in {name}: quota tight does not allow it" in one for one in probed["warnings"])
    worse = tool.verb("workload_restart", revision=NEW, version=VERSION, **asked)
    assert worse["failed"]
    assert f"deploy/api in {name} does not roll out" in worse["msg"]


def test_a_full_quota_stops_nobody_whose_old_pod_goes_first(lab: Cluster, tool: Tool, namespaces: Namespaces) -> None:
    api = samples.deployment("api")
    api["spec"]["strategy"] = FIRST_GOES
    name = namespaces(ENABLED, [api])
    limit_pods(lab, name, 1)
    tool.verb("namespace_injection", namespaces=[name], revision=NEW)
    probed = tool.verb("injection_probe", namespaces=[name], revision=NEW, version=VERSION, grace_time=2, wait_timeout=60)
    assert not probed.get("failed"), probed["msg"]
    assert any("an old pod of it goes before the new one comes" in one for one in probed["warnings"])
    done = tool.verb("workload_restart", namespaces=[name], wait_timeout=60)
    assert not done.get("failed"), done["msg"]
    assert proxies(lab, [name]) == {NEW}


def _revision(pod: Json) -> str | None:
    return injected_by(pod)


def _record(lab: Cluster) -> Json:
    found = lab.api.get(f"/api/v1/namespaces/{mesh.NAMESPACE}/configmaps/meshops-upgrade")
    record: Json = json.loads(found["data"]["record"])
    return record
