# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of installing a control plane, by whatever provider."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Difference


@dataclass(frozen=True, slots=True)
class Installed:
    version: str | None
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]
    was_there: bool
    least: int
    """With how many replicas it begins."""
