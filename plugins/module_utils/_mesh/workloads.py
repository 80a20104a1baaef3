# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads, their pods and their proxies, and which of them are stale. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh import demands as asked
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import NOBODY, Held
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Resources

STAMP = "kubectl.kubernetes.io/restartedAt"
"""kubectl's own annotation of the pod template, which operators know and keep; each new pod carries it."""
RESTARTED = "meshops.io/prior-restart"
"""On a workload that this collection has stamped: its stamp, and the one that was there before."""
TEMPLATE = "annotations of the template"
"""All of them, as a field that somebody holds."""
SIDECAR = frozenset({"istio-proxy", "istio-init", "istio-validation"})
"""The containers that injection adds."""
TEMPLATE_HASH = "controller-revision-hash"
TEMPLATE_OF = {"Deployment": "pod-template-hash", "StatefulSet": TEMPLATE_HASH, "DaemonSet": "pod-template-generation"}
"""The label by which pods of a kind tell of which template they are."""
SHORT = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "Job": "job",
    "ReplicaSet": "rs",
    "ReplicationController": "rc",
    "Pod": "pod",
}


_NO_RESOURCES = Resources()


@dataclass(frozen=True, slots=True)
class Proxy:
    """The sidecar that a pod really has."""

    revision: str | None
    version: str | None
    """None where the image's tag tells nothing."""
    native: bool
    ready: bool
    image: str = ""
    status: str | None = None
    """The revision that its status annotation tells, only where that is another one."""


class Gateway(StrEnum):
    """Whether a workload is a proxy itself, and how it came to be; what is none is empty, and false."""

    NONE = ""
    INJECTED = "injected"
    """Its pods are made by an injector (chart gateway, ``image: auto``): it follows the labels of its namespace or template."""
    MANAGED = "gateway-api"
    """A control plane makes it of a Gateway, and rolls it by itself. A waypoint is one, too."""
    RENDERED = "rendered"
    """It is installed whole, as istioctl's ingress gateway is."""


@dataclass(frozen=True, slots=True)
class Owner:
    kind: str
    name: str
    group: str = ""
    """Of its API; empty for Kubernetes' own kinds."""


@dataclass(frozen=True, slots=True)
class Pod:
    namespace: str
    name: str
    uid: str
    owner: Owner
    """The workload: a ReplicaSet of a Deployment counts as the Deployment, a bare pod as its own."""
    shape: PodShape
    proxy: Proxy | None
    ready: bool
    finished: bool = False
    deleting: bool = False
    waiting: str = ""
    """Why a container is not running, in Kubernetes' own words, for example ``ImagePullBackOff``."""
    container: str = ""
    """Which container that is; empty where it is the pod itself, which has no node."""
    maker: Owner | None = None
    """Who really made it, for example the ReplicaSet of a Deployment; None for a bare pod."""
    maker_uid: str = ""
    never_ready: bool = False
    """It is not ready and has not been since it started."""
    seconds: int | None = None
    """From its start until it became ready, the last time that it did; None where that is not known."""
    node: str = ""
    resources: Resources = _NO_RESOURCES
    """All that it asks for, its sidecar's included."""

    @property
    def ordinal(self) -> int:
        """Of a StatefulSet's pod: the number at the end of its name; -1 where there is none."""
        end = self.name.rpartition("-")[2]
        return int(end) if end.isdigit() else -1


@dataclass(frozen=True, slots=True)
class Restarted:
    """What this collection has stamped a workload's template with, and what the stamp was before: the way back."""

    stamp: str
    prior: str | None
    """None: there was none."""
    home: str = ""
    """The labels to which the way back of its namespace leads: one that leads elsewhere is another upgrade's, and none of this stamp."""


