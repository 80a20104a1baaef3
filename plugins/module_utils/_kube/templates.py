# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pod templates as they stand in a cluster, and the pods that their controllers would make of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.demands import demands
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, number
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import (
    KINDS,
    MAKERS,
    POD_HASH,
    PROXY,
    PROXY_IMAGE,
    image_of,
    shape,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload

_HASH = "probe"
"""Stands for the hash that a controller puts into names and labels of its pods."""


@dataclass(frozen=True, slots=True)
class Template:
    workload: Workload
    pod: Json
    """As its controller would send it to the API server."""
    own_proxy: bool
    """There is a proxy in it already."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a kind is listed, where its template is, and what owns its pods."""

    path: str
    template: Callable[[Json], Json] = lambda item: _mapping(item["spec"].get("template"))
    owner: str = ""
    """The kind that stands between it and its pods; empty where none does."""
    api: str = "apps/v1"
    """Of the owner."""
    query: Mapping[str, str] = field(default_factory=dict)


SOURCES = {
    "Deployment": _Source(KINDS["Deployment"], owner="ReplicaSet"),
    "StatefulSet": _Source(KINDS["StatefulSet"]),
    "DaemonSet": _Source(KINDS["DaemonSet"]),
    "ReplicaSet": _Source(MAKERS["ReplicaSet"], query={"labelSelector": f"!{POD_HASH}"}),  # those of Deployments have the label
    "ReplicationController": _Source(MAKERS["ReplicationController"], api="v1"),
    "Job": _Source("/apis/batch/v1/jobs", api="batch/v1"),
    "CronJob": _Source(
        "/apis/batch/v1/cronjobs", lambda item: _mapping(item["spec"]["jobTemplate"]["spec"].get("template")), "Job", "batch/v1"
    ),
}


def in_namespaces(cluster: Cluster, namespaces: Collection[str]) -> tuple[tuple[Template, ...], tuple[str, ...]]:
    """All templates of some namespaces of which new pods can come, by one list call a kind; and the kinds that this user may not list."""
    found: list[Template] = []
    hidden: list[str] = []
    for kind, source in SOURCES.items():
        try:
            found += _of_kind(cluster, kind, source, namespaces)
        except ApiError as problem:
            if problem.status not in (403, 404) or kind in KINDS:
                raise
            hidden.append(kind)
    return tuple(found), tuple(hidden)


def plain(cluster: Cluster, namespace: str, plane: ControlPlane | None) -> Template:
    """A Deployment's pod, as small as can be: what it gets is the namespace's doing alone.

    Its image is istiod's own, which is allowed wherever images are restricted; nothing runs of it.
    """
    path = f"/apis/apps/v1/namespaces/{plane.namespace}/deployments/{plane.name}" if plane else ""
    istiod = cluster.get(path) if path else None
    image = image_of(istiod["spec"]["template"], "discovery") if istiod else "registry.k8s.io/pause:3.10"
    template = {"metadata": {"labels": {"app": _HASH}}, "spec": {"containers": [{"name": "app", "image": image}]}}
    item = {"metadata": {"name": _HASH, "namespace": namespace, "uid": _HASH}, "spec": {"template": template}}
    return _template("Deployment", SOURCES["Deployment"], item)


def to_come(cluster: Cluster) -> tuple[Workload, ...]:
    """CronJobs, and Jobs that are not over, whoever made them: pods can come of them at a time when none is there to be seen."""
    found = (one for kind in ("CronJob", "Job") for one in cluster.values(SOURCES[kind].path, partial(_to_come, kind)))
    return tuple(one for one in found if one)


def _to_come(kind: str, item: Json) -> Workload | None:
    return None if _over(item) else _template(kind, SOURCES[kind], item).workload


def _of_kind(cluster: Cluster, kind: str, source: _Source, namespaces: Collection[str]) -> Iterator[Template]:
    for item in cluster.items(source.path, **source.query):
        if item["metadata"]["namespace"] in namespaces and _makes_pods(kind, item):
            yield _template(kind, source, item)


def _makes_pods(kind: str, item: Json) -> bool:
    """Not a Job that is over or that a CronJob has made, nor an old generation of something else's ReplicaSets."""
    owner = next((one for one in item["metadata"].get("ownerReferences") or [] if one.get("controller")), None)
    if kind == "Job":
        return not _over(item) and (owner is None or owner["kind"] != "CronJob")
    return owner is None or item["spec"].get("replicas", 1) > 0


def _over(item: Json) -> bool:
    """A Job that has ended; nothing else says so of itself."""
    conditions = _mapping(item.get("status")).get("conditions") or []
    return any(one["type"] in ("Complete", "Failed") and one["status"] == "True" for one in conditions)


def _template(kind: str, source: _Source, item: Json) -> Template:
    metadata, template = item["metadata"], source.template(item)
    of_template = _mapping(template.get("metadata"))
    labels, annotations = _mapping(of_template.get("labels")), _mapping(of_template.get("annotations"))
    name, spec = metadata["name"], _mapping(template.get("spec"))
    owner = f"{name}-{_HASH}" if source.owner else name
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{owner}-",
            "namespace": metadata["namespace"],
            "labels": {**labels, POD_HASH: _HASH} if kind == "Deployment" else labels,
            "annotations": annotations,
            "ownerReferences": [
                {
                    "apiVersion": source.api,
                    "kind": source.owner or kind,
                    "name": owner,
                    "uid": metadata["uid"],  # of a ReplicaSet or Job that is not made: any will do
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }
    containers = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    workload = Workload(
        kind=kind,
        namespace=metadata["namespace"],
        name=name,
        uid=metadata["uid"],
        template=shape(template),
        replicas=number(item, "spec", "replicas", default=1),
        proxy_image_set=PROXY_IMAGE in annotations,
        demands=demands(kind, mapping(item, "spec")),
    )
    return Template(workload, pod, any(one["name"] == PROXY for one in containers))


def _mapping(value: Json | None) -> Json:
    return value or {}
