# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``istioctl install``, ``tag set`` and ``uninstall`` leave in a cluster: other objects, labels and owners than Helm's.

As 1.29.6 and 1.30.3 were seen to do it. Above all, an unrevisioned installation has two injectors: its own, which is disabled, and the
default tag, which does the work.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Mapping

from . import manifests, real
from .api import Api, ApiProblem, Json
from .cluster import Cluster
from .mesh import NAMESPACE, NEWEST, VERSION, rendered

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1"
MUTATING, VALIDATING = f"{WEBHOOKS}/mutatingwebhookconfigurations", f"{WEBHOOKS}/validatingwebhookconfigurations"
RIGHTS = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "Role": f"{RIGHTS}/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"{RIGHTS}/namespaces/{NAMESPACE}/rolebindings",
    "ClusterRole": f"{RIGHTS}/clusterroles",
    "ClusterRoleBinding": f"{RIGHTS}/clusterrolebindings",
    "ConfigMap": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "Service": f"/api/v1/namespaces/{NAMESPACE}/services",
    "Deployment": f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments",
    "HorizontalPodAutoscaler": f"/apis/autoscaling/v2/namespaces/{NAMESPACE}/horizontalpodautoscalers",
    "PodDisruptionBudget": f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets",
    "MutatingWebhookConfiguration": MUTATING,
    "ValidatingWebhookConfiguration": VALIDATING,
}
INSTALLER, TAGGER = "istio-operator", "istio-ci"
DEFAULT, DEFAULT_TAG, DEFAULT_VALIDATOR = "default", "istio-revision-tag-default", "istiod-default-validator"
OWNER = "install.operator.istio.io/owning-resource"
NEVER = {"matchLabels": {"istio.io/deactivated": "never-match"}}
RULES = {
    "apiGroups": ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["*"],
}


def install(cluster: Cluster, revision: str = "", version: str = VERSION, values: Mapping[str, t.Any] | None = None) -> None:
    """``istioctl install --set profile=minimal``; without a revision, or as the first, it takes the default tag. Does not wait."""
    if real.wanted():
        text = json.dumps(manifests.iop(version, {**({"revision": revision} if revision else {}), **manifests.operator(values or {})}))
        real.istioctl(version, ["install", "--skip-confirmation", "-f", "-"], cluster.kubeconfig, text)
        return
    given = {**(values or {}), "revision": revision, "global": {**((values or {}).get("global") or {}), "tag": version}}
    if not _there(cluster.api, f"/api/v1/namespaces/{NAMESPACE}"):
        cluster.api.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    for chart, component, chosen in (("base", "Base", {"defaultRevision": ""}), ("istiod", "Pilot", given)):
        labels = _owned(revision or DEFAULT, version, component)
        _apply(cluster.api, (_labelled(one, labels) for one in rendered(chart, values=chosen)), INSTALLER)
    if not revision or not _there(cluster.api, f"{MUTATING}/{DEFAULT_TAG}"):
        more = _owned(revision or DEFAULT, version, "Pilot") | {f"{OWNER}-not-pruned": "true"}
        _tag(cluster.api, DEFAULT, revision or DEFAULT, more)


def tag_set(cluster: Cluster, tag: str, revision: str) -> None:
    """``istioctl tag set TAG --revision REVISION --overwrite -y``: webhook and Service, and for ``default`` the validator too."""
    if real.wanted():
        real.istioctl(NEWEST, ["tag", "set", tag, "--revision", revision, "--overwrite", "--skip-confirmation"], cluster.kubeconfig)
        return
    _tag(cluster.api, tag, revision, {})


def uninstall(cluster: Cluster, revision: str) -> None:
    """``istioctl uninstall --revision REVISION -y``: all that carries the installer's labels, whoever needs it. A user's tags stay."""
    if real.wanted():
        real.istioctl(NEWEST, ["uninstall", "--revision", revision, "--skip-confirmation"], cluster.kubeconfig)
        return
    ours = [f"istio.io/rev={revision}", f"{OWNER}-namespace={NAMESPACE}", "operator.istio.io/component=Pilot"]
    for path in PATHS.values():
        cluster.api.delete(path, labelSelector=",".join(ours), propagationPolicy="Foreground")


def _tag(api: Api, tag: str, revision: str, labels: Mapping[str, str]) -> None:
    values = {"revision": "" if revision == DEFAULT else revision, "revisionTags": [tag]}
    ours = [one for one in rendered("istiod", values=values) if one["metadata"]["labels"].get("istio.io/tag") == tag]
    canonical = next(iter(api.get(MUTATING, labelSelector=f"istio.io/rev={revision},!istio.io/tag")["items"]))
    bundle = canonical["webhooks"][0]["clientConfig"].get("caBundle")
    for one in ours:
        for entry in one.get("webhooks", ()):
            entry["clientConfig"] |= {"caBundle": bundle} if bundle else {}
    if tag == DEFAULT:
        ours.append(_validator(revision, bundle))
    _apply(api, (_labelled(_of_a_user(one), labels) for one in ours), TAGGER)
    if tag == DEFAULT:
        _disable_unrevisioned(api)


def _validator(revision: str, bundle: str | None) -> Json:
    service = {"name": "istiod" if revision == DEFAULT else f"istiod-{revision}", "namespace": NAMESPACE, "path": "/validate"}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {
            "name": DEFAULT_VALIDATOR,
            "labels": {"app": "istiod", "istio": "istiod", "istio.io/rev": revision, "istio.io/tag": DEFAULT},
        },
        "webhooks": [
            {
                "name": "validation.istio.io",
                "clientConfig": {"service": service} | ({"caBundle": bundle} if bundle else {}),
                "rules": [RULES],
                "failurePolicy": "Fail" if bundle else "Ignore",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "objectSelector": {"matchExpressions": [{"key": "istio.io/rev", "operator": "DoesNotExist"}]},
            }
        ],
    }


def _disable_unrevisioned(api: Api) -> None:
    """The default tag takes over what the unrevisioned injector answered to, so that no pod is injected twice."""
    for one in api.get(MUTATING, labelSelector=f"istio.io/rev={DEFAULT},!istio.io/tag")["items"]:
        for entry in one["webhooks"]:
            entry |= {"namespaceSelector": NEVER, "objectSelector": NEVER}
        api.put(f"{MUTATING}/{one['metadata']['name']}", one, fieldManager=TAGGER)


def _owned(revision: str, version: str, component: str) -> dict[str, str]:
    return {
        "istio.io/rev": revision,
        OWNER: "unknown",
        f"{OWNER}-namespace": NAMESPACE,
        "operator.istio.io/component": component,
        "operator.istio.io/managed": "Reconcile",
        "operator.istio.io/version": version,
    }


def _of_a_user(item: Json) -> Json:
    """Without the labels by which an installer would know it as its own."""
    metadata = item["metadata"]
    return item | {"metadata": metadata | {"labels": {k: v for k, v in metadata["labels"].items() if "operator.istio.io" not in k}}}


def _labelled(item: Json, labels: Mapping[str, str]) -> Json:
    return item | {"metadata": item["metadata"] | {"labels": {**(item["metadata"].get("labels") or {}), **labels}}}


def _apply(api: Api, items: Iterable[Json], manager: str) -> None:
    for item in items:
        path = f"{PATHS[item['kind']]}/{item['metadata']['name']}"
        api.patch(path, item, "application/apply-patch+yaml", fieldManager=manager, force=True)


def _there(api: Api, path: str) -> bool:
    try:
        api.get(path)
    except ApiProblem as problem:
        if problem.status == 404:
            return False
        raise
    return True
