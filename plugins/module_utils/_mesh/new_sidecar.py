# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is other about the new sidecars: from where their image comes, and in which list of containers they are. Pure.

Sources: Istio, pkg/kube/inject/webhook.go (``DetectNativeSidecar``): ``ENABLE_NATIVE_SIDECARS`` is ``auto`` from 1.27, which is on where
all kubelets are 1.33 or newer. A released build's images come from another registry from 1.30 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import GIVEN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import before as older
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed


def sidecar_findings(
    snapshot: Snapshot, target: Target, old: str | None, names: Sequence[str], hub: str | None, kubernetes: str | None
) -> Iterator[Finding]:
    """``hub`` is where the new images come from; None is not known."""
    running = [(judged.workload, pod.proxy) for judged in snapshot.within(names) for pod in judged.pods if pod.proxy]
    theirs = sorted({proxy.image.rpartition("/")[0] for of, proxy in running if proxy.image and not of.proxy_image_set})
    if hub and theirs and hub not in theirs:
        yield warning(
            Topic.INJECTION,
            "The image of the new sidecars comes from another place",
            where=f"running ones: {listed(theirs)}; new ones: {hub}",
            why="nodes must reach it, pull secrets cover it and lists of allowed images have it: else restarted pods do not start",
            do=f"see to that first, or set global.hub: {theirs[0]} in {GIVEN}; without an IstioOperator of your own, mesh_hub",
        )
    crosses = older(snapshot.versions.get(old or ""), 1, 27) and target.version is not None and not older(target.version, 1, 27)
    if crosses and not older((kubernetes or "").removeprefix("v"), 1, 33) and any(not proxy.native for _of, proxy in running):
        yield warning(
            Topic.INJECTION,
            "Sidecars may become native ones with this upgrade",
            where=f"from Istio {snapshot.versions[old or '']} to {target.version}, on nodes of Kubernetes 1.33 or newer",
            why="istio-proxy is an init container then: it starts before the others, ends after them, and is to be looked for there",
            do=f'pilot.env.ENABLE_NATIVE_SIDECARS: "false" in {GIVEN} keeps it as it is, and for a pod sidecar.istio.io/nativeSidecar',
        )
