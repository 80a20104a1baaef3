# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small meshes for the tests of the pure domain, in the terms of the domain."""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import entries
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Pod, Proxy, Workload

OLD, NEW = "default", "1-30-3"


def unrevisioned() -> Injector:
    """As Helm leaves it: the entries of a revision, and those for ``istio-injection=enabled`` and for pods that ask themselves."""
    return Injector("istio-sidecar-injector", OLD, None, entries(OLD))


def tag(name: str, revision: str) -> Injector:
    return Injector(f"istio-revision-tag-{name}", revision, name, entries(name))


def plane(revision: str, version: str, available: int = 1) -> ControlPlane:
    name = "istiod" if revision == OLD else f"istiod-{revision}"
    one = Workload("Deployment", "istio-system", name, name, PodShape(), available=available, updated=available, total=available)
    return ControlPlane(revision, "istio-system", name, version, one, settings=Settings())


def namespace(name: str, **labels: str) -> Namespace:
    """``injection`` and ``rev`` stand for the two labels."""
    real = {{"injection": INJECTION, "rev": REVISION}.get(key, key): value for key, value in labels.items()}
    return Namespace(name, f"uid-{name}", "1", real, None)


def pod(of: Workload, number: int, proxy: Proxy | None, *, ready: bool = True, waiting: str = "") -> Pod:
    name = f"{of.name}-{number}"
    return Pod(of.namespace, name, f"{of.namespace}/{name}", of.owner[1], of.template, proxy, ready, waiting=waiting)


def proxy(revision: str = OLD, version: str | None = "1.29.6", *, ready: bool = True) -> Proxy:
    return Proxy(revision, version, native=False, ready=ready)


def deployment(name: str, namespace: str, kind: str = "Deployment", labels: Mapping[str, str] | None = None) -> Workload:
    return Workload(kind, namespace, name, f"{namespace}/{name}", PodShape(labels or {}), total=1, updated=1, available=1)


def mesh(
    namespaces: tuple[Namespace, ...], pods: tuple[tuple[Workload, Proxy | None], ...] = (), injectors: tuple[Injector, ...] | None = None
) -> Snapshot:
    """An unrevisioned 1.29.6 with these namespaces, and one pod a workload; each other revision has the version of its name."""
    there = (unrevisioned(),) if injectors is None else injectors
    others = sorted({one.revision for one in there} - {OLD})
    return Snapshot(
        control_planes=(plane(OLD, "1.29.6"), *(plane(revision, revision.replace("-", ".")) for revision in others)),
        injectors=there,
        namespaces=namespaces,
        workloads=tuple(workload for workload, _proxy in pods),
        pods=tuple(pod(workload, 0, proxy) for workload, proxy in pods),
    )
