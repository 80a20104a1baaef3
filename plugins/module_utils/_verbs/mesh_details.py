# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mesh_info asks for only on request, since it costs more than a list: read, judged, and as plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import istiods, mesh_config
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, unless_forbidden
from ansible_collections.meshops.istio.plugins.module_utils._kube.referrers import all_pinned
from ansible_collections.meshops.istio.plugins.module_utils._kube.roots import CONFIGMAP, trusted
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import rendered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.connections import Connections, Sync, connections, refusals
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, note
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import (
    MeshConfig,
    config_map_of,
    differing_roots,
    undiscovered,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.pinned import reader, unread
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Pinned
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import DEPLOYMENT, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.subsets import Subset


@dataclass(frozen=True, slots=True)
class Details:
    """None is what was not asked for."""

    versions: tuple[istiods.Said, ...] | None = None
    connected: Connections | None = None
    configs: Mapping[str, MeshConfig | None] | None = None
    roots: frozenset[str] | None = None
    """What sidecars in the Istio namespace trust; None also where that could not be seen."""
    istiods: bool = True
    """Whether their pods could be listed."""
    pinned: tuple[Pinned, ...] | None = None
    hidden: tuple[str, ...] = ()

    def unknowns(self) -> Iterator[str]:
        for said in self.versions or ():
            if said.unread:
                yield f"{said.istiod.path}: its version could not be asked ({said.unread})."
        for revision, config in (self.configs or {}).items():
            if config is None:
                yield f"ConfigMap {config_map_of(revision)}: it could not be read, so that the mesh config of {revision} is not known."
        if self.configs is not None and self.roots is None:
            yield f"ConfigMap {CONFIGMAP}: this user may not see it, so that it is not known which roots sidecars trust."
        if not self.istiods:
            yield "The pods of istiod: this user may not list them, so that none could be asked."
        for resource in self.hidden:
            yield f"{resource}: this user may not list any, so that what there is of them is not known."
        if self.connected:
            yield from self.connected.unknowns()

    def findings(self, snapshot: Snapshot, services: Services) -> Iterator[Finding]:
        if self.connected:
            yield from refusals(self.connected)
        if self.configs is not None:
            yield from undiscovered(snapshot, self.configs)
        if self.roots is not None:
            yield from differing_roots(snapshot, self.roots)
        yield from unread(self.pinned or (), snapshot, services)
        yield from self._other_versions(snapshot)

    def _other_versions(self, snapshot: Snapshot) -> Iterator[Finding]:
        for said in self.versions or ():
            image = snapshot.versions.get(said.istiod.revision)
            if image and said.version and said.version != image:
                yield note(
                    Topic.VERSIONS,
                    f"An istiod is {said.version}, and its image says {image}.",
                    where=said.istiod.path,
                    why="the tag of an image is only a name; or its Deployment is being rolled out",
                    do=f"what it says itself counts: {said.version}",
                )

    def of_plane(self, revision: str) -> dict[str, object]:
        told: dict[str, object] = {}
        if self.versions is not None:
            said = (one.version or "unknown" for one in self.versions if one.istiod.revision == revision)
            told["reported_versions"] = dict(Counter(said))
        if self.configs is not None:
            config = self.configs.get(revision)
            told["mesh_config"] = _config(config) if config else None
        return told

    def of_namespace(self, namespace: Namespace) -> dict[str, object]:
        if self.configs is None:
            return {}
        return {"discovered_by": [revision for revision, config in self.configs.items() if config and config.discovers(namespace)]}

    def facts(self, snapshot: Snapshot, services: Services) -> dict[str, object]:
        told: dict[str, object] = {}
        if self.configs is not None:
            told["trusted_roots"] = None if self.roots is None else sorted(self.roots)
        if self.pinned is not None:
            told["objects"] = [
                {
                    "resource": one.resource,
                    "namespace": one.namespace,
                    "name": one.name,
                    "revision": one.revision,
                    "read_by": reader(one, snapshot, services) or (None if snapshot.sees(DEPLOYMENT) else "unknown"),
                }
                for one in self.pinned
            ]
        if self.connected:
            told["connections"] = _connections(self.connected)
        return told


def read(cluster: Cluster, subsets: frozenset[Subset], snapshot: Snapshot, istio_namespace: str) -> Details:
    asked = subsets & {Subset.VERSIONS, Subset.CONNECTIONS}
    listed = unless_forbidden(lambda: istiods.all_istiods(cluster)) if asked else ()
    found = listed or ()
    configured = Subset.MESH_CONFIG in subsets
    pinned, hidden = all_pinned(cluster) if Subset.OBJECTS in subsets else (None, ())
    return Details(
        versions=istiods.versions(cluster, found) if Subset.VERSIONS in asked else None,
        connected=connections(istiods.heard(cluster, found), snapshot) if Subset.CONNECTIONS in asked else None,
        configs={p.revision: mesh_config.read(cluster, p.namespace, p.revision) for p in snapshot.control_planes} if configured else None,
        roots=unless_forbidden(lambda: trusted(cluster, istio_namespace)) if configured else None,
        istiods=listed is not None,
        pinned=pinned,
        hidden=hidden,
    )


def _config(config: MeshConfig) -> dict[str, object]:
    return asdict(config) | {
        "trust_domain_aliases": list(config.trust_domain_aliases),
        "discovery_selectors": [rendered(one) for one in config.discovery_selectors],
    }


def _connections(connected: Connections) -> list[dict[str, object]]:
    return [
        {
            "revision": one.istiod.revision,
            "namespace": one.istiod.namespace,
            "pod": one.istiod.name,
            "read": not one.unread,
            "why": one.unread or None,
            "proxies": None if one.unread else len(one.connections),
            **{str(sync): None if one.unread else one.counted(sync) for sync in Sync},
            "versions": dict(Counter(c.version or "unknown" for c in one.connections)),
        }
        for one in connected.heard
    ]
