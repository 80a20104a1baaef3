# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this user may do what an upgrade needs; asked of the API server, each right by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def text(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}" + (f" in {self.namespace}" if self.namespace else "")


def needed(istio_namespace: str) -> tuple[Right, ...]:
    """Every right that plan, move, restart, proof and record use."""
    admission = "admissionregistration.k8s.io"
    return (
        *(Right("list", resource) for resource in ("namespaces", "pods")),
        *(Right("list", resource, "apps") for resource in ("deployments", "statefulsets", "daemonsets")),
        Right("list", "mutatingwebhookconfigurations", admission),
        *(Right("watch", resource) for resource in ("pods",)),
        Right("watch", "deployments", "apps"),
        Right("patch", "namespaces"),
        Right("patch", "deployments", "apps"),
        *(Right(verb, "configmaps", "", istio_namespace) for verb in ("get", "create", "patch")),
    )


def missing(cluster: Cluster, rights: tuple[Right, ...]) -> tuple[Right, ...]:
    return tuple(right for right in rights if not _allowed(cluster, right))


def _allowed(cluster: Cluster, right: Right) -> bool:
    attributes = {"verb": right.verb, "resource": right.resource, "group": right.group, "namespace": right.namespace}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(cluster.ask(_PATH, review)["status"].get("allowed"))
