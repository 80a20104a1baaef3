# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster while workloads roll: what concerns some namespaces, followed by watches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import budgets
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, MAKERS, POD_HASH, PODS, makers, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload, family

_BUDGETS, _REFUSALS = "budgets", "refusals"
_TELL_NOTHING = frozenset({"StatefulSet", "DaemonSet"})
"""Kinds whose status does not say that their pods are refused: only events do."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """An event: a controller could not make a pod. The API server keeps it for an hour, and counts in it."""

    uid: str
    """Of the workload."""
    text: str
    version: str


class Live:
    """``with Live(cluster, snapshot, names) as live: live.snapshot(); live.follow.wait(5)``."""

    def __init__(self, cluster: Cluster, snapshot: Snapshot, namespaces: Collection[str]) -> None:
        self._kinds = dict(_kinds(snapshot, namespaces))
        seen = _REFUSALS not in self._kinds or _may_list(cluster, self._kinds[_REFUSALS])
        self._first = snapshot if seen else replace(snapshot, hidden=(*snapshot.hidden, "Event"))
        if not seen:
            del self._kinds[_REFUSALS]
        self.follow = Follow(cluster, self._kinds)
        self._known: frozenset[_Refusal] = frozenset()

    def __enter__(self) -> Live:
        self.follow.__enter__()
        self._known = frozenset(self._refusals())
        return self

    def __exit__(self, *problem: object) -> None:
        self.follow.__exit__(*problem)

    def snapshot(self) -> Snapshot:
        """The first snapshot, with its pods and all that is followed as they are now."""
        names = self._kinds.keys() - {"pods", _BUDGETS, _REFUSALS}
        followed = [self._with_refusal(one) for name in names for one in self.follow.objects(name)]
        others = [one for one in self._first.workloads if not one.of_pods and one.kind not in names]
        planes = (plane.deployment for plane in self._first.control_planes)
        workloads, pods = family((*followed, *others), self.follow.objects("pods"), planes)
        now = replace(self._first, workloads=workloads, pods=pods)
        return replace(now, budgets=self.follow.objects(_BUDGETS)) if _BUDGETS in self._kinds else now

    def _refusals(self) -> Iterator[_Refusal]:
        return (one for one in (self.follow.objects(_REFUSALS) if _REFUSALS in self._kinds else ()) if one.uid)

    def _with_refusal(self, one: Workload) -> Workload:
        """What was refused before this began may have been mended since."""
        if one.kind not in _TELL_NOTHING or one.total >= one.replicas:
            return one
        texts = [refusal.text for refusal in self._refusals() if refusal.uid == one.uid and refusal not in self._known]
        return replace(one, failure=f"FailedCreate: {texts[-1]}") if texts else one


def _kinds(snapshot: Snapshot, namespaces: Collection[str]) -> Iterator[tuple[str, Kind]]:
    """Only what these namespaces have: of a kind that is made anew there meanwhile, nothing is stale."""
    here = snapshot.within(namespaces)
    there = {judged.workload.kind for judged in here}
    for kind, path in KINDS.items():
        if kind in there:
            yield kind, Kind(path, workload(kind))
    if any(judged.workload.kind in MAKERS or judged.workload.group for judged in here):
        left = {one.template.labels[POD_HASH] for one in snapshot.workloads if one.kind == "ReplicaSet" and POD_HASH in one.template.labels}
        yield from ((name, kind) for name, kind in makers(left).items() if name not in snapshot.hidden)
    if budgets.KIND not in snapshot.hidden and any(budget.namespace in namespaces for budget in snapshot.budgets):
        yield _BUDGETS, Kind(budgets.PATH, budgets.parse)
    if there & _TELL_NOTHING:
        yield _REFUSALS, Kind("/api/v1/events", _refusal, fields="reason=FailedCreate")
    yield "pods", Kind(PODS, pod)


def _may_list(cluster: Cluster, kind: Kind) -> bool:
    """Without events, that a StatefulSet's pods are refused shows only in that they do not come."""
    try:
        cluster.values(kind.path, kind.parse, **kind.query)
    except ApiError as problem:
        if problem.status != 403:
            raise
        return False
    return True


def _refusal(item: Json) -> _Refusal:
    return _Refusal(
        uid=(item.get("involvedObject") or {}).get("uid", ""),
        text=str(item.get("message", "")),
        version=item["metadata"]["resourceVersion"],
    )
