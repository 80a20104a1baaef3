# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the control plane that takes over stands, before the one that it takes over from goes. Pure."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot


def check_stands(snapshot: Snapshot, revision: str) -> None:
    """Raises MeshError where it is not ready in every part: nothing would serve the mesh once the old one is gone."""
    deployment = next((plane.deployment for plane in snapshot.control_planes if plane.revision == revision), None)
    mine = [injector for injector in snapshot.injectors if injector.revision == revision]
    endpoints = int(bool(mine) and all(injector.ready is not False for injector in mine))
    found = control_plane_ready(revision, deployment, (), mine, endpoints)
    if not found.finished:
        raise MeshError(
            f'Control plane "{revision}", which is to take over, is not ready.',
            where="; ".join(found.waiting),
            why="when the old one is gone there would be none",
            do="see why it is not ready (its Deployment, its pods, its Service), and run the same command again",
        )
