# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload's template asks for besides injection, and how its controller replaces pods: what a restart depends on. Pure.

Source: Kubernetes documentation, "Deployments" (rolling update), "Volumes", "Assigning Pods to Nodes", "Taints and Tolerations".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector

HOSTNAME = "kubernetes.io/hostname"


class Named(StrEnum):
    """Kinds that a template may name objects of."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"
    ACCOUNT = "ServiceAccount"
    CLAIM = "PersistentVolumeClaim"


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of the same namespace that the template names, and that a new pod cannot do without."""

    kind: Named
    name: str
    where: str
    """Which part of the template names it: ``volume config``, ``envFrom of container app``."""
    pulls: bool = False
    """It is only for pulling images: without it a pod starts where its images are there already, or are public."""


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str

    @property
    def keeps_out(self) -> bool:
        return self.effect in ("NoSchedule", "NoExecute")


@dataclass(frozen=True, slots=True)
class Toleration:
    key: str
    exists: bool
    value: str
    effect: str
    """Empty for all."""

    def of(self, taint: Taint) -> bool:
        same = not self.key or self.key == taint.key
        return same and (self.exists or self.value == taint.value) and self.effect in ("", taint.effect)


@dataclass(frozen=True, slots=True)
class Apart:
    """A required anti-affinity against pods that the selector takes, within one such domain of nodes."""

    topology: str
    selector: Selector


@dataclass(frozen=True, slots=True)
class Replacing:
    """How many pods more than wanted there may be while pods are replaced, and how many may be missing; ``25%`` or a number."""

    surge: str = "0"
    unavailable: str = "1"
    recreate: bool = False
    """All go before the first new one comes."""

    def at_most(self, replicas: int) -> tuple[int, int]:
        """Surge is rounded up and what may be missing down, and if both come to nothing one may be missing (as the controller does it)."""
        surge, missing = _share(self.surge, replicas, up=True), _share(self.unavailable, replicas, up=False)
        return (surge, missing) if surge or missing else (0, 1)

    def beside(self, replicas: int) -> bool:
        """A new pod has to be ready beside the old ones before the first of them goes."""
        surge, missing = self.at_most(replicas)
        return replicas > 0 and not self.recreate and surge > 0 and missing == 0


def _share(text: str, replicas: int, *, up: bool) -> int:
    number = text.removesuffix("%")
    if not number.isdigit():
        return 0
    if number == text:
        return int(number)
    return -(-int(number) * replicas // 100) if up else int(number) * replicas // 100


@dataclass(frozen=True, slots=True)
class Demands:
    references: tuple[Reference, ...] = ()
    claims: tuple[str, ...] = ()
    """PersistentVolumeClaims that all its pods share."""
    ports: tuple[int, ...] = ()
    """Of the node itself (``hostPort``, or all of them with ``hostNetwork``)."""
    apart: tuple[Apart, ...] = ()
    resources: Resources = field(default_factory=Resources)
    """Of one pod, as the template has it: without a sidecar."""
    sidecar: Resources | None = None
    """Of its sidecar, where its own annotations say it (``sidecar.istio.io/proxyCPU`` and the like)."""
    replacing: Replacing = field(default_factory=Replacing)
    nodes: Mapping[str, str] = field(default_factory=dict)
    """Labels that a node must have (``nodeSelector``)."""
    tolerations: tuple[Toleration, ...] = ()


NONE = Demands()
