# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A large mesh: namespaces that ask for injection, in each two Deployments of five pods, which an injector has taken as they were made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import product

from tests.lab import samples
from tests.lab.cluster import Cluster

APPS, REPLICAS = ("api", "worker"), 5
PODS_IN_EACH = len(APPS) * REPLICAS
_AT_ONCE = 100


def namespaces(pods: int) -> list[str]:
    return [f"crowd-{number:04}" for number in range(pods // PODS_IN_EACH)]


def grow(lab: Cluster, pods: int) -> None:
    """Until there are so many and all are ready, a hundred namespaces at a time. What is there already stays."""
    there = {one["metadata"]["name"] for one in lab.api.get("/api/v1/namespaces")["items"]}
    missing = [name for name in namespaces(pods) if name not in there]
    for first in range(0, len(missing), _AT_ONCE):
        names = missing[first : first + _AT_ONCE]
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: lab.api.post("/api/v1/namespaces", samples.namespace(name, samples.INJECTED)), names))
            list(pool.map(lambda one: _deploy(lab, *one), product(names, APPS)))
        samples.wait_ready(lab.api, names, timeout=600)


def _deploy(lab: Cluster, namespace: str, app: str) -> None:
    lab.api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", samples.deployment(app, REPLICAS))