@dataclass(frozen=True, slots=True)
class Workload:
    """Something that makes pods from a template. ``replicas`` is what is wanted."""

    kind: str
    namespace: str
    name: str
    uid: str
    template: PodShape
    replicas: int = 1
    generation: int = 0
    observed: int = 0
    total: int = 0
    updated: int = 0
    available: int = 0
    paused: bool = False
    failure: str = ""
    """What the controller says stands in its way (ProgressDeadlineExceeded, ReplicaFailure: a refusal or a quota)."""
    proxy_image_set: bool = False
    """The template sets the proxy's image, so that its version tells nothing about the control plane."""
    of_pods: bool = False
    """Nothing of it was read but its pods: of another kind, or a Deployment that was deleted without them."""
    gateway: Gateway = Gateway.NONE
    """It is a proxy itself, not something that has one: a gateway or a waypoint."""
    group: str = ""
    """Of its API; empty for Kubernetes' own kinds."""
    on_delete: bool = False
    """Its update strategy is OnDelete: the controller replaces no pod by itself."""
    partition: int = 0
    """Of a StatefulSet: pods with a lower ordinal keep the older template."""
    ordered: bool = False
    """A StatefulSet with OrderedReady: its controller does nothing more while one pod is not ready."""
    newest: str = ""
    """What its controller calls its newest template, where it says so; its pods have theirs as a label."""
    restarted: Restarted | None = None
    part_of: Owner | None = None
    """Whom it belongs to, as a ReplicaSet does to an Argo Rollout: then it is no workload of its own."""
    part_of_uid: str = ""
    strategy: str = ""
    """How its controller replaces pods, in Kubernetes' own words, as JSON; what is compared, not what is decided by."""
    at_once: int = 1
    """How many pods its controller replaces at the same time, as that strategy says."""
    demands: asked.Demands = asked.NONE
    held: Held = NOBODY
    auto_image: bool = False
    """A container of its template has ``image: auto``, which only an injector replaces."""

    @property
    def stamp(self) -> str | None:
        """The restart stamp of its template."""
        return self.template.annotations.get(STAMP)

    @property
    def rolls(self) -> int:
        """How many pods its controller brings to the newest template by itself."""
        return 0 if self.on_delete else max(self.replicas - self.partition, 0)

    def has_made(self, pod: Pod) -> bool:
        """Whether a pod is of its newest template, by its stamp; or by its label, since somebody may have stamped the pod by hand."""
        if pod.shape.annotations.get(STAMP) == self.stamp:
            return True
        return bool(self.newest) and pod.shape.labels.get(TEMPLATE_OF.get(self.kind, "")) == self.newest

    @property
    def short(self) -> str:
        """As kubectl takes it: ``deploy/api``."""
        return f"{SHORT.get(self.kind, self.kind.lower())}/{self.name}"

    @property
    def path(self) -> str:
        """With its namespace in front: ``pay/deploy/api``."""
        return f"{self.namespace}/{self.short}"

    @property
    def owner(self) -> tuple[str, Owner]:
        """What its pods name as their owner, with the namespace."""
        return self.namespace, Owner(self.kind, self.name, self.group)


def resolved(pods: Iterable[Pod], listed: Iterable[Workload]) -> tuple[Pod, ...]:
    """Pods with the owner that only ReplicaSets and ReplicationControllers tell: whom these belong to, or that they belong to nobody."""
    made = {(one.namespace, Owner(one.kind, one.name)): one for one in listed if one.kind in ("ReplicaSet", "ReplicationController")}
    return tuple(_resolved(pod, made.get((pod.namespace, pod.maker)) if pod.maker else None) for pod in pods)


def _resolved(pod: Pod, maker: Workload | None) -> Pod:
    if maker is None:
        return pod
    if maker.part_of is None:
        return replace(pod, owner=Owner(maker.kind, maker.name))
    return replace(pod, owner=maker.part_of, maker_uid=maker.part_of_uid)


