# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inventories of lab clusters, as a user's own would be: a host is a cluster. Their paths hold from every working directory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from .cluster import Cluster
from .mesh import CHARTS

REVISION, VERSION = "1-30-3", "1.30.3"


def write(clusters: Sequence[Cluster], waves: Sequence[Sequence[str]]) -> Path:
    """For an upgrade to 1.30.3, in the folder of the first: one cluster as it stands there by name, several by their contexts."""
    folder = clusters[0].folder
    variables = {
        "mesh_revision": REVISION,
        "mesh_version": VERSION,
        "mesh_chart": f"{{{{ inventory_dir }}}}/{os.path.relpath(CHARTS / 'istiod', folder)}",
        "mesh_values": {"global": {"tag": VERSION}},
        "mesh_waves": [list(wave) for wave in waves],
    }
    if len(clusters) == 1:
        hosts = {clusters[0].name: {"mesh_kubeconfig": "{{ inventory_dir }}/kubeconfig"}}
        return _written(folder / "fleet.yml", {"all": {"hosts": hosts, "vars": variables}})
    _written(folder / "group_vars" / "all.yml", variables)
    return contexts(folder, clusters)


def contexts(folder: Path, clusters: Sequence[Cluster], **options: object) -> Path:
    """``contexts.yml``: whatever the clusters' kubeconfigs say."""
    kubeconfigs = [os.path.relpath(cluster.kubeconfig, folder) for cluster in clusters]
    return _written(folder / "contexts.yml", {"plugin": "meshops.istio.contexts", "kubeconfig": kubeconfigs, **options})


def _written(path: Path, content: object) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120))
    return path
