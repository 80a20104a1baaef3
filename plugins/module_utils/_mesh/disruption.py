# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a restart takes from those who use a workload, and what would keep its new pods out. Pure.

A blocker is what would leave a rollout waiting for ever, whatever anybody does elsewhere: the old pod goes when the new one is ready, and
the new one cannot be placed beside it. Quotas, limits and room change from hour to hour, and before anything restarts the API server
is asked with dry runs: so these are warnings, as is what costs users a moment that they have agreed to (Recreate, one pod).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.around import Around, Claim, Node, Quota
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import HOSTNAME
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, gathered, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import GIVEN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe, Way
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Amounts, Resources, cpu_text, memory_text
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at, rolling
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Pod, Workload

Ways = Sequence[tuple[Judged, Way]]
_TOPIC = Topic.DISRUPTION


@dataclass(frozen=True, slots=True)
class Need:
    """What one new pod would ask for, and where that is known from."""

    resources: Resources
    source: str


def disruption_findings(ways: Ways, pods: Iterable[Pod], around: Around, sidecar: Resources | None = None) -> Iterator[Finding]:
    """Of all that would be restarted by us; ``pods`` are all of the cluster, ``sidecar`` is what a new one asks for if that is known."""
    mine = [(judged, way) for judged, way in ways if way.by_us]
    used = _used(pods)
    yield from gathered(finding for judged, way in mine for finding in _by_its_strategy(judged.workload, way))
    for judged, way in mine:
        own = judged.workload.demands.sidecar or sidecar
        need = _need(judged, own)
        if surges(judged.workload, way):
            yield from _kept_out(judged, around)
            yield from _no_room(judged, need, around, used)
        yield from _by_quota(judged, need, surges(judged.workload, way), around)
        yield from _by_limits(judged.workload, own, around)
        yield from _by_autoscaler(judged.workload, around)


def surges(workload: Workload, way: Way) -> bool:
    """A new pod has to be ready beside the old ones before the first of them goes."""
    return way.recipe is Recipe.STAMP and workload.demands.replacing.beside(workload.replicas)


def _by_its_strategy(workload: Workload, way: Way) -> Iterator[Finding]:
    replacing = workload.demands.replacing
    if way.recipe is Recipe.STAMP and replacing.recreate:
        yield warning(
            _TOPIC,
            "Nothing serves while these restart",
            where=at(workload),
            why="their strategy is Recreate: all pods go before the first new one comes",
            do="choose a time at which that is no harm, or set strategy.type to RollingUpdate",
        )
    elif _all_at_once(workload, way):
        one = workload.replicas == 1
        yield warning(
            _TOPIC,
            "Nothing serves while these restart",
            where=at(workload),
            why="they have one pod, which goes before the new one comes" if one else "maxUnavailable lets all their pods go at once",
            do="choose a time at which that is no harm, or give them more replicas"
            + (" and maxSurge" if workload.kind == "Deployment" else ""),
        )
    if workload.on_delete:
        yield warning(
            _TOPIC,
            "These replace pods only when somebody deletes them (OnDelete)",
            where=at(workload),
            why="so their stale pods are evicted one at a time",
            do="leave their namespaces out (mesh_exclude) if that is to stay a person's decision",
        )
    elif rolling(workload) and workload.total != workload.updated and way.recipe is Recipe.STAMP:
        yield warning(
            _TOPIC,
            "A rollout is under way already",
            where=f"{at(workload)}: {workload.updated} of {workload.total} pods are of the newest template",
            why="it is waited for before the restart",
            do="see that it comes to its end: kubectl -n NAMESPACE rollout status deploy/NAME, or sts/NAME, or ds/NAME",
        )


def _all_at_once(workload: Workload, way: Way) -> bool:
    if not workload.replicas or workload.of_pods:
        return False
    if way.recipe is Recipe.EVICT or workload.kind == "StatefulSet":
        return workload.replicas == 1 and workload.kind != "DaemonSet"
    return workload.kind == "Deployment" and workload.demands.replacing.at_most(workload.replicas)[1] >= workload.replicas


