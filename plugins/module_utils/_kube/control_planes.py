# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane consists of while it starts: Deployment, pods, endpoints, injectors, kept up to date."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import control_plane
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH as WEBHOOKS
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse as injector
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import KINDS, PODS, pod, workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Owner, Pod, Workload


@dataclass(frozen=True, slots=True)
class Endpoints:
    service: str
    ready: int


def follow(cluster: Cluster, istio_namespace: str) -> Follow:
    slices = f"/apis/discovery.k8s.io/v1/namespaces/{istio_namespace}/endpointslices"
    return Follow(
        cluster,
        {
            "control planes": Kind(_in(KINDS["Deployment"], "apps/v1", istio_namespace), _plane),
            "pods": Kind(PODS.replace("/pods", f"/namespaces/{istio_namespace}/pods"), pod),
            "injectors": Kind(WEBHOOKS, injector),
            "endpoints": Kind(slices, _endpoints),
        },
    )


def _in(path: str, group: str, namespace: str) -> str:
    return path.replace(f"{group}/", f"{group}/namespaces/{namespace}/")


def _plane(item: Json) -> ControlPlane | None:
    return control_plane(item, workload("Deployment")(item))


def _endpoints(item: Json) -> Endpoints:
    labels = item["metadata"].get("labels") or {}
    ready = [e for e in item.get("endpoints") or [] if (e.get("conditions") or {}).get("ready")]
    return Endpoints(labels.get("kubernetes.io/service-name", ""), len(ready))


def deployment_of(now: Follow, revision: str) -> Workload | None:
    return next((plane.deployment for plane in now.objects("control planes") if plane and plane.revision == revision), None)


def pods_of(now: Follow, deployment: Workload | None) -> tuple[Pod, ...]:
    owner = Owner("Deployment", deployment.name) if deployment else None
    return tuple(one for one in now.objects("pods") if one.owner == owner and owner)


def injectors(now: Follow) -> tuple[Injector, ...]:
    return tuple(one for one in now.objects("injectors") if one)


def endpoints_of(now: Follow, service: str) -> int:
    return sum(one.ready for one in now.objects("endpoints") if one.service == service)
