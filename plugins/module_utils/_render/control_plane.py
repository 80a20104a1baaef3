# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rendering says of the control plane that it will make: its revision and version, held against what is expected."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, version_of_image


def check_rendering(objects: Iterable[Mapping[str, t.Any]], revision: str, version: str | None) -> str | None:
    """The version that is rendered; MeshError where it is another than expected, or there is no istiod of that revision at all."""
    istiod = next((item for item in objects if item.get("kind") == "Deployment" and _revision(item) == revision), None)
    if istiod is None:
        raise MeshError(
            f'The chart renders no istiod of revision "{revision}".',
            where=f"no Deployment has the labels app=istiod and {REVISION}={revision}",
            do="chart (mesh_chart): give the istiod chart",
        )
    containers = istiod["spec"]["template"]["spec"].get("containers") or []
    image = next((one.get("image", "") for one in containers if one["name"] == "discovery"), "")
    found = version_of_image(image)
    if version and found and found != version:
        raise MeshError(
            f'Revision "{revision}" would get another version than expected.',
            where=f"the chart renders image {image}",
            why=f"version (mesh_version) says {version}",
            do="correct version (mesh_version), or take the chart and values of that version",
        )
    return found or version


def _revision(deployment: Mapping[str, t.Any]) -> str | None:
    labels = deployment["metadata"].get("labels") or {}
    return labels.get(REVISION) if labels.get("app") == "istiod" else None
