# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether this user has the rights that a run needs; asked of the API server, each right by itself."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rights import (
    Right,
    missing_findings,
    to_install,
    to_move,
    to_prove,
    to_read,
    to_restart_anything,
    to_tag,
    to_uninstall,
)

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_A_TIME = 8
UPGRADE, MOVE, TAG, REMOVE = "meshops-upgrade", "meshops-move", "meshops-tag", "meshops-remove"
"""What the roles are called that are told, one for each purpose."""


def check_rights(cluster: Cluster, istio_namespace: str) -> None:
    """Raises MeshError that names each missing right, of all that moving and restarting may need."""
    _check(cluster, (*to_read(), *to_move(istio_namespace), *to_restart_anything()), "the upgrade", MOVE)


def check_readable(cluster: Cluster, istio_namespace: str, *, install: str | None) -> None:
    """The same of a whole upgrade, where this user may not even read what a plan is made of; ``install`` is the provider."""
    if missing(cluster, to_read()):
        installing = to_install(istio_namespace, by_helm=install == "helm") if install else ()
        writing = (*to_move(istio_namespace), *to_restart_anything(), *to_prove(istio_namespace), *installing)
        _check(cluster, (*to_read(), *writing), "the upgrade", UPGRADE)


def check_tag_rights(cluster: Cluster, istio_namespace: str, *, default: bool, verbs: tuple[str, ...]) -> None:
    """The same for what a tag consists of; the right to ask for pods shows itself where they are asked for."""
    _check(cluster, to_tag(istio_namespace, default, verbs), "the tag", TAG)


def check_uninstall_rights(cluster: Cluster, istio_namespace: str) -> None:
    """The same for what helm removes."""
    _check(cluster, to_uninstall(istio_namespace), "the removal", REMOVE)


def missing(cluster: Cluster, rights: Iterable[Right]) -> tuple[Right, ...]:
    asked = tuple(dict.fromkeys(rights))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        allowed = tuple(pool.map(lambda right: _allowed(cluster, right), asked))
    return tuple(right for right, yes in zip(asked, allowed, strict=True) if not yes)


def _check(cluster: Cluster, rights: Iterable[Right], what: str, role: str) -> None:
    needed = tuple(rights)
    for finding in missing_findings(missing(cluster, needed), needed, what, role):
        raise finding.error()


def _allowed(cluster: Cluster, right: Right) -> bool:
    resource, _slash, part = right.resource.partition("/")
    attributes = {"verb": right.verb, "resource": resource, "subresource": part, "group": right.group, "namespace": right.namespace}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(cluster.ask(_PATH, review)["status"].get("allowed"))
