# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: what tasks, moves and waits cost, as ratios of one run on a lab of its own. docs/performance.md keeps the figures."""

from __future__ import annotations

import os
import platform
import time

from tests.bench import environment, memory, relabel, tasks
from tests.lab import fleet, mesh, samples
from tests.lab.build import kubernetes_version
from tests.lab.cluster import Cluster


def main() -> None:
    environment.install()
    cluster = Cluster(f"bench-{os.getpid()}")
    cluster.start(owned=True)
    try:
        mesh.install_base(cluster)
        for revision, version in (("", mesh.VERSION), (fleet.REVISION, fleet.VERSION)):
            mesh.install_istiod(cluster, revision=revision, version=version)
            mesh.wait_ready(cluster, revision)
        samples.wait_ready(cluster.api, samples.create(cluster.api))
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
        print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.system()}, Kubernetes {kubernetes_version()}, {versions}")
        for part in (tasks, memory, relabel):
            print(part.measure(cluster).table(), flush=True)
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
