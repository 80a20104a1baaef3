#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: proxy_check
short_description: Prove that workloads run the wanted proxies
version_added: "0.1.0"
description:
  - Waits until every pod is Ready with a ready sidecar, container or native, of the wanted revision and version.
  - Pods of Jobs come to their end by themselves, and are not waited for. What is left to a person is named.
  - Where it cannot be told what a new pod would get, pods are held against O(revision) if that is given, and need only be ready if not.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.reads
  - meshops.istio.choices
  - meshops.istio.choices.baseline
  - meshops.istio.wait
options:
  namespaces:
    description: The namespaces.
    type: list
    elements: str
    required: true
  revision:
    description: The wanted revision; default is what a new pod would get.
    type: str
  version:
    description: The wanted Istio version; default is that of the control plane that a new pod would get its sidecar from.
    type: str
"""

EXAMPLES = r"""
---
- name: Prove a move
  meshops.istio.proxy_check:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart, checkout]
    revision: 1-30-3
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
workloads:
  description: The workloads that were proved, as C(NAMESPACE/KIND/NAME).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.proxy_check import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
