# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of what a control plane is installed from."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  provider:
    description: What installs the control plane.
    type: str
    choices: [helm]
    default: helm
  chart:
    description: The istiod chart, as a path or a name that helm takes.
    type: str
  values:
    description:
      - Values for the chart. The revision and C(global.istioNamespace) are added to them.
    type: dict
    default: {}
  helm:
    description: The helm binary (3.13 or newer), by name or path.
    type: str
    default: helm
"""
