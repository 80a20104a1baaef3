# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads, their pods and their proxies, and which of them are stale. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
    owner: Owner | None
    """The workload: a ReplicaSet of a Deployment counts as the Deployment."""
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

    @property
    def short(self) -> str:
        return f"{SHORT.get(self.kind, self.kind.lower())}/{self.name}"


class Standing(StrEnum):
    """How a workload's running pods stand to what a new pod would get now."""

    CURRENT = "current"
    STALE = "stale"
    ORPHANED = "orphaned"
    OUTSIDE = "outside"
    """No proxy, and none would come: opted out, or not in the mesh."""
    EMPTY = "empty"
    """No running pods: nothing to compare."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A workload with its pods and what would become of a new one."""

    workload: Workload
    pods: tuple[Pod, ...]
    decision: Decision
    standing: Standing
    proxies: Mapping[str, int] = field(default_factory=dict)
    """How many pods run which revision's proxy."""


def judge(workload: Workload, pods: Iterable[Pod], decision: Decision, version: str | None) -> Judged:
    """Stale: a new pod would get another revision or version than a running one has. Orphaned: it has a proxy and would get none."""
    running = tuple(pod for pod in pods if not pod.finished and not pod.deleting)
    proxies: dict[str, int] = {}
    for pod in running:
        if pod.proxy:
            name = pod.proxy.revision or "unknown"
            proxies[name] = proxies.get(name, 0) + 1
    return Judged(workload, running, decision, _standing(workload, running, decision, version), proxies)


def _standing(workload: Workload, pods: tuple[Pod, ...], decision: Decision, version: str | None) -> Standing:
    if not pods:
        return Standing.EMPTY
    if decision.revision is None:
        return Standing.ORPHANED if any(pod.proxy for pod in pods) else Standing.OUTSIDE
    known = None if workload.proxy_image_set else version
    return Standing.STALE if any(not _as_wanted(pod, decision.revision, known) for pod in pods) else Standing.CURRENT


def _as_wanted(pod: Pod, revision: str, version: str | None) -> bool:
    if pod.proxy is None or pod.proxy.revision != revision:
        return False
    return version is None or pod.proxy.version is None or pod.proxy.version == version


def proxy_faults(judged: Judged, revision: str | None, version: str | None) -> tuple[str, ...]:
    """What keeps a workload from being proved: every pod Ready, with a ready sidecar of the wanted revision and version."""
    wanted = revision or judged.decision.revision
    if wanted is None:
        return ()
    faults = []
    for pod in judged.pods:
        at = f"{judged.workload.namespace}/{pod.name}"
        if pod.proxy is None:
            faults.append(f"{at}: no sidecar")
        elif pod.proxy.revision != wanted:
            faults.append(f"{at}: sidecar of {pod.proxy.revision or 'an unknown revision'}, not of {wanted}")
        elif version and pod.proxy.version and pod.proxy.version != version:
            faults.append(f"{at}: sidecar of version {pod.proxy.version}, not {version}")
        elif not pod.ready or not pod.proxy.ready:
            faults.append(f"{at}: not ready{' (' + pod.waiting + ')' if pod.waiting else ''}")
    return tuple(faults)
