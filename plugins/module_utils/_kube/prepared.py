# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a rendered object is applied: all but what others fill in, so that we neither fight with them nor undo their work."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import FIELD_MANAGER, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import ADMISSION, Identity


@dataclass(frozen=True, slots=True)
class Prepare:
    """``scaled`` names the Deployments, with their namespace, whose replicas an autoscaler sets."""

    scaled: frozenset[tuple[str, str]]

    def __call__(self, rendered: Json, before: Json | None) -> Json:
        body = {name: value for name, value in rendered.items() if name != "status"}
        if rendered["apiVersion"].startswith(ADMISSION):
            return body | {"webhooks": [_entry(entry, before) for entry in rendered.get("webhooks") or []]}
        metadata = rendered["metadata"]
        if rendered["kind"] == "Deployment" and (metadata.get("namespace"), metadata["name"]) in self.scaled:
            return body | {"spec": _without_replicas(rendered["spec"], before)}
        return body


def _entry(entry: Json, before: Json | None) -> Json:
    """istiod fills in the caBundle, and turns the validator's ``Ignore`` into ``Fail`` when it answers.

    An empty caBundle would wipe the one that is there, and pods would be refused (charts up to 1.13 render one).
    """
    client = {name: value for name, value in (entry.get("clientConfig") or {}).items() if name != "caBundle" or value}
    there = next((one for one in (before or {}).get("webhooks") or [] if one["name"] == entry["name"]), None)
    policy = {"failurePolicy": there["failurePolicy"]} if there and entry.get("failurePolicy") == "Ignore" else {}
    return {**entry, "clientConfig": client, **policy}


def _without_replicas(spec: Json, before: Json | None) -> Json:
    """Left to the autoscaler. Where we have set them before it came, they stay as they are: to let go of them would make them 1."""
    left = {name: value for name, value in spec.items() if name != "replicas"}
    if before and _owns_replicas(before):
        return left | {"replicas": before["spec"]["replicas"]}
    return left


def _owns_replicas(item: Json) -> bool:
    mine = (field for field in item["metadata"].get("managedFields") or [] if field["manager"] == FIELD_MANAGER)
    return any("f:replicas" in (field.get("fieldsV1") or {}).get("f:spec", {}) for field in mine)


def scaled_in(cluster: Cluster, istio_namespace: str, rendered: list[Json], pruned: set[Identity]) -> frozenset[tuple[str, str]]:
    """Deployments that an autoscaler of the rendering or of the Istio namespace scales; those that are about to go do not count."""
    there = cluster.items(f"/apis/autoscaling/v2/namespaces/{istio_namespace}/horizontalpodautoscalers")
    staying = [one for one in there if _identity(one) not in pruned]
    scalers = [*(item for item in rendered if item["kind"] == "HorizontalPodAutoscaler"), *staying]
    targets = ((one["metadata"].get("namespace", ""), one["spec"].get("scaleTargetRef") or {}) for one in scalers)
    return frozenset((namespace, target.get("name", "")) for namespace, target in targets if target.get("kind") == "Deployment")


def _identity(scaler: Json) -> Identity:
    return Identity("autoscaling", "HorizontalPodAutoscaler", scaler["metadata"]["namespace"], scaler["metadata"]["name"])
