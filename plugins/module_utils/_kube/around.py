# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads what a restart meets besides the workloads: one list call a kind, side by side, and only of kinds that matter here."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import (
    at,
    mapping,
    mappings,
    name_of,
    namespace_of,
    number,
    strings,
    text,
    texts,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.quantities import amounts, quantity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.around import Around, Autoscaler, Claim, Node, Quota, Range
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import Named, Taint
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload

NAMES = {
    Named.CONFIG_MAP: "/api/v1/configmaps",
    Named.SECRET: "/api/v1/secrets",
    Named.ACCOUNT: "/api/v1/serviceaccounts",
}
_AT_A_TIME = 4
"""Fewer than the client's pool keeps connections for."""
_APPLYING = frozenset({"NotTerminating", "NotBestEffort"})
"""Scopes of a quota in which every pod with a sidecar is that runs on; one with other scopes is left to the probe."""

_List = Callable[[], tuple[t.Any, ...]]


def around(cluster: Cluster, restarts: Iterable[Workload]) -> Around:
    """Around these workloads. Secrets and ConfigMaps are read by name alone, and only where a template names one."""
    found = _listed(cluster, _wanted(cluster, tuple(restarts)))
    hidden = tuple(name for name, items in found.items() if items is None)
    there = {kind: None if (names := found.get(str(kind))) is None else frozenset(names) for kind in NAMES if str(kind) in found}
    return Around(
        there=there,
        claims=found.get("PersistentVolumeClaim"),
        quotas=found.get("ResourceQuota"),
        ranges=found.get("LimitRange"),
        nodes=found.get("Node"),
        autoscalers=found.get("HorizontalPodAutoscaler"),
        hidden=hidden,
    )


def _wanted(cluster: Cluster, restarts: tuple[Workload, ...]) -> dict[str, _List]:
    named = {one.kind for workload in restarts for one in workload.demands.references}
    lists: dict[str, _List] = {str(kind): _names(cluster, path) for kind, path in NAMES.items() if kind in named}
    if Named.CLAIM in named:
        lists["PersistentVolumeClaim"] = _items(cluster, "/api/v1/persistentvolumeclaims", _claim)
    if restarts:
        lists["ResourceQuota"] = _items(cluster, "/api/v1/resourcequotas", _quota)
        lists["LimitRange"] = _items(cluster, "/api/v1/limitranges", _ranges)
        lists["HorizontalPodAutoscaler"] = _items(cluster, "/apis/autoscaling/v2/horizontalpodautoscalers", _autoscaler)
        lists["Node"] = _items(cluster, "/api/v1/nodes", _node)
    return lists


def _listed(cluster: Cluster, lists: Mapping[str, _List]) -> dict[str, t.Any]:
    """None for what this user may not list, or what this API server does not have."""

    def read(one: _List) -> tuple[t.Any, ...] | None:
        try:
            return one()
        except ApiError as problem:
            if problem.status not in (403, 404):
                raise
            return None

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return dict(zip(lists, pool.map(read, lists.values()), strict=True))


def _names(cluster: Cluster, path: str) -> _List:
    return lambda: tuple(cluster.metadata_alone().values(path, lambda item: (namespace_of(item), name_of(item))))


def _items(cluster: Cluster, path: str, parse: Callable[[Json], Iterable[t.Any]]) -> _List:
    return lambda: tuple(one for found in cluster.values(path, lambda item: tuple(parse(item))) for one in found)


def _claim(item: Json) -> Iterable[Claim]:
    deleting = bool(text(item, "metadata", "deletionTimestamp"))
    yield Claim(namespace_of(item), name_of(item), frozenset(texts(item, "spec", "accessModes")), deleting)


def _quota(item: Json) -> Iterable[Quota]:
    scopes = {text(one, "scopeName") for one in mappings(item, "spec", "scopeSelector", "matchExpressions")} | set(
        texts(item, "spec", "scopes")
    )
    if scopes <= _APPLYING:
        hard = mapping(item, "status", "hard") or mapping(item, "spec", "hard")
        yield Quota(namespace_of(item), name_of(item), _counted(hard), _counted(mapping(item, "status", "used")))


def _counted(listed: Json) -> dict[str, int]:
    return {name: quantity(value, 1000 if name.endswith("cpu") else 1) for name, value in listed.items()}


def _ranges(item: Json) -> Iterable[Range]:
    for one in mappings(item, "spec", "limits"):
        least, most = mapping(one, "min"), mapping(one, "max")
        if text(one, "type") == "Container" and (least or most):
            yield Range(namespace_of(item), name_of(item), amounts(least), amounts(most))


def _autoscaler(item: Json) -> Iterable[Autoscaler]:
    limited = ("ScalingLimited", "True", "TooManyReplicas")
    yield Autoscaler(
        namespace_of(item),
        name_of(item),
        text(item, "spec", "scaleTargetRef", "kind"),
        text(item, "spec", "scaleTargetRef", "name"),
        most=number(item, "spec", "maxReplicas"),
        limited=any(
            (text(one, "type"), text(one, "status"), text(one, "reason")) == limited for one in mappings(item, "status", "conditions")
        ),
    )


def _node(item: Json) -> Iterable[Node]:
    room = mapping(item, "status", "allocatable")
    yield Node(
        name_of(item),
        strings(item, "metadata", "labels"),
        tuple(Taint(text(one, "key"), text(one, "value"), text(one, "effect")) for one in mappings(item, "spec", "taints")),
        bool(at(item, "spec", "unschedulable")),
        amounts(room),
        quantity(room.get("pods")),
    )
