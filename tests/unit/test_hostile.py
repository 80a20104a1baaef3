# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects as no API server should give them, through all that reads a mesh: an answer or a clear error, never a traceback."""

from __future__ import annotations

import copy
import json
import typing as t
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._verbs import mesh_info, upgrade_plan
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context
from tests.unit.figures.table import drawn

Json = dict[str, t.Any]
Place = tuple[str | int, ...]

STATE = "unrevisioned+1-30-3"
SYSTEM = "/api/v1/namespaces/istio-system"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"


def _named(name: str, namespace: str = "", labels: Json | None = None, **more: t.Any) -> Json:
    where = {"namespace": namespace} if namespace else {}
    metadata = {"name": name, "uid": f"uid-{name}", "resourceVersion": "7", "generation": 1, "labels": labels or {}, **where}
    return {"metadata": metadata, **more}


def _owned(item: Json, kind: str, name: str) -> Json:
    owner = {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}


def _makes(name: str, namespace: str, labels: Json, image: str = "app:1") -> Json:
    template = {
        "metadata": {"labels": {"app": name}, "annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-25T10:00:00Z"}},
        "spec": {"containers": [{"name": "discovery", "image": image, "env": [{"name": "CLUSTER_ID", "value": "Kubernetes"}]}]},
    }
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0, "partition": 0}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template, "strategy": strategy}
    condition = {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "message": "done"}
    status = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "observedGeneration": 1, "conditions": [condition]}
    item = _named(name, namespace, {"app": name, **labels}, spec=spec, status=status)
    item["metadata"]["annotations"] = {"meshops.io/prior-restart": '{"stamp": "a", "prior": null, "home": "-"}'}
    item["metadata"]["managedFields"] = [{"manager": "helm", "operation": "Apply", "time": "2026-11-25T10:00:00Z"}]
    return item


