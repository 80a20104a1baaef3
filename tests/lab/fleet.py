# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inventory of lab clusters, as a user's own would be: a host is a cluster."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from .cluster import Cluster
from .mesh import CHARTS

REVISION, VERSION = "1-30-3", "1.30.3"


def write(cluster: Cluster, waves: Sequence[Sequence[str]]) -> Path:
    """``fleet.yml`` in the cluster's folder, for an upgrade to 1.30.3; its paths hold from every working directory."""
    variables = {
        "mesh_revision": REVISION,
        "mesh_version": VERSION,
        "mesh_chart": f"{{{{ inventory_dir }}}}/{os.path.relpath(CHARTS / 'istiod', cluster.folder)}",
        "mesh_values": {"global": {"tag": VERSION}},
        "mesh_waves": [list(wave) for wave in waves],
    }
    hosts = {cluster.name: {"mesh_kubeconfig": "{{ inventory_dir }}/kubeconfig"}}
    path = cluster.folder / "fleet.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": variables}}, sort_keys=False, default_flow_style=None, width=120))
    return path
