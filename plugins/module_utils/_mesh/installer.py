# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has installed a control plane, by what installers leave on its Deployment. Pure.

Source: Istio operator/pkg/install/install.go (istioctl's labels), Helm's annotations, Sail pkg/helm/postrenderer.go, asmcli's package
(hub ``gcr.io/gke-release/asm`` or ``gke.gcr.io/asm``, release ``-asm.N``), Google's managed.sh (revisions and their url).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_RELEASE = "meta.helm.sh/release-name"
_ISTIOCTL = ("install.operator.istio.io/owning-resource-namespace", "operator.istio.io/managed")
_SAIL, _SAIL_VALUE, _SAIL_GROUP = "managed-by", "sail-operator", "sailoperator.io"
_ASM = re.compile(r"^(?:gcr\.io/gke-release/asm|gke\.gcr\.io/asm)/|-asm\.\d+")
_MANAGED = re.compile(r"asm-managed(-rapid|-stable)?")
_GOOGLE = re.compile(r"^https://[^/]*\.googleapis\.com[:/]")
OURS = "meshops"


class By(StrEnum):
    ISTIOCTL = "istioctl"
    HELM = "helm"
    SAIL = "sail"
    ASMCLI = "asmcli"
    GOOGLE = "google-managed"
    MESHOPS = "meshops"
    """This collection, by istioctl's or somebody's manifests; what it installs by helm is helm's."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Installed:
    by: By
    evidence: str
    """What was seen that says so; for unknown, what was looked for."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What of an object tells who made it."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    """``KIND/NAME`` of each, with the API group in front of the kind where it is not one of Kubernetes' own."""
    applied_by: frozenset[str] = frozenset()
    """Field managers that have server-side applied it."""
    image: str = ""


UNKNOWN = Installed(By.UNKNOWN, "nothing is known of its Deployment")


def installed_by(marks: Marks) -> Installed:
    """The most particular first: Sail installs by charts, asmcli by istioctl, and each leaves the other's marks too."""
    owner = next((one for one in marks.owners if one.startswith(f"{_SAIL_GROUP}/")), None)
    if owner:
        return Installed(By.SAIL, f"its owner {owner.removeprefix(f'{_SAIL_GROUP}/')}")
    if marks.labels.get(_SAIL) == _SAIL_VALUE:
        return Installed(By.SAIL, f"label {_SAIL}={_SAIL_VALUE}")
    if _ASM.search(marks.image):
        return Installed(By.ASMCLI, f"image {marks.image}")
    if OURS in marks.applied_by:
        return Installed(By.MESHOPS, f"field manager {OURS}")
    if _RELEASE in marks.annotations:
        return Installed(By.HELM, f"annotation {_RELEASE}={marks.annotations[_RELEASE]}")
    label = next((one for one in _ISTIOCTL if one in marks.labels), None)
    if label:
        return Installed(By.ISTIOCTL, f"label {label}={marks.labels[label]}")
    return Installed(By.UNKNOWN, "neither a label or annotation nor an owner of an installer that is known")


def managed_by(revision: str, url: str) -> Installed:
    """Of a control plane that has no Deployment here, since it is called by a url."""
    if _MANAGED.fullmatch(revision):
        return Installed(By.GOOGLE, f"revision {revision}, one of Google's channels")
    if _GOOGLE.match(url):
        return Installed(By.GOOGLE, f"its injector calls {url.split('/')[2]}")
    return Installed(By.UNKNOWN, f"its injector calls {url}, outside of this cluster")
