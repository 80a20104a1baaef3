# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a pod's proxy is a native sidecar, that is an init container that keeps running (Kubernetes 1.29 and later). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..api import Json
from .patch import NATIVE
from .versions import at_least

SWITCH = "ENABLE_NATIVE_SIDECARS"


def native(pod: Json, version: str, environment: Mapping[str, str], kubelets: Mapping[str, str]) -> bool:
    """``kubelets`` are versions by node: that of the pod's node decides, or all of them where it has none yet."""
    asked: str | None = (pod["metadata"].get("annotations") or {}).get(NATIVE)
    if asked in ("true", "false"):
        return asked == "true"
    switch = environment.get(SWITCH, "auto" if at_least(version, "1.27") else "false")
    if switch != "auto":
        return switch == "true"
    node = pod["spec"].get("nodeName")
    concerned = [kubelets.get(node, "")] if node else list(kubelets.values())
    return bool(concerned) and all(at_least(kubelet, "1.33") for kubelet in concerned)
