# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane consists of while it starts: Deployment, pods, endpoints, injectors, kept up to date."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import endpoints
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.objects import RELEASE
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import ISTIOD, control_plane
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH as WEBHOOKS
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse as injector
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import selector
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import POD_HASH, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner, Pod, Workload


@dataclass(frozen=True, slots=True)
class Template:
    """A ReplicaSet: one version of a Deployment's pods."""

    deployment: str
    number: int
    """Counted up by the Deployment; the highest is the newest."""
    pod_hash: str


def follow(cluster: Cluster, istio_namespace: str) -> Follow:
    apps = f"/apis/apps/v1/namespaces/{istio_namespace}"
    return Follow(
        cluster,
        {
            "control planes": Kind(f"{apps}/deployments", _plane),
            "pods": Kind(f"/api/v1/namespaces/{istio_namespace}/pods", pod),
            "injectors": Kind(WEBHOOKS, injector),
            "templates": Kind(f"{apps}/replicasets", _template),
            "endpoints": Kind(endpoints.path(istio_namespace), endpoints.parse),
        },
    )


def _plane(item: Json) -> ControlPlane | None:
    return control_plane(item, workload("Deployment")(item))


def _template(item: Json) -> Template:
    metadata = item["metadata"]
    owner = next((one["name"] for one in metadata.get("ownerReferences") or [] if one.get("controller")), "")
    number = (metadata.get("annotations") or {}).get("deployment.kubernetes.io/revision", "0")
    return Template(owner, int(number), (metadata.get("labels") or {}).get(POD_HASH, ""))


def deployment_of(now: Follow, revision: str) -> Workload | None:
    return next((plane.deployment for plane in now.objects("control planes") if plane and plane.revision == revision), None)


def pods_of(now: Follow, deployment: Workload | None) -> tuple[Pod, ...]:
    """The pods of the newest template: what an older one suffers from is over with it."""
    if deployment is None:
        return ()
    templates = [one for one in now.objects("templates") if one.deployment == deployment.name]
    newest = max(templates, key=lambda one: one.number, default=None)
    if newest is None:
        return ()
    owner = Owner("Deployment", deployment.name)
    return tuple(one for one in now.objects("pods") if one.owner == owner and one.shape.labels.get(POD_HASH) == newest.pod_hash)


def injectors(now: Follow) -> tuple[Injector, ...]:
    return tuple(one for one in now.objects("injectors") if one)


def endpoints_of(now: Follow, service: str) -> int:
    return sum(one.ready for one in now.objects("endpoints") if one.service == service)


def release_of(cluster: Cluster, istio_namespace: str, revision: str) -> str | None:
    """The helm release that the control plane's Deployment belongs to, by its annotation; None for no release, or no Deployment."""
    item = _istiod(cluster, istio_namespace, revision)
    return (item["metadata"].get("annotations") or {}).get(RELEASE) if item else None


def strength_of(cluster: Cluster, istio_namespace: str, revision: str) -> Strength | None:
    """How strong a control plane is now; None where there is none."""
    item = _istiod(cluster, istio_namespace, revision)
    if item is None:
        return None
    labels = item["spec"]["template"]["metadata"].get("labels") or {}
    budgets = cluster.items(f"/apis/policy/v1/namespaces/{istio_namespace}/poddisruptionbudgets")
    budget = next((one["spec"] for one in budgets if selector(one["spec"].get("selector") or {}).matches(labels)), None)
    says = {name: value for name, value in budget.items() if name != "selector"} if budget else None
    return Strength(int(item["spec"].get("replicas", 1)), says)


def _istiod(cluster: Cluster, istio_namespace: str, revision: str) -> Json | None:
    deployments = f"/apis/apps/v1/namespaces/{istio_namespace}/deployments"
    labelled = cluster.items(deployments, labelSelector=",".join(f"{name}={value}" for name, value in ISTIOD.items()))
    return next((one for one in labelled if ((one["metadata"].get("labels") or {}).get(REVISION) or DEFAULT) == revision), None)
