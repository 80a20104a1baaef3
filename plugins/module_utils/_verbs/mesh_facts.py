# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was found of a mesh as plain values, for the result of mesh_info: one function for each part of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._mesh.disagreements import Disagreement
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installer import Installed, managed_by
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import DATAPLANE_MODE
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import Validator
from ansible_collections.meshops.istio.plugins.module_utils._mesh.wishes import wish
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing

Fact = dict[str, object]


def control_planes(snapshot: Snapshot, services: Services) -> list[Fact]:
    """Those of Deployments, and those that are only called by a url, so that nothing of them runs here."""
    here = [_control_plane(plane, snapshot, services) for plane in snapshot.control_planes]
    revisions = {plane.revision for plane in snapshot.control_planes}
    elsewhere = {one.revision: one for one in snapshot.injectors if one.url and not one.tag and one.revision not in revisions}
    return [*here, *(_elsewhere(injector, snapshot, services) for injector in elsewhere.values())]


def _control_plane(plane: ControlPlane, snapshot: Snapshot, services: Services) -> Fact:
    return {
        "revision": plane.revision,
        "namespace": plane.namespace,
        "name": plane.name,
        "version": plane.version,
        "ready": plane.ready,
        "replicas": {"wanted": plane.deployment.replicas, "ready": plane.deployment.available},
        **_common(plane.revision, snapshot, services, plane.installed),
    }


def _elsewhere(injector: Injector, snapshot: Snapshot, services: Services) -> Fact:
    nothing: Fact = dict.fromkeys(("namespace", "name", "version", "ready", "replicas"))
    return {"revision": injector.revision, **nothing, **_common(injector.revision, snapshot, services, _manager(injector))}


def _manager(injector: Injector) -> Installed:
    return managed_by(injector.revision, injector.url or "")


def _common(revision: str, snapshot: Snapshot, services: Services, installed: Installed) -> Fact:
    injectors = [one for one in snapshot.injectors if one.revision == revision]
    tags = {one.tag for one in injectors if one.tag} | {one.tag for one in services.tags if one.tag and one.revision == revision}
    return {
        "tags": sorted(tags),
        "installed_by": str(installed.by),
        "evidence": installed.evidence,
        "ca_roots": sorted({root for one in injectors for root in one.roots}),
    }


def injectors(snapshot: Snapshot, services: Services) -> list[Fact]:
    return [
        {
            "name": one.name,
            "revision": one.revision,
            "tag": one.tag,
            "default": one.alias == DEFAULT and not one.disabled,
            "legacy": one.legacy,
            "disabled": one.disabled,
            "service": one.service,
            "namespace": one.namespace or None,
            "service_exists": services.there(one.namespace, one.service),
            "endpoints": services.ready(one.namespace, one.service),
            "url": one.url,
            "port": one.port if one.service else None,
            "path": one.path if one.service else None,
            "ca": all(entry.has_ca for entry in one.entries),
            "entries": [{"name": entry.name, "rules": list(entry.rules), "ca": entry.has_ca} for entry in one.entries],
        }
        for one in sorted(snapshot.injectors, key=lambda one: one.name)
    ]


def validators(found: Iterable[Validator], services: Services) -> list[Fact]:
    return [
        {
            "name": one.name,
            "revision": one.revision,
            "tag": one.tag,
            "default": one.default,
            "failure_policy": one.failure_policy,
            "service": one.service,
            "namespace": one.namespace or None,
            "service_exists": services.there(one.namespace, one.service),
            "endpoints": services.ready(one.namespace, one.service),
            "url": one.url,
            "port": one.port if one.service else None,
            "path": one.path if one.service else None,
            "ca": one.has_ca,
        }
        for one in sorted(found, key=lambda one: one.name)
    ]


def namespaces(snapshot: Snapshot) -> list[Fact]:
    return [
        {
            "name": one.name,
            "labels": one.asks.labels(),
            "outcome": str(snapshot.gets(one.name).outcome),
            "gets": snapshot.gets(one.name).revision,
            "why": snapshot.gets(one.name).sentence,
            "refused": snapshot.gets(one.name).refused or None,
            "injectors": [injector.name for injector in snapshot.gets(one.name).asked],
            "ambient": one.labels.get(DATAPLANE_MODE) == "ambient",
            "prior": one.prior.labels() if one.prior else None,
        }
        for one in snapshot.namespaces
    ]


def workloads(snapshot: Snapshot) -> list[Fact]:
    """What has a proxy, or could have one. What is a proxy itself stands among the gateways."""
    return [_workload(judged) for judged in snapshot.judged if not judged.workload.gateway]


def gateways(snapshot: Snapshot) -> list[Fact]:
    found = [(judged, _workload(judged)) for judged in snapshot.judged if judged.workload.gateway]
    return [{**fact, "type": str(judged.workload.gateway)} for judged, fact in found]


def _workload(judged: Judged) -> Fact:
    one, standing = judged.workload, judged.standing
    proxies = [pod.proxy for pod in judged.pods if pod.proxy]
    forms = {"native" if proxy.native else "container" for proxy in proxies}
    unseen: Fact = {} if judged.seen else dict.fromkeys(("pods", "proxies", "versions", "sidecar", "stale"))
    return {
        "kind": one.kind,
        "group": one.group,
        "namespace": one.namespace,
        "name": one.name,
        "path": one.path,
        "asks": str(wish(one.template, judged.version)),
        "outcome": str(judged.decision.outcome),
        "gets": judged.decision.revision,
        "why": judged.decision.sentence,
        "gets_version": judged.version,
        "refused": judged.decision.refused or None,
        "pods": len(judged.pods),
        "proxies": judged.proxies,
        "versions": dict(Counter(proxy.version or "unknown" for proxy in proxies)),
        "sidecar": "mixed" if len(forms) > 1 else next(iter(forms), None),
        "standing": str(standing),
        "stale": standing is Standing.STALE,
        **unseen,
    }


def findings(found: Iterable[Finding]) -> list[Fact]:
    return [
        {"weight": str(one.weight), "topic": str(one.topic), "what": one.what, "where": one.where, "why": one.why, "do": one.do}
        for one in found
    ]


def disagreements(found: Iterable[Disagreement]) -> list[Fact]:
    return [
        {
            "path": one.workload.path,
            "namespace": one.workload.namespace,
            "pods": list(one.pods),
            "revision": one.says.pod,
            "against": [str(source) for source in one.says.against],
            "status": one.says.status,
            "connected": one.says.connected,
            "version": one.says.version,
            "reported_version": one.says.told,
            "gets": one.says.gets,
            "text": one.says.text(),
        }
        for one in found
    ]
