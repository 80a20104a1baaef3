# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run may have to do to a cluster, as rights, and the rules that give those which are missing. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Recipe, Way
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload

ADMISSION, APPS, RBAC = "admissionregistration.k8s.io", "apps", "rbac.authorization.k8s.io"
_ROLLING = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}


@dataclass(frozen=True, slots=True)
class Right:
    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    def text(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}" + (f" in namespace {self.namespace}" if self.namespace else "")


def to_read() -> Iterator[Right]:
    """Without these there is no plan."""
    for resource, group in (("namespaces", ""), ("pods", ""), *((resource, APPS) for resource in _ROLLING.values())):
        yield Right("list", resource, group)
    yield Right("list", "mutatingwebhookconfigurations", ADMISSION)


def to_move(istio_namespace: str) -> Iterator[Right]:
    """The namespaces, and the record of it."""
    yield Right("get", "namespaces")
    yield Right("watch", "pods")
    yield Right("patch", "namespaces")
    for verb in ("get", "create", "patch"):
        yield Right(verb, "configmaps", "", istio_namespace)


def to_restart(there: Iterable[Workload], ways: Iterable[tuple[Workload, Way]]) -> Iterator[Right]:
    """Of the kinds that are really there: watched, and replaced as each is."""
    for kind in sorted({workload.kind for workload in there} & _ROLLING.keys()):
        yield Right("watch", _ROLLING[kind], APPS)
    found = list(ways)
    for kind in sorted({workload.kind for workload, way in found if way.recipe is Recipe.STAMP and not way.declared}):
        yield Right("patch", _ROLLING[kind], APPS)
    for one in sorted({way.declared for _w, way in found if way.recipe is Recipe.STAMP and way.declared}, key=lambda one: one.resource):
        yield Right("get", one.resource, one.group)
        yield Right("patch", one.resource, one.group)
    if any(way.recipe is Recipe.EVICT for _workload, way in found):
        yield Right("create", "pods/eviction")
    if any(workload.kind == "StatefulSet" for workload, _way in found):
        yield Right("delete", "pods")  # one that was never ready, and holds all others up


def to_restart_anything() -> Iterator[Right]:
    """Where nobody knows yet what there is."""
    some = [Workload(kind, "", "", "", PodShape()) for kind in _ROLLING]
    yield from to_restart(some, [(one, Way(recipe, "")) for one in some for recipe in (Recipe.STAMP, Recipe.EVICT)])


def to_prove(istio_namespace: str) -> Iterator[Right]:
    """Rehearsal, probe, and a scratch namespace."""
    yield Right("create", "services/proxy", "", istio_namespace)
    yield Right("create", "pods")
    yield Right("create", "namespaces")
    yield Right("delete", "namespaces")


_IN_NAMESPACE = (
    ("deployments", APPS),
    ("services", ""),
    ("serviceaccounts", ""),
    ("roles", RBAC),
    ("rolebindings", RBAC),
    ("horizontalpodautoscalers", "autoscaling"),
)
_IN_CLUSTER = (
    ("clusterroles", RBAC),
    ("clusterrolebindings", RBAC),
    ("mutatingwebhookconfigurations", ADMISSION),
    ("validatingwebhookconfigurations", ADMISSION),
)


def to_install(istio_namespace: str, *, by_helm: bool) -> Iterator[Right]:
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
        for resource, group in _IN_NAMESPACE:
            yield Right(verb, resource, group, istio_namespace)
        for resource, group in _IN_CLUSTER:
            yield Right(verb, resource, group)
    yield Right("watch", "mutatingwebhookconfigurations", ADMISSION)
    for verb in ("list", "watch"):
        yield Right(verb, "endpointslices", "discovery.k8s.io", istio_namespace)
        yield Right(verb, "replicasets", APPS, istio_namespace)


def to_uninstall(istio_namespace: str) -> Iterator[Right]:
    """What helm deletes of the kinds of the istiod chart (1.29, 1.30); it goes on where one is refused, and has then removed the others."""
    for verb in ("list", "get", "update", "delete"):
        yield Right(verb, "secrets", "", istio_namespace)
    for resource, group in (*_IN_NAMESPACE, ("configmaps", ""), ("poddisruptionbudgets", "policy")):
        yield Right("delete", resource, group, istio_namespace)
    for resource, group in _IN_CLUSTER:
        yield Right("delete", resource, group)


def to_tag(istio_namespace: str, default: bool, verbs: tuple[str, ...]) -> Iterator[Right]:
    for verb in verbs:
        yield Right(verb, "mutatingwebhookconfigurations", ADMISSION)
        yield Right(verb, "services", "", istio_namespace)
        if default:
            yield Right(verb, "validatingwebhookconfigurations", ADMISSION)


def missing_findings(missing: Sequence[Right], needed: Iterable[Right], what: str, role: str) -> Iterator[Finding]:
    """The rules are of all that is needed, under a name for this purpose: applied over what was given before, they take nothing away."""
    if missing:
        yield blocker(
            Topic.RIGHTS,
            f"This user may not do all that {what} needs.",
            where=", ".join(right.text() for right in missing),
            why="each of these was asked of the API server (SelfSubjectAccessReview), and it said no",
            do="use another user, or apply these rules, which are all that it needs, and bind them to this one:\n"
            + "\n".join((*rules(needed, role), *bindings(needed, role))),
        )


def rules(rights: Iterable[Right], role: str) -> Iterator[str]:
    """A ClusterRole, and a Role for each namespace, as YAML."""
    by_namespace: dict[str, dict[tuple[str, tuple[str, ...]], list[str]]] = defaultdict(lambda: defaultdict(list))
    verbs: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for right in dict.fromkeys(rights):
        verbs[right.namespace, right.group, right.resource].append(right.verb)
    for (namespace, group, resource), wanted in verbs.items():
        by_namespace[namespace][group, tuple(wanted)].append(resource)
    for namespace, found in by_namespace.items():
        yield "---"
        yield "apiVersion: rbac.authorization.k8s.io/v1"
        yield f"kind: {'Role' if namespace else 'ClusterRole'}"
        yield f"metadata: {{name: {role}{f', namespace: {namespace}' if namespace else ''}}}"
        yield "rules:"
        for (group, those), resources in found.items():
            yield f"  - apiGroups: ['{group}']"
            yield f"    resources: [{', '.join(resources)}]"
            yield f"    verbs: [{', '.join(those)}]"


def bindings(rights: Iterable[Right], role: str) -> Iterator[str]:
    """The commands that bind them, as comments, so that all of it can be applied as it stands."""
    for namespace in dict.fromkeys(right.namespace for right in rights):
        kind, where = ("role", f" --namespace {namespace}") if namespace else ("clusterrole", "")
        yield f"# kubectl create {kind}binding {role} --{kind}={role} --user=USER{where}"
