# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects of any kind by their path, without discovery for the kinds of a control plane; what an apply of them would change."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import ADMISSION, RBAC, Identity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Live

RELEASE = "meta.helm.sh/release-name"
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True)
class Resource:
    version: str
    plural: str
    namespaced: bool = True


_KNOWN: Mapping[tuple[str, str], Resource] = {
    ("", "Namespace"): Resource("v1", "namespaces", namespaced=False),
    ("", "ServiceAccount"): Resource("v1", "serviceaccounts"),
    ("", "Service"): Resource("v1", "services"),
    ("", "ConfigMap"): Resource("v1", "configmaps"),
    ("", "Endpoints"): Resource("v1", "endpoints"),
    ("apps", "Deployment"): Resource("v1", "deployments"),
    ("apps", "DaemonSet"): Resource("v1", "daemonsets"),
    ("autoscaling", "HorizontalPodAutoscaler"): Resource("v2", "horizontalpodautoscalers"),
    ("policy", "PodDisruptionBudget"): Resource("v1", "poddisruptionbudgets"),
    ("networking.k8s.io", "NetworkPolicy"): Resource("v1", "networkpolicies"),
    ("discovery.k8s.io", "EndpointSlice"): Resource("v1", "endpointslices"),
    ("networking.istio.io", "EnvoyFilter"): Resource("v1alpha3", "envoyfilters"),
    (RBAC, "Role"): Resource("v1", "roles"),
    (RBAC, "RoleBinding"): Resource("v1", "rolebindings"),
    (RBAC, "ClusterRole"): Resource("v1", "clusterroles", namespaced=False),
    (RBAC, "ClusterRoleBinding"): Resource("v1", "clusterrolebindings", namespaced=False),
    (ADMISSION, "MutatingWebhookConfiguration"): Resource("v1", "mutatingwebhookconfigurations", namespaced=False),
    (ADMISSION, "ValidatingWebhookConfiguration"): Resource("v1", "validatingwebhookconfigurations", namespaced=False),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Resource("v1", "customresourcedefinitions", namespaced=False),
}


def placed(item: Json, istio_namespace: str) -> Json:
    """An object with its namespace said, where its kind is a control plane's own and has one."""
    known = _KNOWN.get((str(item["apiVersion"]).rpartition("/")[0], item["kind"]))
    if known is None:
        return item
    metadata = {name: value for name, value in item["metadata"].items() if name != "namespace"}
    return {
        **item,
        "metadata": metadata | ({"namespace": item["metadata"].get("namespace") or istio_namespace} if known.namespaced else {}),
    }


def path_of(one: Identity) -> str:
    """Of an object whose kind is a control plane's own."""
    return _path(_KNOWN[one.group, one.kind], one)


def path_for(cluster: Cluster, api_version: str, one: Identity) -> str:
    """Of any object, in the version that it is written in. Raises MeshError for a kind that the API server does not know."""
    resource = _resource(cluster, api_version, one.kind)
    if resource.namespaced and not one.namespace:
        raise MeshError("An object of the rendering has no namespace.", where=one.text(), do="write its namespace into it")
    return _path(resource, one)


def _resource(cluster: Cluster, api_version: str, kind: str) -> Resource:
    group, _slash, version = api_version.rpartition("/")
    known = _KNOWN.get((group, kind))
    if known:
        return Resource(version, known.plural, known.namespaced)
    found = cluster.get(f"/apis/{api_version}" if group else f"/api/{api_version}") or {}
    for one in found.get("resources") or []:
        if one["kind"] == kind and "/" not in one["name"]:
            return Resource(version, one["name"], bool(one["namespaced"]))
    raise MeshError(
        "The API server does not know a kind of the rendering.",
        where=f"{api_version} {kind}",
        do="install what defines it first, or leave it out of the rendering",
    )


def _path(resource: Resource, one: Identity) -> str:
    prefix = f"/apis/{one.group}" if one.group else "/api"
    inside = f"/namespaces/{one.namespace}" if resource.namespaced else ""
    return f"{prefix}/{resource.version}{inside}/{resource.plural}/{one.name}"


def read_live(cluster: Cluster, identities: Iterable[Identity]) -> dict[Identity, Live]:
    """Those that are there, of kinds that are a control plane's own."""
    wanted = sorted(set(identities))
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = tuple(pool.map(lambda one: cluster.get(path_of(one)), wanted))
    return {one: _live(one, item) for one, item in zip(wanted, found, strict=True) if item}


def _live(one: Identity, item: Json) -> Live:
    metadata = item["metadata"]
    managers = (field["manager"] for field in metadata.get("managedFields") or [] if field.get("operation") == "Apply")
    return Live(
        identity=one,
        uid=metadata["uid"],
        labels=metadata.get("labels") or {},
        release=(metadata.get("annotations") or {}).get(RELEASE),
        applied_by=frozenset(managers),
        controlled=any(owner.get("controller") for owner in metadata.get("ownerReferences") or []),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One object that is to be applied: what is there, and what the API server says that would come of it."""

    identity: Identity
    path: str
    body: Json
    before: Json | None
    after: Json

    @property
    def needed(self) -> bool:
        return self.before is None or told(self.before) != told(self.after)


class Refused(MeshError):
    """The API server would not take some objects; nothing was written."""

    kind = "api"


_NEEDED_FIRST = frozenset({"Namespace", "Role", "ClusterRole"})
"""A binding is refused where its role is not there, unless the user may bind all roles."""


def changes(
    cluster: Cluster, wanted: Iterable[tuple[str, Identity, Json]], prepare: t.Callable[[Json, Json | None], Json]
) -> tuple[Change, ...]:
    """What applying would change, by a dry run of each; ``prepare`` makes of what is rendered, and of what is there, what is applied.

    Raises Refused, which names each object that the API server would refuse: rights, admission and validation are asked here.
    What only lacks another object of the same rendering can't be asked yet, and counts as it is written.
    """
    chosen = tuple(wanted)
    brought = tuple(identity.name for _path, identity, _rendered in chosen if identity.kind in _NEEDED_FIRST)

    def ask(one: tuple[str, Identity, Json]) -> Change | ApiError:
        path, identity, rendered = one
        before = cluster.get(path)
        body = prepare(rendered, before)
        try:
            return Change(identity, path, body, before, cluster.apply(path, body, dry_run=True))
        except ApiError as problem:
            if problem.status in (0, 401):
                raise
            if problem.status == 404 and before is None and any(f'"{name}" not found' in problem.why for name in brought):
                return Change(identity, path, body, None, body)
            return problem

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        answers = tuple(pool.map(ask, chosen))
    refused = [(one[1], answer) for one, answer in zip(chosen, answers, strict=True) if isinstance(answer, ApiError)]
    if refused:
        raise Refused(
            f"The API server would refuse {len(refused)} of {len(chosen)} objects; nothing was written.",
            where="; ".join(identity.text() for identity, _problem in refused),
            why="; ".join(dict.fromkeys(problem.why for _identity, problem in refused)),
            do=refused[0][1].do or "correct what is rendered, or what refuses it",
        )
    return tuple(answer for answer in answers if isinstance(answer, Change))


_UNTOLD = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid"})


def told(item: Json | None) -> Json | None:
    """An object without what changes by itself, and without status."""
    if item is None:
        return None
    metadata = {name: value for name, value in item["metadata"].items() if name not in _UNTOLD}
    return {**{name: value for name, value in item.items() if name != "status"}, "metadata": metadata}
