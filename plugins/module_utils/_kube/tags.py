# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs to a tag, each part as it is written: its injector, its Service, and for ``default`` the cluster-wide validator."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import configurations
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.configurations import Target, target_of
from ansible_collections.meshops.istio.plugins.module_utils._kube.disabled import disabled
from ansible_collections.meshops.istio.plugins.module_utils._kube.ensure import Written, ensure
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import ISTIOD, control_plane
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH, VALIDATORS, helm_release_of
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import ControlPlane
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import DEFAULT_VALIDATOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import service_of_tag


@dataclass(frozen=True, slots=True)
class Part:
    """One object of a tag."""

    kind: str
    path: str
    name: str
    uid: str
    owner: str | None
    """The helm release that it belongs to."""
    item: Json

    @property
    def revision(self) -> str:
        """That it points at, by its label."""
        return str((self.item["metadata"].get("labels") or {}).get(REVISION) or DEFAULT)

    @property
    def text(self) -> str:
        return f"{self.kind} {self.name}"


def calls(configuration: Json, service: str) -> bool:
    return any((entry["clientConfig"].get("service") or {}).get("name") == service for entry in configuration.get("webhooks") or [])


def parts(cluster: Cluster, tag: str, istio_namespace: str) -> tuple[Part, ...]:
    """By their label, in the order in which they can go."""
    kinds = {
        "MutatingWebhookConfiguration": PATH,
        "Service": _services(istio_namespace),
        **({"ValidatingWebhookConfiguration": VALIDATORS} if tag == DEFAULT else {}),
    }
    return tuple(part for kind, path in kinds.items() for part in _labelled(cluster, kind, path, tag))


def _labelled(cluster: Cluster, kind: str, path: str, tag: str) -> Iterator[Part]:
    for item in cluster.items(path, labelSelector=f"{TAG}={tag}"):
        metadata = item["metadata"]
        yield Part(kind, f"{path}/{metadata['name']}", metadata["name"], metadata["uid"], helm_release_of(item), item)


def control_planes(cluster: Cluster, istio_namespace: str) -> tuple[ControlPlane, ...]:
    selector = ",".join(f"{key}={value}" for key, value in ISTIOD.items())
    found = cluster.items(f"/apis/apps/v1/namespaces/{istio_namespace}/deployments", labelSelector=selector)
    return tuple(plane for item in found if (plane := control_plane(item, workload("Deployment")(item))))


def target(cluster: Cluster, canonical: Injector) -> Target:
    item = cluster.get(f"{PATH}/{canonical.name}")
    if item is None:
        raise MeshError("An injector was removed meanwhile.", where=f"MutatingWebhookConfiguration {canonical.name}", do="run again")
    return target_of(item)


def write_injector(cluster: Cluster, tag: Injector, to: Target) -> Written | None:
    """Label, Service and caBundle in one write."""
    labels = {REVISION: tag.revision, TAG: tag.tag or ""}
    return ensure(cluster, PATH, tag.name, lambda found: configurations.injector(found, tag.name, labels, tag.entries, to))


def write_service(cluster: Cluster, tag: str, revision: str, to: Target) -> Written | None:
    namespace, name = to.service["namespace"], service_of_tag(tag)
    of = cluster.get(f"{_services(namespace)}/{to.service['name']}")
    if of is None:
        raise MeshError("The control plane has no Service.", where=f"Service {to.service['name']} in namespace {namespace}")
    labels = {REVISION: revision, TAG: tag}
    return ensure(cluster, _services(namespace), name, lambda found: configurations.service(found, name, labels, of))


def write_default_validator(cluster: Cluster, revision: str, to: Target, *, tagged: bool) -> Written | None:
    def build(found: Json | None) -> Json:
        return configurations.default_validator(found, revision, to, tagged=tagged)

    return ensure(cluster, VALIDATORS, DEFAULT_VALIDATOR, build)


def default_validator(cluster: Cluster) -> Json | None:
    return cluster.get(f"{VALIDATORS}/{DEFAULT_VALIDATOR}")


def disable(cluster: Cluster, name: str) -> Written | None:
    """It matches nothing from now on, and remembers what it did match."""
    return ensure(cluster, PATH, name, disabled)


def _services(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/services"