def _pod() -> Json:
    said = drawn().pods["1.30.3 native sidecar"]
    spec = {kind: said[kind] for kind in ("containers", "initContainers") if kind in said}
    at = "2026-11-25T10:00:00Z"
    running = [{"name": "app", "ready": True, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]
    status = {
        "phase": "Running",
        "startTime": at,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": at}],
        "containerStatuses": running,
        "initContainerStatuses": [{"name": "istio-proxy", "ready": True}],
    }
    item = _named("web-5d8f-x", "shop", {**said["labels"], "pod-template-hash": "5d8f"}, spec=spec, status=status)
    item["metadata"]["annotations"] = said["annotations"]
    return _owned(item, "ReplicaSet", "web-5d8f")


def _webhooks() -> list[Json]:
    theirs = _named("cert-manager", webhooks=[{"name": "webhook.cert-manager.io", "clientConfig": {"url": "https://x"}}])
    ours = copy.deepcopy(drawn().webhooks[STATE])
    for item in ours:
        item["metadata"]["uid"] = item["metadata"]["name"]
        for entry in item["webhooks"]:
            entry |= {"rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}]}
            entry["clientConfig"]["caBundle"] = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"
    return [theirs, *ours]


def cluster_of_objects() -> dict[str, list[Json]]:
    """A mesh of two control planes, one namespace and one of each that is read."""
    revisions = {"istiod": "default", "istiod-1-30-3": "1-30-3"}
    planes = [_makes(name, "istio-system", {"app": "istiod", "istio.io/rev": rev}, "istiod:1.30.3") for name, rev in revisions.items()]
    validator = {"name": "rev.validation.istio.io", "clientConfig": {"service": {"name": "istiod", "namespace": "istio-system"}}}
    services = [_named(name, "istio-system", {"istio.io/rev": "default"}) for name in ("istiod", "istiod-1-30-3")]
    endpoint = {"conditions": {"ready": True}}
    budget = {"selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}}
    shop = _named("shop", labels={"istio-injection": "enabled"})
    shop["metadata"]["annotations"] = {"meshops.io/prior-injection": '{"istio-injection": "enabled", "istio.io/rev": null}'}
    return {
        "/api/v1/namespaces": [shop, _named("istio-system"), _named("日本")],
        "/api/v1/pods": [_pod()],
        "/apis/apps/v1/deployments": [*planes, _makes("web", "shop", {})],
        "/apis/apps/v1/statefulsets": [_makes("db", "shop", {})],
        "/apis/apps/v1/daemonsets": [_makes("log", "shop", {}), _makes("log", "vanished", {})],
        "/apis/apps/v1/replicasets": [_owned(_makes("roll-1", "shop", {}), "Rollout", "roll")],
        "/api/v1/replicationcontrollers": [],
        "/apis/policy/v1/poddisruptionbudgets": [_named("web", "shop", spec=budget, status={"disruptionsAllowed": 1})],
        f"{WEBHOOKS}/mutatingwebhookconfigurations": _webhooks(),
        f"{WEBHOOKS}/validatingwebhookconfigurations": [_named("istio-validator", webhooks=[validator])],
        f"{SYSTEM}/services": services,
        "/apis/discovery.k8s.io/v1/namespaces/istio-system/endpointslices": [
            _named("istiod-x", "istio-system", {"kubernetes.io/service-name": "istiod"}, endpoints=[endpoint]),
        ],
    }


class Made(Cluster):
    """A cluster that has these lists, and nothing else."""

    def __init__(self, lists: dict[str, list[Json]]) -> None:
        self._lists, self.host, self.dry_run = lists, "https://made", False

    def _read(self, path: str, **_query: str) -> Json:
        if path in self._lists:
            return {"metadata": {"resourceVersion": "7"}, "items": self._lists[path]}
        if path in ("/version", f"{SYSTEM.rpartition('/')[0]}/kube-system"):
            return {"gitVersion": "v1.36.3", "metadata": {"uid": "uid"}}
        raise ApiError(404, "NotFound", "there is none", "GET", path)

    def ask(self, path: str, body: Json) -> Json:
        return {"status": {"allowed": True}}


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """Every place in a value, from the outside in."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in members:
        yield (*here, key)
        yield from places(inside, (*here, key))


def put(value: t.Any, place: Place, junk: object) -> None:
    *way, last = t.cast("tuple[t.Any, ...]", place)
    for key in way:
        value = (
            value.get(key)
            if isinstance(value, dict)
            else value[key]
            if isinstance(value, list) and isinstance(key, int) and key < len(value)
            else None
        )
    if isinstance(value, dict) or (isinstance(value, list) and isinstance(last, int) and last < len(value)):
        value[last] = junk


ALL = list(places(cluster_of_objects()))
INSIDE = [place for place in ALL if len(place) > 2 and place[-1] not in ("name", "uid", "namespace", "metadata")]
"""Without what every object has."""
BROKEN_TEXTS = ("", "x" * 200_000, "名前", "{not json", '{"revision": 7}', "[" * 100_000, "²", "\x00", "0000-00-00", "9999999-1")
JUNK: st.SearchStrategy[object] = st.sampled_from(
    (
        *(None, True, 0, -1, 1.5, 10**30),
        *BROKEN_TEXTS,
        *([], [None], [[]], [{"name": 1}], {}, {"": None}, {"name": None}, {"a": {"b": [1, None, "c"]}}),
    )
)


def told(lists: dict[str, list[Json]]) -> list[Json]:
    """What each reader makes of it. What cannot be told as JSON would break Ansible."""
    results = []
    for verb, options in (
        (mesh_info, {"gather_subset": ["workloads"], "istio_namespace": "istio-system", "report": False, "cluster_name": None}),
        (upgrade_plan, _plan_options()),
    ):
        context = Context(Made(lists), True, lambda _line: None, lambda: 0.0)
        try:
            result = verb.run(verb.Options.of(options), context)
        except MeshError as problem:
            results.append({"error": problem.text()})
        else:
            results.append(json.loads(json.dumps(result.as_ansible())))
    return results


def _plan_options() -> Json:
    options = {name: spec.get("default") for name, spec in upgrade_plan.SPEC.items()}
    return options | {"revision": "1-30-3", "istio_namespace": "istio-system"}


@pytest.mark.parametrize("where", ["anywhere", "inside"])
@settings(max_examples=250)
@given(data=st.data())
def test_junk_in_objects_never_ends_in_a_traceback(where: str, data: st.DataObject) -> None:
    """Where an object still has its name, what is wrong inside it does not even keep the rest from being read."""
    lists = cluster_of_objects()
    for place in data.draw(st.lists(st.sampled_from(ALL if where == "anywhere" else INSIDE), min_size=1, max_size=4)):
        put(lists, place, data.draw(JUNK))
    lists = {path: found if isinstance(found, list) else [] for path, found in lists.items()}
    info, _plan = told(lists)
    if where == "inside":
        assert "error" not in info
