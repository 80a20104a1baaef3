# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads, their pods and their proxies, and which of them are stale. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, PodShape

SHORT = {
    "Deployment": "deploy",
    "StatefulSet": "sts",
    "DaemonSet": "ds",
    "Job": "job",
    "ReplicaSet": "rs",
    "ReplicationController": "rc",
    "Pod": "pod",
}


@dataclass(frozen=True, slots=True)
class Proxy:
    """The sidecar that a pod really has."""

    revision: str | None
    version: str | None
    """None where the image's tag tells nothing."""
    native: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Owner:
    kind: str
    name: str


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
    gateway: bool = False
    """It is a proxy itself, not something that has one: a gateway or a waypoint."""

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
        return self.namespace, Owner(self.kind, self.name)


def unlisted(pods: Iterable[Pod], listed: Iterable[Workload]) -> tuple[Workload, ...]:
    """What runs pods without being of a listed kind: bare pods, Jobs, ReplicaSets of nobody, kinds of operators.

    The pod itself stands for the template: injection changes nothing that the decision depends on.
    """
    known = {workload.owner for workload in listed}
    found: dict[tuple[str, Owner], Workload] = {}
    for pod in pods:
        if pod.finished or pod.deleting or (pod.namespace, pod.owner) in known:
            continue
        one = Workload(pod.owner.kind, pod.namespace, pod.owner.name, pod.uid, pod.shape, replicas=0, of_pods=True)
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


@dataclass(frozen=True, slots=True)
class Judged:
    """A workload with its running pods and what would become of a new one."""

    workload: Workload
    pods: tuple[Pod, ...]
    decision: Decision
    version: str | None
    """What version a new pod's proxy would have; None where that is unknown."""

    @property
    def proxies(self) -> dict[str, int]:
        """How many pods run which revision's proxy."""
        return dict(Counter(pod.proxy.revision or "unknown" for pod in self.pods if pod.proxy))

    @property
    def standing(self) -> Standing:
        """Stale: a new pod would get another revision or version than a running one has. Orphaned: it has a proxy and would get none."""
        if self.workload.gateway:
            return Standing.GATEWAY
        if not self.pods:
            return Standing.EMPTY
        if self.decision.revision is None:
            return Standing.ORPHANED if any(pod.proxy for pod in self.pods) else Standing.OUTSIDE
        return Standing.CURRENT if all(map(self.as_wanted, self.pods)) else Standing.STALE

    def as_wanted(self, pod: Pod) -> bool:
        """Whether a pod has what a new one would get; an image that tells no version is unknown, not wrong."""
        if self.decision.revision is None:
            return pod.proxy is None
        if pod.proxy is None or pod.proxy.revision != self.decision.revision:
            return False
        return self.version is None or pod.proxy.version is None or pod.proxy.version == self.version


def judge(workload: Workload, pods: Iterable[Pod], decision: Decision, version: str | None) -> Judged:
    """``version`` is that of the deciding control plane; it says nothing where the template sets the proxy's image itself."""
    running = tuple(pod for pod in pods if not pod.finished and not pod.deleting)
    return Judged(workload, running, decision, None if workload.proxy_image_set else version)
