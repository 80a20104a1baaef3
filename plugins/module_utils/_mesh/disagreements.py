# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where what is told of a pod's sidecar does not agree: its annotation, its status, the istiods, and what a new pod would get. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.connections import Connections
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Judged, Pod, Workload

NOT_CONNECTED = "not connected"
NONE = "none"
_MOST = 5


class Source(StrEnum):
    """Who says it."""

    STATUS = "status"
    """The annotation ``sidecar.istio.io/status``, beside ``istio.io/rev``."""
    CONNECTION = "connection"
    VERSION = "version"
    """The version that the proxy told its istiod, beside that of its image."""
    PREDICTION = "prediction"
    """What a new pod would get: the workload is stale, or orphaned."""


@dataclass(frozen=True, slots=True)
class Says:
    """What each source says of one pod."""

    pod: str | None
    """The revision of its sidecar by the source that can be relied on most; None where it has none."""
    status: str | None = None
    """Only where that is something else."""
    connected: str | None = None
    """The revision that it is connected to, or ``not connected``; None where that is not known."""
    version: str | None = None
    told: str | None = None
    """The version by its istiod, only where that is something else."""
    gets: str | None = None
    predicted: str = ""
    """The same in words; empty where nothing can be predicted, as for gateways that no injector makes."""

    @property
    def against(self) -> tuple[Source, ...]:
        """The sources that contradict the pod."""
        found = {
            Source.STATUS: self.status is not None,
            Source.CONNECTION: self.pod is not None and self.connected not in (None, self.pod),
            Source.VERSION: self.told is not None,
            Source.PREDICTION: bool(self.predicted) and self.pod != self.gets,
        }
        return tuple(source for source, differs in found.items() if differs)

    def text(self) -> str:
        parts = {
            Source.STATUS: f"its status says {self.status}",
            Source.CONNECTION: "no istiod knows it"
            if self.connected == NOT_CONNECTED
            else f"it is connected to istiod of {self.connected}",
            Source.VERSION: f"its image is of {self.version}, and its istiod was told {self.told}",
            Source.PREDICTION: f"new pods get {self.predicted}",
        }
        has = f"the sidecar is of {self.pod}" if self.pod else "there is no sidecar"
        return "; ".join((has, *(parts[source] for source in self.against)))


@dataclass(frozen=True, slots=True)
class Disagreement:
    """The pods of one workload of which the same is said."""

    workload: Workload
    pods: tuple[str, ...]
    says: Says

    def text(self) -> str:
        return f"{self.workload.path} ({listed(self.pods, _MOST)}): {self.says.text()}"


def disagreements(snapshot: Snapshot, connected: Connections | None = None) -> tuple[Disagreement, ...]:
    """Sorted by workload. Without ``connected`` nothing is known of connections, and nothing is said."""
    found: list[Disagreement] = []
    for judged in sorted(snapshot.judged, key=lambda one: one.workload.path):
        same: dict[Says, list[str]] = defaultdict(list)
        for pod in judged.pods:
            says = _says(judged, pod, connected)
            if says.against:
                same[says].append(pod.name)
        found += [Disagreement(judged.workload, tuple(names), says) for says, names in same.items()]
    return tuple(found)


def _says(judged: Judged, pod: Pod, connected: Connections | None) -> Says:
    proxy, gets = pod.proxy, judged.decision.revision
    comparable = judged.decision.known and judged.workload.gateway in (Gateway.NONE, Gateway.INJECTED)
    predicted = judged.decision.text if comparable else ""
    if proxy is None:
        return Says(None, gets=gets, predicted=predicted)
    revision = proxy.revision or "unknown"
    revisions, told = _connected(pod, connected)
    return Says(
        pod=revision,
        status=proxy.status,
        connected=None if proxy.revision is None else revision if revision in revisions else next(iter(revisions), None),
        version=proxy.version,
        told=told if told and proxy.version and told != proxy.version else None,
        gets=gets,
        predicted=predicted if proxy.revision is not None else "",
    )


def _connected(pod: Pod, connected: Connections | None) -> tuple[tuple[str, ...], str | None]:
    """To which revisions, and the version that they were told.

    One that is not ready may not have come so far, and one whose control plane is elsewhere is connected there.
    """
    if connected is None:
        return (), None
    there = connected.of.get((pod.namespace, pod.name), ())
    if not there:
        here = pod.proxy is not None and any(pod.proxy.revision == one.istiod.revision for one in connected.heard)
        return ((NOT_CONNECTED,) if here and connected.complete and pod.ready else ()), None
    return tuple(revision for revision, _one in there), there[0][1].version
