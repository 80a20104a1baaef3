#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: injection_webhook
short_description: The injector of a revision that nothing renders, or of an istiod that is called by url
version_added: "0.1.0"
description:
  - Makes the MutatingWebhookConfiguration of a revision, with exactly the entries that Istio's own chart has for its version.
  - For an istiod that is managed, runs elsewhere, or is installed without webhooks (C(global.operatorManageWebhooks)).
  - An injector that a helm release, M(meshops.istio.control_plane) or C(istioctl) renders is refused.
    Tags belong to M(meshops.istio.revision_tag).
  - No empty caBundle is ever written, and what istiod fills in stays. A new one matches nothing until istiod has filled in its caBundle.
  - It is refused where another injector would take the same pods. The labels of such a namespace are named.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.istio_namespace
  - meshops.istio.wait
options:
  state:
    description:
      - V(present) makes it, or corrects it. One that was disabled here is given back exactly as it was, to whomever it belongs.
      - V(disabled) lets it match nothing, and keeps what it matched in an annotation.
      - V(absent) removes one that this module made.
      - V(disabled) and V(absent) are refused while new pods get their sidecars by it alone.
    type: str
    choices: [present, disabled, absent]
    default: present
  revision:
    description: The revision whose pods it injects. V(default) is the unrevisioned control plane.
    type: str
    required: true
  version:
    description:
      - The Istio version, on which the entries depend (one up to 1.9, more from 1.10 on).
      - Default is that of the revision's Deployment, where there is one.
    type: str
  url:
    description: Where it is called, for an istiod that is no Service of this cluster.
    type: str
  service:
    description: The Service that is called, in O(istio_namespace). Default is that of the revision, C(istiod-REVISION).
    type: str
  path:
    description: The path at that Service; default V(/inject).
    type: str
  ca_bundle:
    description:
      - The certificates by which it is known, in PEM, as text or in base64.
      - Needed only where no istiod fills them in, and for a url whose certificate is not of a public authority.
    type: str
  all_namespaces:
    description: Whether it also injects where a namespace says nothing (C(enableNamespacesByDefault)); for V(default) only.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Let an istiod that is managed elsewhere inject
  meshops.istio.injection_webhook:
    kubeconfig: ~/.kube/eu-1
    revision: asm-managed
    url: https://istiod.example.com/inject/cluster/eu-1

- name: Keep it, but let it match nothing for now
  meshops.istio.injection_webhook:
    kubeconfig: ~/.kube/eu-1
    revision: asm-managed
    state: disabled

- name: Remove it again
  meshops.istio.injection_webhook:
    kubeconfig: ~/.kube/eu-1
    revision: asm-managed
    state: absent
"""

RETURN = r"""
---
msg:
  description: What was found or done, in one sentence.
  returned: always
  type: str
predicted:
  description: Whether the answer was computed from a snapshot and the plan, as in check mode, and not answered by the cluster.
  returned: success
  type: bool
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  contains:
    kind:
      description: The kind of error.
      type: str
    reason:
      description: The cause.
      type: str
    hint:
      description: What to do.
      type: str
name:
  description: The name of the MutatingWebhookConfiguration.
  returned: success
  type: str
revision:
  description: The revision.
  returned: success
  type: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.injection_webhook import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