def family(listed: Iterable[Workload], pods: Iterable[Pod], known: Iterable[Workload] = ()) -> tuple[tuple[Workload, ...], tuple[Pod, ...]]:
    """The workloads that stand for themselves, with those that only their pods tell of, and the pods with their owners.

    ``known`` are workloads that count elsewhere, as control planes do.
    """
    read, elsewhere = tuple(listed), tuple(known)
    away = {one.owner for one in elsewhere}
    owned = resolved(pods, read)
    own = tuple(one for one in read if one.part_of is None and one.owner not in away)
    return (*own, *unlisted(owned, (*own, *elsewhere))), owned


def unlisted(pods: Iterable[Pod], listed: Iterable[Workload]) -> tuple[Workload, ...]:
    """What runs pods without being of a listed kind: bare pods, Jobs, ReplicaSets of nobody, kinds of operators.

    The pod itself stands for the template: injection changes nothing that the decision depends on.
    """
    known = {workload.owner for workload in listed}
    found: dict[tuple[str, Owner], Workload] = {}
    for pod in pods:
        # A node's own pods (static ones) are made by its kubelet, which no injector can change
        if pod.finished or pod.deleting or pod.owner.kind == "Node" or (pod.namespace, pod.owner) in known:
            continue
        owner, uid = pod.owner, pod.maker_uid or pod.uid
        one = Workload(owner.kind, pod.namespace, owner.name, uid, pod.shape, replicas=0, of_pods=True, group=owner.group)
        found.setdefault((pod.namespace, pod.owner), one)
    return tuple(found.values())


class Standing(StrEnum):
    """How a workload's running pods stand to what a new pod would get now."""

    CURRENT = "current"
    STALE = "stale"
    ORPHANED = "orphaned"
    OUTSIDE = "outside"
    """No proxy, and none would come: opted out, or not in the mesh."""
    EMPTY = "empty"
    """No running pods: nothing to compare."""
    GATEWAY = "gateway"
    """A gateway or waypoint: it changes its revision in its own way, and is left alone."""
    UNKNOWN = "unknown"
    """Its pods cannot be seen, or what a new one would get cannot be computed, which is left to the probe: neither stale nor orphaned."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A workload with its running pods and what would become of a new one."""

    workload: Workload
    pods: tuple[Pod, ...]
    decision: Decision
    version: str | None
    """What version a new pod's proxy would have; None where that is unknown."""
    seen: bool = True
    """Its pods can be seen: without that, none is not known to be none."""

    @property
    def proxies(self) -> dict[str, int]:
        """How many pods run which revision's proxy."""
        return dict(Counter(pod.proxy.revision or "unknown" for pod in self.pods if pod.proxy))

    @property
    def standing(self) -> Standing:
        """Stale: a new pod would get another revision or version than a running one has. Orphaned: it has a proxy and would get none."""
        if self.workload.gateway:
            return Standing.GATEWAY
        if not self.seen:
            return Standing.UNKNOWN
        if not self.pods:
            return Standing.EMPTY
        if not self.decision.known:
            return Standing.UNKNOWN
        if self.decision.revision is None:
            return Standing.ORPHANED if any(pod.proxy for pod in self.pods) else Standing.OUTSIDE
        return Standing.CURRENT if all(map(self.as_wanted, self.pods)) else Standing.STALE

    def as_wanted(self, pod: Pod) -> bool:
        """Whether a pod has what a new one would get; what is unknown of either is not wrong, such as an image that tells no version."""
        if not self.decision.known:
            return True
        if self.decision.revision is None:
            return pod.proxy is None
        if pod.proxy is None or pod.proxy.revision != self.decision.revision:
            return False
        return self.version is None or pod.proxy.version is None or pod.proxy.version == self.version


def judge(workload: Workload, pods: Iterable[Pod], decision: Decision, version: str | None) -> Judged:
    """``version`` is that of the deciding control plane; it says nothing where the template sets the proxy's image itself."""
    running = tuple(pod for pod in pods if not pod.finished and not pod.deleting)
    return Judged(workload, running, decision, None if workload.proxy_image_set else version)
