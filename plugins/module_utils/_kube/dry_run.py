# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to the API server that store nothing: what would become of a pod, and whether an object of Istio would be accepted."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.admission import by_dry_run
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.admission import By
from ansible_collections.meshops.istio.plugins.module_utils._mesh.tags import Answer, Place

_GROUP = "networking.istio.io"


def plain_pod(cluster: Cluster, place: Place) -> Answer:
    """A pod that needs no rights of its own, so that little beside injectors has a reason to refuse it."""
    try:
        answer = by_dry_run(cluster)(_pod(place))
    except ApiError as problem:
        return Answer(place, None, problem.why, forbidden=problem.status in (401, 403, 404))
    if answer.refusal:
        return Answer(place, None, answer.refusal.text(), forbidden=answer.refusal.by not in (By.WEBHOOK, By.UNREACHABLE))
    return Answer(place, answer.proxy.revision if answer.proxy else None)


def refuses_istio_objects(cluster: Cluster, namespace: str) -> ApiError | None:
    """What a VirtualService without a revision meets; nothing where it is accepted, or where nobody knows that kind."""
    known = cluster.get(f"/apis/{_GROUP}")
    if known is None:
        return None
    version = known["preferredVersion"]["groupVersion"]
    body: Json = {
        "apiVersion": version,
        "kind": "VirtualService",
        "metadata": {"generateName": "meshops-proof-"},
        "spec": {"hosts": ["meshops.invalid"], "http": [{"route": [{"destination": {"host": "meshops.invalid"}}]}]},
    }
    try:
        cluster.dry_create(f"/apis/{version}/namespaces/{namespace}/virtualservices", body)
    except ApiError as problem:
        return None if problem.status == 404 else problem
    return None


def _pod(place: Place) -> Json:
    some = {"cpu": "1m", "memory": "1Mi"}
    container = {
        "name": "proof",
        "image": "registry.invalid/meshops-proof",
        "resources": {"requests": some, "limits": some},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "meshops-proof-", "namespace": place.namespace, "labels": dict(place.labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
