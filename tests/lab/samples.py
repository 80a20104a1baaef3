# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads to look at: namespaces and Deployments as a small company might have them. The tests and the demo use the same."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping, Sequence

from .api import Api, ApiProblem, Json
from .mesh import VERSION, rolled_out
from .stages import FAULT

INJECTED = {"istio-injection": "enabled"}
NAMES = ("shop", "pay", "search", "mail", "stock", "web")
KINDS = {
    "Deployment": ("apps/v1", "deployments"),
    "StatefulSet": ("apps/v1", "statefulsets"),
    "DaemonSet": ("apps/v1", "daemonsets"),
    "ReplicaSet": ("apps/v1", "replicasets"),
    "ReplicationController": ("v1", "replicationcontrollers"),
    "Job": ("batch/v1", "jobs"),
    "CronJob": ("batch/v1", "cronjobs"),
    "Pod": ("v1", "pods"),
}
APPS = ("api", "worker", "cache", "front", "jobs", "gateway", "audit", "sync")


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}}


def deployment(
    name: str,
    replicas: int = 1,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    fault: str | None = None,
) -> Json:
    """``labels`` and ``annotations`` are those of its pods; ``fault`` is one of ``stages.FAULTS``."""
    selector = {"app": name}
    notes = dict(annotations or {}) | ({FAULT: fault} if fault else {})
    template = {
        "metadata": {"labels": selector | dict(labels or {}), "annotations": notes},
        "spec": {"containers": [{"name": "app", "image": f"registry.example.com/{name}:1.0"}], "terminationGracePeriodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": selector},
        "spec": {"replicas": replicas, "selector": {"matchLabels": selector}, "template": template},
    }


def workload(
    kind: str, name: str, replicas: int = 2, *, strategy: Json | None = None, pod: Json | None = None, **more: t.Any
) -> tuple[str, Json]:
    """Any kind with the same pods: the path of its list within a namespace, and the object.

    ``pod`` is added to the spec of its pods, ``more`` is as for ``deployment``.
    """
    version, plural = KINDS[kind]
    like = deployment(name, replicas, **more)
    template, selector = like["spec"]["template"], {"app": name}
    template["spec"] |= pod or {}
    spec: Json = {"template": template}
    match kind:
        case "Pod":
            spec = template["spec"]
        case "Job":
            template["spec"]["restartPolicy"] = "Never"
        case "CronJob":
            template["spec"]["restartPolicy"] = "Never"
            spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}}
        case "DaemonSet":
            spec |= {"selector": {"matchLabels": selector}}
        case "ReplicationController":
            spec |= {"replicas": replicas, "selector": selector}
        case _:
            spec |= {"replicas": replicas, "selector": {"matchLabels": selector}}
    if strategy:
        spec["updateStrategy"] = strategy
    metadata = {"name": name, "labels": selector} | (template["metadata"] if kind == "Pod" else {})
    group = f"apis/{version}" if "/" in version else f"api/{version}"
    return f"/{group}/namespaces/{{}}/{plural}", {"apiVersion": version, "kind": kind, "metadata": {**metadata, "name": name}, "spec": spec}


def budget(name: str, allowed: int = 0) -> tuple[str, Json]:
    """A PodDisruptionBudget that lets so many pods of the workload of that name be missing."""
    spec = {"selector": {"matchLabels": {"app": name}}, "maxUnavailable": allowed}
    return "/apis/policy/v1/namespaces/{}/poddisruptionbudgets", {"metadata": {"name": name}, "spec": spec}


def gateway(name: str = "istio-ingressgateway", revision: str = "default", version: str = VERSION, *, managed: bool = False) -> Json:
    """A proxy that is rendered whole, which no injector touches: as ``istioctl install`` leaves it, or as istiod makes it of a Gateway."""
    if managed:
        selector = {"gateway.networking.k8s.io/gateway-name": name}
        labels = selector | {"gateway.istio.io/managed": "istio.io-gateway-controller"}
    else:
        selector = {"app": name, "istio": name.removeprefix("istio-")}
        labels = selector | {"istio.io/rev": revision, "operator.istio.io/component": "IngressGateways"}
    template = {
        "metadata": {"labels": labels | {"sidecar.istio.io/inject": "false"}, "annotations": {"istio.io/rev": revision}},
        "spec": {
            "containers": [{"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}", "args": ["proxy", "router"]}],
            "terminationGracePeriodSeconds": 1,
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
    }


def create(api: Api, namespaces: int = 6, deployments: int = 24, labels: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """So many namespaces that ask for injection, the Deployments spread over them, each of 1 or 2 replicas. Returns their names.

    What is there already stays as it is: a second call completes a first that was interrupted.
    """
    asked = INJECTED if labels is None else labels
    names = tuple(_name(number) for number in range(namespaces))
    for name in names:
        _post(api, "/api/v1/namespaces", namespace(name, asked))
    for number in range(deployments):
        where, app = names[number % namespaces], number // namespaces
        name = APPS[app] if app < len(APPS) else f"app-{app}"
        _post(api, f"/apis/apps/v1/namespaces/{where}/deployments", deployment(name, 1 + number % 2))
    return names


def wait_ready(api: Api, namespaces: Iterable[str], timeout: float = 120) -> None:
    """Until every Deployment of these namespaces is rolled out."""
    wanted = frozenset(namespaces)

    def ready(found: Sequence[Json]) -> bool:
        ours = [one for one in found if one["metadata"]["namespace"] in wanted]
        return all(map(rolled_out, ours))

    api.until("/apis/apps/v1/deployments", ready, timeout=timeout, what=f"the Deployments of {', '.join(sorted(wanted))}")


def _name(number: int) -> str:
    turn, index = divmod(number, len(NAMES))
    return f"{NAMES[index]}-{turn + 1}" if turn else NAMES[index]


def _post(api: Api, path: str, body: Json) -> None:
    try:
        api.post(path, body)
    except ApiProblem as problem:
        if problem.reason != "AlreadyExists":
            raise
