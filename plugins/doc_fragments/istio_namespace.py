# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of the namespace in which control planes and the upgrade's record are."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  istio_namespace:
    description: The namespace of the control planes, where the record of the upgrade is kept too.
    type: str
    default: istio-system
"""
