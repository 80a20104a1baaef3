# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says of rights, versions, meaning, and of what restarts meet, from facts that are read for it alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import crds, mesh_config, rights, sidecar
from ansible_collections.meshops.istio.plugins.module_utils._kube.around import around
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.referrers import all_pinned
from ansible_collections.meshops.istio.plugins.module_utils._kube.remote import remote_secrets
from ansible_collections.meshops.istio.plugins.module_utils._mesh.agreement import config_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.configured import object_findings, outside_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding
from ansible_collections.meshops.istio.plugins.module_utils._mesh.new_sidecar import sidecar_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_before, predict
from ansible_collections.meshops.istio.plugins.module_utils._mesh.preflight import surrounding_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rights import (
    missing_findings,
    to_install,
    to_move,
    to_prove,
    to_read,
    to_restart,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.versions import crd_findings, version_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Rendering


@dataclass(frozen=True, slots=True)
class Subject:
    """What the findings are about."""

    snapshot: Snapshot
    plan: Plan
    target: Target
    provider: str | None
    """What installs the control plane; None where that is not part of it."""
    rendering: Rendering | None
    shared: Sequence[Json] = ()
    """What of it is applied for all revisions, by consent."""

    @property
    def names(self) -> Sequence[str]:
        return [name for wave in self.plan.waves for name in wave if name in self.snapshot.namespace]


def findings_about(cluster: Cluster, about: Subject) -> Iterator[Finding]:
    yield from _rights(cluster, about)
    snapshot, target, old, names = about.snapshot, about.target, about.plan.old, about.names
    kubernetes = (cluster.get("/version") or {}).get("gitVersion")
    yield from version_findings(snapshot, target, old, names, kubernetes)
    hub = mesh_config.rendered_hub(about.rendering.objects, target.revision) if about.rendering else None
    yield from sidecar_findings(snapshot, target, old, names, hub, kubernetes)
    yield from crd_findings(about.target, crds.served(cluster, "networking.istio.io"), dict(crds.would_be_lowered(cluster, about.shared)))
    yield from _meaning(cluster, about)
    yield from _restarts(cluster, about)


def _rights(cluster: Cluster, about: Subject) -> Iterator[Finding]:
    """Those to read are there, else nothing would be known to plan by."""
    namespace, here = about.target.istio_namespace, about.snapshot.within(about.names)
    ways = [(judged.workload, way) for judged, way in about.plan.ways]
    needed = [*to_move(namespace), *to_restart((judged.workload for judged in here), ways), *to_prove(namespace)]
    if about.provider:
        needed += to_install(namespace, by_helm=about.provider == "helm")
    yield from missing_findings(rights.missing(cluster, needed), (*to_read(), *needed), "the upgrade", rights.UPGRADE)


def _restarts(cluster: Cluster, about: Subject) -> Iterator[Finding]:
    """What a new sidecar asks for is read of what is rendered, else of what is installed already."""
    revision = about.target.revision
    asks = sidecar.rendered(about.rendering.objects, revision) if about.rendering else None
    asks = asks or sidecar.installed(cluster, about.target.istio_namespace, revision)
    there = around(cluster, (judged.workload for judged in about.plan.restarts))
    yield from surrounding_findings(about.plan, about.snapshot, there, asks)


def _meaning(cluster: Cluster, about: Subject) -> Iterator[Finding]:
    snapshot, target, old = about.snapshot, about.target, about.plan.old
    found, unseen = all_pinned(cluster)
    yield from object_findings(found, unseen, snapshot, target.revision, old)
    if old is None or not about.names:
        return
    before = as_before(snapshot, target.revision)
    after = predict(snapshot, target.revision, target.version, about.names)
    namespaces = {plane.revision: plane.namespace for plane in snapshot.control_planes}
    theirs = mesh_config.read(cluster, namespaces.get(old, target.istio_namespace), old)
    ours = mesh_config.rendered(about.rendering.objects, target.revision) if about.rendering else None
    ours = ours or mesh_config.read(cluster, target.istio_namespace, target.revision)
    yield from config_findings(theirs, ours, (old, target.revision), before, after, about.names)
    remote = remote_secrets(cluster, target.istio_namespace)
    stands = target.revision in namespaces
    yield from outside_findings(theirs, remote, snapshot, target.revision, target.istio_namespace, stands=stands)
