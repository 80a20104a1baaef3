# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which proxies are connected to which istiod, as the istiods tell: each knows its own only, so that all are asked. Pure.

One that could not be asked makes the absence of a proxy unknown, never a fault.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, note, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Pod

_MOST = 10
Key = tuple[str, str]
"""Namespace and name of a pod."""


class Sync(StrEnum):
    """Whether a proxy has taken what its istiod has sent."""

    SYNCED = "synced"
    PENDING = "pending"
    """It has not answered to the newest yet: for a moment after each change that is so of each."""
    REFUSED = "refused"
    """It has said no to it (NACK), and goes on with what it had."""


@dataclass(frozen=True, slots=True)
class Connection:
    namespace: str
    pod: str
    cluster: str
    """The cluster of the proxy, by the name that it gives."""
    version: str | None
    sync: Sync
    error: str = ""
    """What the proxy said when it refused."""


@dataclass(frozen=True, slots=True)
class Istiod:
    """One pod of a control plane."""

    namespace: str
    name: str
    revision: str
    running: bool = True

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Heard:
    """What one istiod said; with ``unread``, why it could not be heard."""

    istiod: Istiod
    connections: tuple[Connection, ...] = ()
    unread: str = ""

    def counted(self, sync: Sync) -> int:
        return sum(one.sync is sync for one in self.connections)


@dataclass(frozen=True)
class Connections:
    """Of all istiods that were asked."""

    heard: tuple[Heard, ...]
    of: Mapping[Key, tuple[tuple[str, Connection], ...]]
    """The revisions to which a pod is connected."""

    @property
    def complete(self) -> bool:
        return bool(self.heard) and not any(one.unread for one in self.heard)

    def unknowns(self) -> tuple[str, ...]:
        return tuple(
            f"{one.istiod.path}: its connections could not be read ({one.unread}), so that who is connected to it is not known."
            for one in self.heard
            if one.unread
        )


def connections(heard: Iterable[Heard], snapshot: Snapshot) -> Connections:
    """Proxies of other clusters are left out: a pod of the same name there is another one."""
    own = {plane.revision: plane.cluster_id for plane in snapshot.control_planes}
    found: dict[Key, list[tuple[str, Connection]]] = defaultdict(list)
    known = tuple(heard)
    for one in known:
        cluster = own.get(one.istiod.revision)
        for connection in one.connections:
            if not cluster or not connection.cluster or connection.cluster == cluster:
                found[connection.namespace, connection.pod].append((one.istiod.revision, connection))
    return Connections(known, {key: tuple(those) for key, those in found.items()})


def with_versions(snapshot: Snapshot, connected: Connections) -> Snapshot:
    """With the versions that istiods are told by proxies whose image tells none."""
    return replace(snapshot, pods=tuple(_told(pod, connected) for pod in snapshot.pods))


def _told(pod: Pod, connected: Connections) -> Pod:
    if pod.proxy is None or pod.proxy.version is not None:
        return pod
    version = next((one.version for _revision, one in connected.of.get((pod.namespace, pod.name), ()) if one.version), None)
    return replace(pod, proxy=replace(pod.proxy, version=version)) if version else pod


def refusals(connected: Connections) -> Iterator[Finding]:
    """Proxies that do not take what they are sent, and those that have not yet."""
    refused = [(one.istiod, c) for one in connected.heard for c in one.connections if c.sync is Sync.REFUSED]
    pending = [f"{c.namespace}/{c.pod}" for one in connected.heard for c in one.connections if c.sync is Sync.PENDING]
    if refused:
        istiod, first = refused[0]
        yield warning(
            Topic.PROXIES,
            "Proxies refuse the configuration that their istiod sends.",
            where=listed([f"{c.namespace}/{c.pod}" for _istiod, c in refused], _MOST),
            why=f"they go on with what they had, and see no change any more; {first.pod} says: {first.error or 'nothing'}",
            do=f"find the object behind it: kubectl -n {istiod.namespace} logs {istiod.name}; an EnvoyFilter is a usual one",
        )
    if pending:
        yield note(
            Topic.PROXIES,
            "Some proxies had not taken the newest configuration yet.",
            where=listed(pending, _MOST),
            why="that is so for a moment after each change; where it stays, the proxy or its istiod is too busy or cut off",
            do="look again: what is still there then needs a look at its logs",
        )
