# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what two control planes must agree that serve one mesh beside each other. Pure.

Sources: Istio's MeshConfig; istio.md 9 (discoverySelectors, CA, multi-cluster). Each revision has its own ConfigMaps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import GIVEN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import MeshConfig, config_map_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

_NONE = '""'


def config_findings(
    old: MeshConfig | None, new: MeshConfig | None, revisions: tuple[str, str], before: Snapshot, after: Snapshot, names: Sequence[str]
) -> Iterator[Finding]:
    """``revisions`` are the old one and the new one. A configuration that is not known is None."""
    unknown = [revision for revision, config in zip(revisions, (old, new), strict=True) if config is None]
    if unknown:
        which = " and ".join(f'"{revision}"' for revision in unknown)
        why = "its ConfigMap cannot be read, or is not there yet" if len(unknown) == 1 else "their ConfigMaps cannot be read"
        what = f"The mesh configuration of {which} is not known, and so not compared"
        yield warning(Topic.MEANING, what, why=f"{why}: trust domain, network and the like may differ", do="compare them yourself")
    if old is None or new is None:
        return
    yield from _trust(old, new, revisions)
    yield from _network(old, new, revisions)
    for what, was, now, why, do in (
        ("mesh ID", old.mesh_id, new.mesh_id, "telemetry and other meshes tell this one by it", "global.meshID"),
        ("cluster name", old.cluster_name, new.cluster_name, "endpoints and remote secrets go by it", "global.multiCluster.clusterName"),
        ("address of the CA", old.ca_address, new.ca_address, "what restarts gets its certificates from another CA", "global.caAddress"),
    ):
        if was != now:
            where = f"{revisions[0]}: {was or 'none'}; {revisions[1]}: {now or 'none'}"
            yield warning(
                Topic.MEANING,
                f"The new control plane has another {what}",
                where=where,
                why=why,
                do=f"set {do}: {was or _NONE} in {GIVEN}",
            )
    yield from _discovery(old, new, revisions, before, after, names)
    yield from _more(old, new, revisions)


def _more(old: MeshConfig, new: MeshConfig, revisions: tuple[str, str]) -> Iterator[Finding]:
    """By their keys alone: what they say may be anybody's address or login."""
    other = sorted(key for key in {*old.more, *new.more} if old.more.get(key) != new.more.get(key))
    if other:
        yield warning(
            Topic.MEANING,
            "The mesh configuration of the new control plane says something else",
            where=f"ConfigMaps {' and '.join(map(config_map_of, revisions))}, key mesh: {', '.join(other)}",
            why="what moves may reach, log, trace or refuse other things than before",
            do=f"where that is not meant, give the new one what the old one has there: meshConfig in {GIVEN}",
        )


def _trust(old: MeshConfig, new: MeshConfig, revisions: tuple[str, str]) -> Iterator[Finding]:
    where = f"{revisions[0]}: {_domains(old)}; {revisions[1]}: {_domains(new)}"
    if old.trust_domain != new.trust_domain:
        both = old.trust_domain in _names(new) and new.trust_domain in _names(old)
        why = "what has moved and what has not name each other by other principals, so that policies match no more"
        do = f"set meshConfig.trustDomain: {old.trust_domain} in {GIVEN}, or name each as an alias of the other (trustDomainAliases)"
        yield (warning if both else blocker)(Topic.MEANING, "The new control plane has another trust domain.", where=where, why=why, do=do)
    lost = _names(old) - _names(new) - ({old.trust_domain} if old.trust_domain != new.trust_domain else set())
    if lost:
        why = f"policies and peers by {', '.join(sorted(lost))} match no more for what has moved"
        do = f"set meshConfig.trustDomainAliases: [{', '.join(sorted(old.trust_domain_aliases))}] in {GIVEN}"
        yield blocker(Topic.MEANING, "The new control plane lacks aliases of the trust domain.", where=where, why=why, do=do)


def _domains(config: MeshConfig) -> str:
    aliases = sorted(config.trust_domain_aliases)
    return config.trust_domain + (f" (aliases {', '.join(aliases)})" if aliases else "")


def _names(config: MeshConfig) -> frozenset[str]:
    return frozenset({config.trust_domain, *config.trust_domain_aliases})


def _network(old: MeshConfig, new: MeshConfig, revisions: tuple[str, str]) -> Iterator[Finding]:
    if old.network != new.network:
        yield blocker(
            Topic.MEANING,
            "The new control plane is on another network.",
            where=f"{revisions[0]}: {old.network or 'none'}; {revisions[1]}: {new.network or 'none'}",
            why="what has moved would reach what has not through a gateway between networks only, and there may be none",
            do=f"set global.network: {old.network or _NONE} in {GIVEN}",
        )


def _discovery(
    old: MeshConfig, new: MeshConfig, revisions: tuple[str, str], before: Snapshot, after: Snapshot, names: Sequence[str]
) -> Iterator[Finding]:
    """By the labels that each has when it has moved: selectors often ask for the very labels that the move changes."""
    blind = [name for name in names if not new.discovers(after.namespace[name])]
    if blind:
        yield blocker(
            Topic.MEANING,
            "The new control plane would not see namespaces that move to it.",
            where=f"discoverySelectors of {revisions[1]}; namespaces {listed(blind, most=10)}, by their labels after the move",
            why="their proxies would be told of nothing that is in them",
            do=f"correct meshConfig.discoverySelectors in {GIVEN}, so that they match istio.io/rev of the new revision too",
        )
    lost = [n.name for n in before.namespaces if n.name not in names and not n.deleting and old.discovers(n) and not new.discovers(n)]
    if lost:
        yield warning(
            Topic.MEANING,
            "The new control plane sees less than the old one",
            where=f"discoverySelectors; namespaces {listed(sorted(lost), most=10)}",
            why="what has moved knows nothing any more of the services there",
            do=f"give it the same: meshConfig.discoverySelectors in {GIVEN}",
        )
    late = [
        name for name in names if name not in blind and not old.discovers(after.namespace[name]) and old.discovers(before.namespace[name])
    ]
    if late:
        yield blocker(
            Topic.MEANING,
            "The old control plane would lose sight of namespaces when they move.",
            where=f"discoverySelectors of {revisions[0]}; namespaces {listed(late, most=10)}, by their labels after the move",
            why="what has not moved or restarted yet would find no endpoints there",
            do=f"widen the discoverySelectors of {revisions[0]} first, so that they do not ask for the labels that the move changes",
        )
