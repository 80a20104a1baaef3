# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server says of namespaces and their pods. Shares no code with what is under test."""

from __future__ import annotations

import json
from collections.abc import Iterable

from tests.lab.api import Json
from tests.lab.cluster import Cluster

PRIOR = "meshops.io/prior-injection"
STATUS = "sidecar.istio.io/status"


def labels(lab: Cluster, names: Iterable[str]) -> list[dict[str, str]]:
    return [_metadata(lab, name).get("labels") or {} for name in names]


def moved(was: dict[str, str], revision: str) -> dict[str, str]:
    """A namespace's labels as an upgrade to this revision leaves them."""
    return {name: value for name, value in was.items() if name != "istio-injection"} | {"istio.io/rev": revision}


def annotations(lab: Cluster, names: Iterable[str]) -> list[dict[str, str]]:
    return [_metadata(lab, name).get("annotations") or {} for name in names]


def proxies(lab: Cluster, names: Iterable[str]) -> set[str | None]:
    """The revisions of the sidecars of all running pods; None stands for a pod without one."""
    return {revision(pod) for name in names for pod in pods(lab, name)}


def pods(lab: Cluster, name: str) -> list[Json]:
    """Those that are not on their way out."""
    found: list[Json] = lab.api.get(f"/api/v1/namespaces/{name}/pods")["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def revision(pod: Json) -> str | None:
    status = (pod["metadata"].get("annotations") or {}).get(STATUS)
    return json.loads(status)["revision"] if status else None


def _metadata(lab: Cluster, name: str) -> Json:
    metadata: Json = lab.api.get(f"/api/v1/namespaces/{name}")["metadata"]
    return metadata


def limit_pods(lab: Cluster, name: str, most: int) -> None:
    """A quota, in force on return: what the namespace has may stay, and no surge fits in."""
    quotas = f"/api/v1/namespaces/{name}/resourcequotas"
    lab.api.post(quotas, {"metadata": {"name": "tight"}, "spec": {"hard": {"pods": str(most)}}})
    lab.api.until(quotas, lambda found: "used" in found[0].get("status", {}), timeout=30, what="the quota")
