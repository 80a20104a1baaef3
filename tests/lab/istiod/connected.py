# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxies that are connected to one istiod pod, as its ``/debug/syncz`` tells them. Pure.

Pods here run no proxy, so each injected pod that runs counts as connected, unless its annotation asks for a fault.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from ..api import Json
from .patch import REVISION, STATUS
from .proxy import NAME
from .versions import version_of

FAULT = "lab.meshops.io/proxy"
ABSENT, NACK, STALE = "not-connected", "nack", "stale"
TYPES = {
    "cluster": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "endpoint": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "listener": "type.googleapis.com/envoy.config.listener.v3.Listener",
    "route": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
}


def connected(pods: Iterable[Json], revision: str, pod: str, replicas: Sequence[str], cluster: str = "Kubernetes") -> list[Json]:
    """What the replica ``pod`` of a revision answers: each proxy is connected to one of the replicas, always the same one."""
    ours = [one for one in pods if _belongs(one, revision)]
    return [_told(one, cluster) for one in ours if _replica(one["metadata"]["uid"], replicas or [pod]) == pod]


def _belongs(pod: Json, revision: str) -> bool:
    annotations = pod["metadata"].get("annotations") or {}
    running = pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
    return running and STATUS in annotations and _injected_by(annotations) == revision and annotations.get(FAULT) != ABSENT


def _injected_by(annotations: Mapping[str, str]) -> str | None:
    """Whoever changes the one annotation later does not change where the proxy connects to."""
    with contextlib.suppress(ValueError, AttributeError):
        revision: str | None = json.loads(annotations[STATUS]).get("revision")
        return revision or annotations.get(REVISION)
    return annotations.get(REVISION)


def _replica(uid: str, replicas: Sequence[str]) -> str:
    """The one of the highest hash: when a replica goes, only its own proxies move."""
    return max(replicas, key=lambda name: hashlib.sha256(f"{uid}/{name}".encode()).digest())


def _told(pod: Json, cluster: str) -> Json:
    metadata = pod["metadata"]
    fault = (metadata.get("annotations") or {}).get(FAULT)
    since = pod["status"].get("startTime") or metadata["creationTimestamp"]
    nonces = {kind: f"{since}/{hashlib.sha256((metadata['uid'] + kind).encode()).hexdigest()[:36]}" for kind in TYPES}
    acked = nonces if fault not in (NACK, STALE) else dict.fromkeys(TYPES, "" if fault == NACK else f"{since}/earlier")
    return {
        "cluster_id": cluster,
        "proxy": f"{metadata['name']}.{metadata['namespace']}",
        "proxy_type": "router" if _is_router(pod) else "sidecar",
        "istio_version": _version(pod),
        **{f"{kind}_sent": nonces[kind] for kind in nonces},
        **{f"{kind}_acked": acked[kind] for kind in acked if acked[kind]},
        "resources": {
            name: {"sent": nonces[kind], "acked": acked[kind], "sentTime": since}
            | ({"lastError": "Error adding/updating listener(s) 0.0.0.0_15006"} if fault == NACK else {})
            for kind, name in TYPES.items()
        },
    }


def _sidecar(pod: Json) -> Json | None:
    everything = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())]
    return next((one for one in everything if one["name"] == NAME), None)


def _version(pod: Json) -> str:
    container = _sidecar(pod)
    return version_of(container["image"]) if container else ""


def _is_router(pod: Json) -> bool:
    return "router" in ((_sidecar(pod) or {}).get("args") or ())
