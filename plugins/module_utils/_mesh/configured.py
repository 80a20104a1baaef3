# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of Istio that one revision alone reads, and what stands outside of the control planes and must know the new one. Pure.

Istio reads an object with ``istio.io/rev`` by equality alone: without the label all revisions read it, and by a tag none does
(pilot/pkg/config/kube/crdclient/client.go, pkg/config/model.go ``LabelsInRevision``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, note, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import MeshConfig
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Pinned
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed

_ISTIO_CSR = "cert-manager-istio-csr"


def object_findings(
    found: Iterable[Pinned], unseen: Collection[str], snapshot: Snapshot, revision: str, old: str | None
) -> Iterator[Finding]:
    """``unseen`` are kinds that this user may not list."""
    by_kind: dict[tuple[str, str], list[Pinned]] = defaultdict(list)
    all_of_them = tuple(found)
    for one in all_of_them:
        by_kind[one.resource, one.revision].append(one)
    tags = {injector.tag for injector in snapshot.injectors if injector.tag}
    new = [one for one in all_of_them if one.revision == revision]
    for (kind, label), those in sorted(by_kind.items()):
        if not those[0].of_istio:
            continue  # its controller goes by tags too, and nothing of it moves with a wave
        if label == old:
            kept = [one for one in those if any(_stands_for(other, one) for other in new)]
            yield from _lost(kind, label, [one for one in those if one not in kept], revision)
            yield from _twins(kind, label, kept, revision)
        elif label == revision:
            why = "nothing has read them so far, and what has moved is under them"
            yield warning(Topic.MEANING, f"{_named(those)} begin to count: {REVISION}={label}", why=why, do="check that they are meant to")
        elif label in tags:
            why = "objects are read by the name of a revision, never by that of a tag"
            do = f"kubectl label {kind} {those[0].name} -n {those[0].namespace} {REVISION}-"
            yield warning(Topic.MEANING, f"{_named(those)} are read by no control plane: {REVISION}={label} is a tag", why=why, do=do)
    if unseen:
        why = "one that the old revision alone reads would be lost to what moves"
        do = "let this user list them, or look yourself for objects with the label " + REVISION
        yield warning(Topic.MEANING, f"Which objects have {REVISION} is not known of {listed(sorted(unseen), most=10)}", why=why, do=do)


def _stands_for(new: Pinned, old: Pinned) -> bool:
    """What is for a version of the proxy (EnvoyFilter, WasmPlugin) is written anew for each; what secures must say the same."""
    return (new.resource, new.namespace) == (old.resource, old.namespace) and (not old.secures or new.says == old.says)


def _lost(kind: str, label: str, those: list[Pinned], revision: str) -> Iterator[Finding]:
    if those:
        yield blocker(
            Topic.MEANING,
            f"{_named(those)} would be lost to what moves.",
            where=f"label {REVISION}={label}",
            why=f'"{revision}" reads no object with that label' + (": what they forbid would be allowed" if those[0].secures else ""),
            do=f"have both read them: kubectl label {kind} {those[0].name} -n {those[0].namespace} {REVISION}-; or add copies for it",
        )


def _twins(kind: str, label: str, those: list[Pinned], revision: str) -> Iterator[Finding]:
    if those:
        like = "which say the same" if those[0].secures else "which are taken for their like: compare them"
        why = f"there are others with {REVISION}={revision} beside them, {like}"
        yield warning(Topic.MEANING, f"{_named(those)} are not read by the new control plane: {REVISION}={label}", why=why)


def _named(those: list[Pinned]) -> str:
    """``2 authorizationpolicies.security.istio.io (pay/deny, pay/allow)``."""
    return f"{len(those)} {those[0].resource} ({listed([f'{one.namespace}/{one.name}' for one in those], most=5)})"


def outside_findings(
    config: MeshConfig | None, remote: int | None, snapshot: Snapshot, revision: str, istio_namespace: str, *, stands: bool
) -> Iterator[Finding]:
    """``remote`` is how many remote secrets there are, None where that is not known; ``stands``: the new control plane is there already."""
    if remote is None:
        yield warning(Topic.MEANING, "Whether there are remote clusters is not known", why="this user may not list Secrets there")
    elif remote:
        yield warning(
            Topic.MEANING,
            f"There are remote clusters: {count(remote, 'remote secret')}",
            where=f"Secrets with istio/multiCluster=true in namespace {istio_namespace}",
            why="the new control plane reads them too, and a remote cluster whose pods it injects must reach it",
            do=f"check in each remote cluster that its reader account is still bound, and what istiod-{revision} is reached by there",
        )
    csr = next((one for one in snapshot.workloads if one.kind == "Deployment" and one.name == _ISTIO_CSR), None)
    if csr:
        yield warning(
            Topic.MEANING,
            "Certificates come from istio-csr, which must know the new revision",
            where=f"Deployment {csr.namespace}/{csr.name}",
            why=f"it signs for istiod-{revision}.{istio_namespace}.svc only where app.istio.revisions names it; else that does not start",
            do=f"add {revision} to its values first: app.istio.revisions",
        )
    elif config and config.ca_address and "istiod" not in config.ca_address:
        yield warning(
            Topic.MEANING,
            "Certificates come from a CA outside of the mesh",
            where=f"global.caAddress: {config.ca_address}",
            why=f"it must know the names of the new control plane: istiod-{revision}.{istio_namespace}.svc",
            do="see to it before the first wave; the proof of the new control plane shows whether it is so",
        )
    if not stands:
        why = "it is known only once the new control plane runs; it is compared then, before anything moves, and another one ends it there"
        yield note(Topic.MEANING, "Whether both control planes have the same root of trust is a gate of its own", why=why)
