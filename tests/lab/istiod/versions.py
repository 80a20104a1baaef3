# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio versions, as far as the stand-in's behaviour depends on them. Pure."""

from __future__ import annotations

import re


def at_least(version: str, wanted: str) -> bool:
    """Whether a version like ``1.29.6`` or ``v1.33.0-gke.5`` is this one or a later one. What is no version is none of them."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    major, _dot, minor = wanted.partition(".")
    return found is not None and (int(found[1]), int(found[2])) >= (int(major), int(minor))


def version_of(image: str) -> str:
    """The tag of an image without the suffix of its variant; empty for one that is pinned by digest."""
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    return tag.removesuffix("-distroless").removesuffix("-debug")
