# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an istiod that was asked injects: the second stage of Istio's decision (pkg/kube/inject, 1.10 to 1.30). Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ..api import Json
from .selectors import matches
from .versions import at_least

INJECT = "sidecar.istio.io/inject"
SYSTEM_NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")


@dataclass(frozen=True, slots=True)
class Policy:
    """What its ConfigMap says about pods that do not say it themselves.

    The selectors are those of Kubernetes, over pod labels, but that an empty one matches nothing here.
    """

    enabled: bool = True
    never: tuple[Json, ...] = ()
    always: tuple[Json, ...] = ()


def injects(version: str, policy: Policy, namespace: str, pod: Json) -> bool:
    """An istiod of ``version``, asked about a pod as it arrives from the API server."""
    if pod["spec"].get("hostNetwork") or namespace in SYSTEM_NAMESPACES:
        return False
    labels: dict[str, str] = pod["metadata"].get("labels") or {}
    annotations: dict[str, str] = pod["metadata"].get("annotations") or {}
    said = annotations.get(INJECT, "")
    wish = _wish(version, labels.get(INJECT, said) if at_least(version, "1.12") else said)
    if wish is not None:
        return wish
    if any(_matches(selector, labels) for selector in policy.never):
        return False
    return any(_matches(selector, labels) for selector in policy.always) or policy.enabled


def _matches(selector: Json, labels: dict[str, str]) -> bool:
    return bool(selector.get("matchLabels") or selector.get("matchExpressions")) and matches(selector, labels)


def _wish(version: str, said: str) -> bool | None:
    """None where the pod leaves it to the policy. From 1.27 on only two words count; before, every other word was a no."""
    if at_least(version, "1.27"):
        return {"true": True, "false": False}.get(said)
    return said.lower() in ("y", "yes", "true", "on") if said else None
