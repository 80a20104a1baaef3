# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and versions of control planes. Pure."""

from __future__ import annotations

import re

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

REVISION = "istio.io/rev"
TAG = "istio.io/tag"
DEFAULT = "default"
"""The name of an unrevisioned control plane, in labels and on proxies."""

# The longest derived name is the ClusterRole istiod-gateway-controller-REV-NAMESPACE; the label value itself takes 63.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,54}[a-z0-9])?")
_SUFFIXES = re.compile(r"-(distroless|debug)$")
_TAG = re.compile(r":([\w][\w.-]*)$")
_VERSION = re.compile(r"\d+\.\d+(\.\d+)?([-+.][\w.-]*)?")


def service_of(revision: str) -> str:
    """The Service of a control plane, which has the name of its Deployment (istio.md, charts 1.9 to 1.30)."""
    return "istiod" if revision == DEFAULT else f"istiod-{revision}"


def check_revision(name: str) -> None:
    """Raises MeshError where Kubernetes or Istio would not take the name (a DNS-1123 label; ``default`` is the unrevisioned one)."""
    if name == DEFAULT:
        raise MeshError(
            'The revision to move to cannot be "default".',
            why="that is the name of an unrevisioned control plane, which cannot stand beside another",
            do="choose a name of its own, for example 1-30-3",
        )
    if not _NAME.fullmatch(name):
        raise MeshError(
            f'"{name}" is not a revision name.',
            why="Kubernetes takes lower-case letters, digits and dashes there, 56 characters at most, no dot, no dash at either end",
            do=f"for example {re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')[:56] or '1-30-3'}",
        )


def version_of_image(image: str) -> str | None:
    """The Istio version in an image's tag; None for what tells nothing (a digest, ``latest``, no tag)."""
    tag = _TAG.search(image.split("@")[0]) if "@" not in image else None
    version = _SUFFIXES.sub("", tag[1]) if tag else ""
    return version if _VERSION.fullmatch(version) else None


def numbers(version: str | None) -> tuple[int, int] | None:
    """Its first two; None for what is not known or no version."""
    found = re.match(r"(\d+)\.(\d+)", version or "")
    return (int(found[1]), int(found[2])) if found else None


def before(version: str | None, major: int, minor: int) -> bool:
    """Whether a version is known and older than MAJOR.MINOR."""
    found = numbers(version)
    return found is not None and found < (major, minor)
