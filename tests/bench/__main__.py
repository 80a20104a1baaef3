# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``make bench``: what tasks, moves and waits cost, as ratios of one run on a lab of its own. docs/performance.md keeps the figures."""

from __future__ import annotations

import contextlib
import os
import platform
import time
from collections.abc import Iterator

from tests.bench import environment, memory, relabel, scale, tasks
from tests.lab import fleet, mesh, samples
from tests.lab.build import kubernetes_version
from tests.lab.cluster import Cluster


def main() -> None:
    environment.install()
    versions = ", ".join(f"{name} {version}" for name, version in environment.versions().items())
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {platform.system()}, Kubernetes {kubernetes_version()}, {versions}")
    with _lab("bench") as cluster:
        samples.wait_ready(cluster.api, samples.create(cluster.api))
        for part in (tasks, memory, relabel):
            print(part.measure(cluster).table(), flush=True)
    with _lab("scale") as cluster:
        print(scale.measure(cluster).table(), flush=True)


@contextlib.contextmanager
def _lab(name: str) -> Iterator[Cluster]:
    """A cluster with two control planes, for as long as it is measured."""
    cluster = Cluster(f"{name}-{os.getpid()}")
    cluster.start(owned=True)
    try:
        mesh.install_base(cluster)
        for revision, version in (("", mesh.VERSION), (fleet.REVISION, fleet.VERSION)):
            mesh.install_istiod(cluster, revision=revision, version=version)
            mesh.wait_ready(cluster, revision)
        yield cluster
    finally:
        cluster.stop()


if __name__ == "__main__":
    main()