def _kept_out(judged: Judged, around: Around) -> Iterator[Finding]:
    workload, demands = judged.workload, judged.workload.demands
    for claim in _claims(workload, around):
        if claim.by_one_pod:
            yield _never(
                workload, f"PersistentVolumeClaim {claim.name} has access mode ReadWriteOncePod", "one pod alone may have that volume"
            )
        elif claim.by_one_node:
            yield warning(
                _TOPIC,
                f"{at(workload)} may not come to the end of its restart",
                where=f"PersistentVolumeClaim {claim.name} has access mode ReadWriteOnce",
                why="a new pod must run on the node of the old one, which goes only when the new one is ready",
                do=_instead(workload),
            )
    nodes = _open_to(workload, around)
    if nodes is None:
        return
    here = {pod.node for pod in judged.pods if pod.node and not pod.deleting}
    ports = ", ".join(map(str, demands.ports))
    if demands.ports and nodes and all(node.name in here for node in nodes):
        yield _never(workload, f"hostPort {ports}, and each node that takes it has one of its pods", "a port of a node is one pod's")
    for apart in demands.apart:
        if not apart.selector.matches(workload.template.labels):
            continue
        taken = {node.labels[apart.topology] for node in nodes if node.name in here and apart.topology in node.labels}
        if nodes and all(node.labels.get(apart.topology) in taken for node in nodes):
            what = "node" if apart.topology == HOSTNAME else apart.topology
            yield _never(workload, f"required anti-affinity by {apart.topology}", f"each {what} that takes it has one of its pods")


def _claims(workload: Workload, around: Around) -> Iterator[Claim]:
    names = set(workload.demands.claims)
    return (one for one in around.claims or () if one.namespace == workload.namespace and one.name in names)


def _never(workload: Workload, where: str, why: str) -> Finding:
    return blocker(
        _TOPIC,
        f"{at(workload)} would never come to the end of its restart.",
        where=where,
        why=f"{why}, and the old pod goes only when the new one is ready",
        do=_instead(workload),
    )


def _instead(workload: Workload) -> str:
    field = "strategy" if workload.kind == "Deployment" else "updateStrategy"
    patch = f'{{"spec":{{"{field}":{{"rollingUpdate":{{"maxSurge":0,"maxUnavailable":1}}}}}}}}'
    return f"let the old pod go first: kubectl -n {workload.namespace} patch {workload.short} -p '{patch}', or use mesh_exclude"


def _open_to(workload: Workload, around: Around) -> list[Node] | None:
    """Nodes that take its pods by nodeSelector and taints; affinity to nodes, which may allow fewer, is not looked at."""
    if around.nodes is None:
        return None
    demands = workload.demands
    return [
        node
        for node in around.nodes
        if not node.cordoned
        and all(node.labels.get(key) == value for key, value in demands.nodes.items())
        and all(any(one.of(taint) for one in demands.tolerations) for taint in node.taints if taint.keeps_out)
    ]


def _used(pods: Iterable[Pod]) -> dict[str, tuple[Amounts, int]]:
    """By node: what its pods ask for, and how many there are."""
    found: dict[str, tuple[Amounts, int]] = {}
    for pod in pods:
        if pod.node and not pod.finished:
            asked, number = found.get(pod.node, (Amounts(), 0))
            found[pod.node] = (asked + pod.resources.requests, number + 1)
    return found


def _need(judged: Judged, sidecar: Resources | None) -> Need:
    workload = judged.workload
    if sidecar and judged.decision.revision:
        own = "its own annotations have" if workload.demands.sidecar else "the new revision's values have"
        return Need(workload.demands.resources + sidecar, f"with a sidecar as {own} it")
    running = [pod.resources for pod in judged.pods if pod.proxy and not pod.deleting]
    if running:
        largest = max(running, key=lambda one: (one.requests.cpu, one.requests.memory))
        return Need(largest, "as its running pods ask for, with the sidecars that they have")
    return Need(workload.demands.resources, "without a sidecar, as what that asks for is not known here")


def _no_room(judged: Judged, need: Need, around: Around, used: dict[str, tuple[Amounts, int]]) -> Iterator[Finding]:
    nodes = _open_to(judged.workload, around)
    if nodes is None or judged.workload.kind != "Deployment":
        return
    for node in nodes:
        asked, number = used.get(node.name, (Amounts(), 0))
        if need.resources.requests.fits(node.room - asked) and number < node.pods:
            return
    yield warning(
        _TOPIC,
        f"No node has room for one pod more of {at(judged.workload)}",
        where=f"it asks for {need.resources.requests.text()} ({need.source}); nodes that would take it: {len(nodes)}",
        why="its restart waits for a new pod, until a node is added or something else goes",
        do=f"make room, or let a pod go first: maxSurge 0 and maxUnavailable 1 for {judged.workload.short}",
    )


