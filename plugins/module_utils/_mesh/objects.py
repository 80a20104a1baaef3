# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose an object of a rendering is: the revision's own, shared between revisions, a tag's, or none of a control plane. Pure.

Source: what istiod's charts and ``istioctl manifest generate --set revision=X`` render, 1.10 to 1.30, by name. Labels would not do:
istioctl sets ``istio.io/rev`` on shared objects too, where it names whichever revision was applied last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG, service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import DEFAULT_VALIDATOR

ADMISSION, RBAC = "admissionregistration.k8s.io", "rbac.authorization.k8s.io"
ISTIO_SYSTEM = "istio-system"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """What an object is, whichever version of its kind it is written in."""

    group: str
    kind: str
    namespace: str
    """Empty for what has none."""
    name: str

    def text(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Belongs(StrEnum):
    OWN = "the revision's own"
    SHARED = "shared between revisions"
    TAG = "of a tag"
    OUTSIDE = "not of a control plane"


_NAMED_ISTIOD = (
    ("", "ServiceAccount"),
    (RBAC, "Role"),
    (RBAC, "RoleBinding"),
    ("", "Service"),
    ("apps", "Deployment"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("policy", "PodDisruptionBudget"),
    ("networking.k8s.io", "NetworkPolicy"),
)
_CONFIG = ("istio", "istio-sidecar-injector", "values")
_ROLES = ("istiod-clusterrole", "istiod-gateway-controller", "istio-reader-clusterrole")
_REVISIONED = frozenset({("networking.istio.io", "EnvoyFilter"), ("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice")})
"""Kinds of which some versions render more, each with the revision at the end of its name."""
_SHARED_NAMES = ("istio-ingressgateway", "istio-egressgateway", "istio-cni", "ztunnel", "istio-reader-service-account", DEFAULT_VALIDATOR)
_SHARED_COMPONENTS = frozenset({"Base", "IngressGateways", "EgressGateways", "Cni", "Ztunnel"})
_COMPONENT = "operator.istio.io/component"


def own_names(revision: str, istio_namespace: str) -> frozenset[Identity]:
    """All that a control plane of this revision may consist of; most have no NetworkPolicy, and one replica has no budget."""
    dashed = "" if revision == DEFAULT else f"-{revision}"
    elsewhere = "" if istio_namespace == ISTIO_SYSTEM else f"-{istio_namespace}"
    return frozenset(
        {
            *(Identity(group, kind, istio_namespace, service_of(revision)) for group, kind in _NAMED_ISTIOD),
            *(Identity("", "ConfigMap", istio_namespace, f"{name}{dashed}") for name in _CONFIG),
            *(
                Identity(RBAC, kind, "", f"{name}{dashed}-{istio_namespace}")
                for kind in ("ClusterRole", "ClusterRoleBinding")
                for name in _ROLES
            ),
            Identity(ADMISSION, "MutatingWebhookConfiguration", "", f"istio-sidecar-injector{dashed}{elsewhere}"),
            Identity(ADMISSION, "ValidatingWebhookConfiguration", "", f"istio-validator{dashed}-{istio_namespace}"),
        }
    )


def belongs(one: Identity, labels: Mapping[str, str], revision: str, istio_namespace: str) -> Belongs:
    if TAG in labels:
        return Belongs.TAG
    if one in own_names(revision, istio_namespace) or _revisioned(one, labels, revision):
        return Belongs.OWN
    if one.kind == "CustomResourceDefinition" and one.name.endswith(".istio.io"):
        return Belongs.SHARED
    if one.kind == "Namespace" and one.name == istio_namespace:
        return Belongs.SHARED
    if labels.get(_COMPONENT) in _SHARED_COMPONENTS or one.name.startswith(_SHARED_NAMES):
        return Belongs.SHARED
    return Belongs.OUTSIDE


def _revisioned(one: Identity, labels: Mapping[str, str], revision: str) -> bool:
    named = one.name.endswith(f"-{revision}") and labels.get(REVISION) == revision
    return named and revision != DEFAULT and (one.group, one.kind) in _REVISIONED


_LAST = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_FIRST = (
    "Namespace",
    "CustomResourceDefinition",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ConfigMap",
)


def apply_order(one: Identity) -> tuple[int, Identity]:
    """What others need comes first, and what the API server calls comes last."""
    if one.kind in _FIRST:
        return _FIRST.index(one.kind), one
    return len(_FIRST) + (1 + _LAST.index(one.kind) if one.kind in _LAST else 0), one


class Step(StrEnum):
    """The order of a removal: nothing may be called that is gone already."""

    WEBHOOKS = "webhooks"
    SERVICE = "service"
    DEPLOYMENT = "deployment"
    REST = "rest"


def removal_step(one: Identity) -> Step:
    if one.group == ADMISSION:
        return Step.WEBHOOKS
    return {"Service": Step.SERVICE, "Deployment": Step.DEPLOYMENT}.get(one.kind, Step.REST)
