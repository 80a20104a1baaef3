# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a control plane's configuration decides who trusts whom, and what it looks at. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

TRUST_DOMAIN = "cluster.local"
"""What it is where nobody says another (Istio, meshConfig)."""
_MOST = 10


def config_map_of(revision: str) -> str:
    return "istio" if revision == DEFAULT else f"istio-{revision}"


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """None is what is not said there."""

    trust_domain: str = TRUST_DOMAIN
    trust_domain_aliases: tuple[str, ...] = ()
    root_namespace: str | None = None
    discovery_address: str | None = None
    mesh_id: str | None = None
    network: str | None = None
    cluster_name: str | None = None
    ca_address: str | None = None
    """An authority of others; None is istiod itself."""
    discovery_selectors: tuple[Selector, ...] = ()
    """It looks at what one of them matches; none at all match everything."""
    more: Mapping[str, str] = field(default_factory=dict)
    """All else that is said in it, by its key there; each as JSON, since it is only asked whether two say the same."""

    def discovers(self, namespace: Namespace) -> bool:
        """Its own namespace always (Istio, pkg/kube/namespace/filter.go)."""
        chosen = not self.discovery_selectors or any(one.matches(namespace.labels) for one in self.discovery_selectors)
        return chosen or namespace.name == self.root_namespace


def undiscovered(snapshot: Snapshot, configs: Mapping[str, MeshConfig | None]) -> Iterator[Finding]:
    """Namespaces that get the sidecars of a control plane that does not look at them."""
    for revision, config in sorted(configs.items()):
        if config is None:
            continue
        unseen = [name for name in snapshot.injected_by(revision) if not config.discovers(snapshot.namespace[name])]
        if unseen:
            yield warning(
                Topic.MEANING,
                f'Namespaces get sidecars of "{revision}", which does not look at them.',
                where=f"namespaces {listed(sorted(unseen), _MOST)}",
                why=f"meshConfig.discoverySelectors in ConfigMap {config_map_of(revision)} leave them out: "
                "other proxies do not know their Services, and what is configured there counts for nothing",
                do="give them a label that the selectors match, or change the selectors",
            )


def differing_roots(snapshot: Snapshot, trusted: frozenset[str]) -> Iterator[Finding]:
    """Between control planes, or from what is given out to sidecars. What shows no roots is not compared."""
    roots = {revision: _roots(snapshot, revision) for revision in sorted({one.revision for one in snapshot.injectors})}
    known = {revision: found for revision, found in roots.items() if found}
    if len(set(known.values()) | ({trusted} if trusted and known else set())) > 1:
        shown = [f"{revision}: {_short(found)}" for revision, found in known.items()]
        yield warning(
            Topic.MEANING,
            "There is more than one root of trust.",
            where="; ".join([*shown, *([f"given out to sidecars: {_short(trusted)}"] if trusted else [])]),
            why="workloads whose certificates come from different roots refuse each other (mutual TLS)",
            do="give all control planes the same certificate authority (Secret cacerts or istio-ca-secret) before anything moves",
        )


def _roots(snapshot: Snapshot, revision: str) -> frozenset[str]:
    return frozenset(root for one in snapshot.injectors if one.revision == revision for root in one.roots)


def _short(roots: Iterable[str]) -> str:
    return ", ".join(sorted(root[:12] for root in roots))