_RESOURCES: dict[str, Callable[[Resources], int]] = {
    "cpu": lambda one: one.requests.cpu,
    "requests.cpu": lambda one: one.requests.cpu,
    "limits.cpu": lambda one: one.limits.cpu,
    "memory": lambda one: one.requests.memory,
    "requests.memory": lambda one: one.requests.memory,
    "limits.memory": lambda one: one.limits.memory,
    "pods": lambda _one: 1,
    "count/pods": lambda _one: 1,
}
"""What a quota may count of a pod."""


def _by_quota(judged: Judged, need: Need, surging: bool, around: Around) -> Iterator[Finding]:
    """One pod more at least, where pods surge; else what new sidecars ask for beyond what the pods have that go."""
    workload = judged.workload
    old = max((pod.resources for pod in judged.pods), key=lambda one: (one.requests.cpu, one.requests.memory), default=need.resources)
    for quota in around.quotas or ():
        if quota.namespace != workload.namespace:
            continue
        short = [
            _short(name, quota, more)
            for name, of in _RESOURCES.items()
            if name in quota.hard and (more := of(need.resources) - (0 if surging else of(old))) > 0
            if quota.used.get(name, 0) + more > quota.hard[name]
        ]
        if short:
            yield _quota_short(workload, quota, short, need, surging)


def _short(name: str, quota: Quota, more: int) -> str:
    used, hard, asked = (_told(name, number) for number in (quota.used.get(name, 0), quota.hard[name], more))
    return f"{name}: {used} of {hard} used, {asked} more are asked for"


def _quota_short(workload: Workload, quota: Quota, short: list[str], need: Need, surging: bool) -> Finding:
    beside = "the first new pod has to be beside the old ones" if surging else "the new pods ask for more than the old ones"
    return warning(
        _TOPIC,
        f"{at(workload)} has no room in ResourceQuota {quota.name} for its restart",
        where="; ".join(short),
        why=f"{beside} ({need.source})",
        do=f"raise it: kubectl -n {quota.namespace} edit resourcequota {quota.name}"
        + (", or let a pod go first: maxSurge 0 and maxUnavailable 1" if surging else ""),
    )


def _told(name: str, number: int) -> str:
    return cpu_text(number) if name.endswith("cpu") else memory_text(number) if name.endswith("memory") else str(number)


def _by_limits(workload: Workload, sidecar: Resources | None, around: Around) -> Iterator[Finding]:
    """Only where it is known what the new sidecar asks for; what the LimitRange fills in itself is always allowed."""
    if sidecar is None:
        return
    requests, asked = sidecar.requests, sidecar.requests.most(sidecar.limits)
    for one in around.ranges or ():
        if one.namespace != workload.namespace:
            continue
        over = any(may and has > may for has, may in ((asked.cpu, one.most.cpu), (asked.memory, one.most.memory)))
        under = any(0 < has < must for has, must in ((requests.cpu, one.least.cpu), (requests.memory, one.least.memory)))
        if over or under:
            allowed = f"at most {one.most.text()}" if over else f"at least {one.least.text()}"
            yield warning(
                _TOPIC,
                f"LimitRange {one.name} does not allow the new sidecar of {at(workload)}",
                where=f"a container may ask for {allowed}; the sidecar asks for {requests.text()}, with limits {sidecar.limits.text()}",
                why="the API server would refuse its pods",
                do=f"kubectl -n {one.namespace} edit limitrange {one.name}, or set global.proxy.resources to what it allows, in {GIVEN}",
            )


def _by_autoscaler(workload: Workload, around: Around) -> Iterator[Finding]:
    for one in around.autoscalers or ():
        mine = (one.namespace, one.kind, one.target) == (workload.namespace, workload.kind, workload.name)
        if mine and (one.limited or (one.most > 1 and workload.replicas >= one.most)):
            yield warning(
                _TOPIC,
                f"{at(workload)} is at the limit of its HorizontalPodAutoscaler",
                where=f"hpa/{one.name}: {workload.replicas} of at most {one.most} pods",
                why="it has no more pods to take over while some of them restart",
                do=f"move it at a quieter time, or raise maxReplicas: kubectl -n {one.namespace} edit hpa {one.name}",
            )
