# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads all that the verbs decide upon: one list call a kind over the whole cluster."""

from __future__ import annotations

import contextlib
import gc
import typing as t
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import budgets, settings
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, mappings, strings, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, POD_HASH, PODS, image_of, makers, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installer import Marks, installed_by
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import DEPLOYMENT, POD, ControlPlane, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Pod, Workload, family

_AT_A_TIME = 4
ISTIOD = {"app": "istiod"}
DISCOVERY = "discovery"
"""Its container."""
CLUSTER_ID, KUBERNETES = "CLUSTER_ID", "Kubernetes"
"""The name by which istiod knows its own cluster, and the one that it has where none is given."""


def take(cluster: Cluster, *, partly: bool = False) -> Snapshot:
    """Lists are read side by side, as the API server makes one while another is parsed; the longest, of pods, begins first.

    ``partly`` is for who only tells what there is: pods and workloads that this user may not list are unknown then, not an error.
    """
    read_kind = _optional if partly else _whole
    with _nothing_collected(), ThreadPoolExecutor(_AT_A_TIME) as pool:
        pods = pool.submit(read_kind, cluster, Kind(PODS, pod))
        listed = {kind: pool.submit(read_kind, cluster, Kind(path, _listed(kind))) for kind, path in KINDS.items()}
        made = {name: pool.submit(_optional, cluster, maker) for name, maker in makers(()).items()}
        budget = pool.submit(_optional, cluster, Kind(budgets.PATH, budgets.parse))
        injectors, namespaces = pool.submit(all_injectors, cluster), pool.submit(all_namespaces, cluster)
    found: dict[str, list[t.Any] | None] = {name: reading.result() for name, reading in {POD: pods, **listed, **made}.items()}
    read = [one for kind in listed for one in found[kind] or ()]
    planes = tuple(plane for _workload, plane in read if plane)
    if found[DEPLOYMENT] is not None:
        left = _left(found[POD] or (), (one for one, _plane in read))
        found |= {name: _optional(cluster, maker) for name, maker in makers(left).items() if name not in found}
    workloads = [one for one, plane in read if not plane]
    workloads += [one for name in found if name not in (POD, *listed) for one in found[name] or ()]
    found[budgets.KIND] = budget.result()
    own, owned = family(workloads, found[POD] or (), (plane.deployment for plane in planes))
    return Snapshot(
        control_planes=_with_settings(cluster, planes),
        injectors=injectors.result(),
        namespaces=namespaces.result(),
        workloads=own,
        pods=owned,
        budgets=tuple(budget.result() or ()),
        hidden=tuple(name for name, items in found.items() if items is None),
    )


@contextlib.contextmanager
def _nothing_collected() -> Iterator[None]:
    """JSON has no cycles, and what is parsed stays: to look for garbage again and again in it is a fifth of the time of a large mesh."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _whole(cluster: Cluster, kind: Kind) -> list[t.Any]:
    return cluster.values(kind.path, kind.parse, **kind.query)


def _listed(kind: str) -> t.Callable[[Json], tuple[Workload, ControlPlane | None]]:
    parse = workload(kind)

    def both(item: Json) -> tuple[Workload, ControlPlane | None]:
        one = parse(item)
        return one, control_plane(item, one) if kind == "Deployment" else None

    return both


def _left(pods: Iterable[Pod], listed: Iterable[Workload]) -> set[str]:
    """The template hashes of pods whose Deployment is gone."""
    there = {one.owner for one in listed}
    orphans = (one for one in pods if one.owner.kind == "Deployment" and (one.namespace, one.owner) not in there)
    return {one.shape.labels[POD_HASH] for one in orphans if POD_HASH in one.shape.labels}


def _optional(cluster: Cluster, kind: Kind) -> list[t.Any] | None:
    """None for what is not there for this user (403), or not at all (404)."""
    try:
        return _whole(cluster, kind)
    except ApiError as problem:
        if problem.status not in (403, 404):
            raise
        return None


def what_injects(cluster: Cluster, *, partly: bool = False) -> Snapshot:
    """What decides about new pods, and no more: control planes, injectors and namespaces. ``partly`` as for ``take``."""
    selector = ",".join(f"{name}={value}" for name, value in ISTIOD.items())
    parse = workload("Deployment")
    kind = Kind(KINDS[DEPLOYMENT], lambda item: control_plane(item, parse(item)), selector)
    planes = (_optional if partly else _whole)(cluster, kind)
    there = _with_settings(cluster, (plane for plane in planes or () if plane))
    hidden = (DEPLOYMENT,) if planes is None else ()
    return Snapshot(there, all_injectors(cluster), all_namespaces(cluster), (), (), hidden=hidden)


def _with_settings(cluster: Cluster, planes: Iterable[ControlPlane]) -> tuple[ControlPlane, ...]:
    return tuple(replace(plane, settings=settings.of(cluster, plane.namespace, plane.revision)) for plane in planes)


def control_plane(item: Json, deployment: Workload) -> ControlPlane | None:
    """An istiod, by the labels ``app: istiod`` and ``istio.io/rev`` of its Deployment; None for anything else."""
    labels = strings(item, "metadata", "labels")
    if labels.get("app") != ISTIOD["app"]:
        return None
    return ControlPlane(
        revision=labels.get(REVISION) or DEFAULT,
        namespace=deployment.namespace,
        name=deployment.name,
        version=version_of_image(image_of(mapping(item, "spec", "template"), DISCOVERY)),
        deployment=deployment,
        installed=installed_by(_marks(item)),
        cluster_id=_given(item, CLUSTER_ID) or KUBERNETES,
    )


def _marks(item: Json) -> Marks:
    metadata = mapping(item, "metadata")
    managed = (one for one in mappings(metadata, "managedFields") if text(one, "operation") == "Apply")
    return Marks(
        labels=strings(metadata, "labels"),
        annotations=strings(metadata, "annotations"),
        owners=tuple(map(_owner, mappings(metadata, "ownerReferences"))),
        applied_by=frozenset(text(one, "manager") for one in managed),
        image=image_of(mapping(item, "spec", "template"), DISCOVERY),
    )


def _owner(reference: Json) -> str:
    """``GROUP/KIND/NAME``."""
    group = text(reference, "apiVersion").rpartition("/")[0]
    return "/".join((*([group] if group else []), text(reference, "kind"), text(reference, "name")))


def _given(item: Json, variable: str) -> str:
    """The value of an environment variable of its container."""
    containers = (one for one in mappings(item, "spec", "template", "spec", "containers") if text(one, "name") == DISCOVERY)
    given = (one for container in containers for one in mappings(container, "env"))
    return next((text(one, "value") for one in given if text(one, "name") == variable), "")
