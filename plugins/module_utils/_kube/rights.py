# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this user may do what an upgrade needs; asked of the API server, each right by itself."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_A_TIME = 8

ADMISSION, APPS, RBAC = "admissionregistration.k8s.io", "apps", "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Right:
    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def text(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}" + (f" in namespace {self.namespace}" if self.namespace else "")


def check_rights(cluster: Cluster, istio_namespace: str, *, install: str | None) -> None:
    """Raises MeshError that names each missing right, of all that an upgrade needs after the plan; ``install`` is the provider."""
    installing = (*_proving(istio_namespace), *_installing(istio_namespace, by_helm=install == "helm")) if install else ()
    _check(cluster, (*_upgrade(istio_namespace), *installing), "the upgrade")


def check_tag_rights(cluster: Cluster, istio_namespace: str, *, default: bool, verbs: tuple[str, ...]) -> None:
    """The same for what a tag consists of; the right to ask for pods shows itself where they are asked for."""
    _check(cluster, tuple(_tag(istio_namespace, default, verbs)), "the tag")


def _check(cluster: Cluster, rights: tuple[Right, ...], what: str) -> None:
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        allowed = tuple(pool.map(lambda right: _allowed(cluster, right), rights))
    missing = [right.text() for right, yes in zip(rights, allowed, strict=True) if not yes]
    if missing:
        raise MeshError(
            f"This user may not do all that {what} needs.",
            where=", ".join(missing),
            why="each of these was asked of the API server (SelfSubjectAccessReview), and it said no",
            do="have these rights granted, or use another user",
        )


def _upgrade(istio_namespace: str) -> Iterator[Right]:
    for resource, group in (("namespaces", ""), ("pods", ""), ("deployments", APPS), ("statefulsets", APPS), ("daemonsets", APPS)):
        yield Right("list", resource, group)
    yield Right("list", "mutatingwebhookconfigurations", ADMISSION)
    yield Right("get", "namespaces")
    yield Right("watch", "pods")
    yield Right("patch", "namespaces")
    for resource in ("deployments", "statefulsets", "daemonsets"):
        yield Right("watch", resource, APPS)
        yield Right("patch", resource, APPS)
    yield Right("create", "pods/eviction")
    yield Right("delete", "pods")
    for verb in ("get", "create", "patch"):
        yield Right(verb, "configmaps", "", istio_namespace)


def _tag(istio_namespace: str, default: bool, verbs: tuple[str, ...]) -> Iterator[Right]:
    for verb in verbs:
        yield Right(verb, "mutatingwebhookconfigurations", ADMISSION)
        yield Right(verb, "services", "", istio_namespace)
        if default:
            yield Right(verb, "validatingwebhookconfigurations", ADMISSION)


def _proving(istio_namespace: str) -> Iterator[Right]:
    """Rehearsal, probe, and a scratch namespace."""
    yield Right("create", "services/proxy", "", istio_namespace)
    yield Right("create", "pods")
    yield Right("create", "namespaces")
    yield Right("delete", "namespaces")


def _installing(istio_namespace: str, *, by_helm: bool) -> Iterator[Right]:
    """Helm's record, the kinds of the istiod chart (1.29, 1.30), and what the wait for it follows.

    Without helm what is not rendered any more is pruned, so that it must be deleted too.
    """
    for verb, resource, group in (
        ("list", "poddisruptionbudgets", "policy"),
        ("get", "poddisruptionbudgets", "policy"),
        ("get", "networkpolicies", "networking.k8s.io"),
    ):
        yield Right(verb, resource, group, istio_namespace)
    if by_helm:
        for verb in ("list", "watch", "get", "create", "update", "delete"):
            yield Right(verb, "secrets", "", istio_namespace)
    else:
        yield Right("list", "horizontalpodautoscalers", "autoscaling", istio_namespace)
        for verb in ("create", "patch", "delete"):
            yield Right(verb, "poddisruptionbudgets", "policy", istio_namespace)
        yield Right("delete", "configmaps", "", istio_namespace)
    for verb in ("get", "create", "patch", *(() if by_helm else ("delete",))):
        for resource, group in (
            ("deployments", APPS),
            ("services", ""),
            ("serviceaccounts", ""),
            ("roles", RBAC),
            ("rolebindings", RBAC),
            ("horizontalpodautoscalers", "autoscaling"),
        ):
            yield Right(verb, resource, group, istio_namespace)
        for resource, group in (
            ("clusterroles", RBAC),
            ("clusterrolebindings", RBAC),
            ("mutatingwebhookconfigurations", ADMISSION),
            ("validatingwebhookconfigurations", ADMISSION),
        ):
            yield Right(verb, resource, group)
    yield Right("watch", "mutatingwebhookconfigurations", ADMISSION)
    for verb in ("list", "watch"):
        yield Right(verb, "endpointslices", "discovery.k8s.io", istio_namespace)
        yield Right(verb, "replicasets", APPS, istio_namespace)


def _allowed(cluster: Cluster, right: Right) -> bool:
    resource, _slash, part = right.resource.partition("/")
    attributes = {"verb": right.verb, "resource": resource, "subresource": part, "group": right.group, "namespace": right.namespace}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(cluster.ask(_PATH, review)["status"].get("allowed"))
