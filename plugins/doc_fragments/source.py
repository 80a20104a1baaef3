# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of what a control plane is installed from."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  provider:
    description:
      - What installs the control plane.
      - V(helm) makes a real release C(istiod-REVISION) of the istiod chart.
      - V(istioctl) renders an IstioOperator by C(istioctl manifest generate), and V(manifests) takes ready manifests. Both are applied by
        server-side apply, and what was applied is recorded in ConfigMap C(meshops-objects-REVISION).
    type: str
    choices: [helm, istioctl, manifests]
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
  istio_operator:
    description:
      - The IstioOperator, as the path of a file or as a mapping. Without it, one is made from the other options.
      - Revision, namespace, hub and tag are added to it. One that names another revision, namespace or version is refused.
    type: raw
  hub:
    description: Where the images come from, where O(istio_operator) names no hub.
    type: str
    default: docker.io/istio
  profile:
    description: The profile, where O(istio_operator) names none.
    type: str
    default: minimal
  istioctl:
    description: The istioctl binary, by name or path. It must be of the version that it renders.
    type: str
    default: istioctl
  manifests:
    description: Files with the manifests, or folders of them, in YAML or JSON.
    type: list
    elements: str
    default: []
  apply_shared:
    description:
      - Consent, with V(istioctl) and V(manifests), to apply what is not the revision's own.
      - Objects that all revisions share (CRDs and the rest of base, gateways, CNI, ztunnel) are left out without it,
        and named in a warning.
        Objects that belong to no control plane are refused without it.
      - CRDs are never applied where they would lose a version or a field. What is applied by this consent is never removed.
    type: bool
    default: false
"""
