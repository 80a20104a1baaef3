# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gives what is rendered at least as many replicas as the old control plane has, and its PodDisruptionBudget. Nothing is made weaker."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Json

_MOST = 5
"""What the official chart takes for ``autoscaleMax``."""


def least_of(objects: Iterable[Mapping[str, t.Any]], name: str) -> int:
    """With how many replicas the control plane of that Deployment begins."""
    specs = {item["kind"]: item.get("spec") or {} for item in objects if item["metadata"]["name"] == name}
    if "HorizontalPodAutoscaler" in specs:
        return int(specs["HorizontalPodAutoscaler"].get("minReplicas") or 1)
    replicas = specs.get("Deployment", {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def as_strong(objects: Iterable[Json], name: str, old: Strength | None) -> tuple[Json, ...]:
    """``name`` is that of the Deployment, its autoscaler and its budget."""
    rendered = tuple(objects)
    if old is None:
        return rendered
    scaled = any(item["kind"] == "HorizontalPodAutoscaler" and item["metadata"]["name"] == name for item in rendered)
    raised = tuple(_raised(item, old.replicas, scaled=scaled) if item["metadata"]["name"] == name else item for item in rendered)
    deployment = next((item for item in rendered if item["kind"] == "Deployment" and item["metadata"]["name"] == name), None)
    if old.budget is None or deployment is None or any(item["kind"] == "PodDisruptionBudget" for item in rendered):
        return raised
    return (*raised, _budget(deployment, old.budget))


def _raised(item: Json, replicas: int, *, scaled: bool) -> Json:
    spec = item.get("spec") or {}
    if item["kind"] == "HorizontalPodAutoscaler":
        least = max(replicas, int(spec.get("minReplicas") or 1))
        return {**item, "spec": {**spec, "minReplicas": least, "maxReplicas": max(least, int(spec.get("maxReplicas") or 1))}}
    if item["kind"] == "Deployment" and not scaled:
        given = spec.get("replicas")
        return {**item, "spec": {**spec, "replicas": max(replicas, 1 if given is None else int(given))}}
    return item


def _budget(deployment: Json, says: Mapping[str, object]) -> Json:
    metadata = deployment["metadata"]
    of = {name: metadata[name] for name in ("name", "namespace", "labels") if name in metadata}
    spec = {**says, "selector": deployment["spec"]["selector"]}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": of, "spec": spec}


def strong_values(values: Mapping[str, t.Any], before: Mapping[str, t.Any] | None, old: Strength | None) -> Mapping[str, t.Any]:
    """Values for the istiod chart that give it as many replicas, unless the user's own say how many.

    ``before`` are those of the release as it stands: what it was once given it keeps, so that a second run changes nothing.
    They go below ``pilot``, which charts of all versions read.
    """
    pilot, had = values.get("pilot") or {}, (before or {}).get("pilot") or {}
    if any(name in given for given in (values, pilot) for name in ("autoscaleMin", "replicaCount")) or not isinstance(pilot, Mapping):
        return values
    ours = ("autoscaleMin", "autoscaleMax", "replicaCount")
    given = {name: had[name] for name in ours if name in had and name not in pilot}
    if not given and old and old.replicas > 1 and before is None:
        given = {"autoscaleMin": old.replicas, "replicaCount": old.replicas}
        if old.replicas > _MOST and "autoscaleMax" not in {**values, **pilot}:
            given["autoscaleMax"] = old.replicas
    return {**values, "pilot": {**pilot, **given}} if given else values
