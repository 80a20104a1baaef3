#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: workload_restart
short_description: Restart what is stale, each workload once
version_added: "0.1.0"
description:
  - Restarts Deployments whose pods have another proxy than new ones would get, a few at a time, and waits until each is rolled out.
  - Orphaned workloads, which would lose their sidecar, are never restarted.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.wait
options:
  namespaces:
    description: The namespaces.
    type: list
    elements: str
    required: true
  revision:
    description:
      - The revision that the namespaces move to; only check mode needs it, to predict what would be stale then.
      - With O(restored=true), the revision that they leave. What has its sidecar, and would get none now, loses it again by its restart.
    type: str
  version:
    description: The Istio version of that revision. Only check mode needs it.
    type: str
  restored:
    description: Whether the namespaces get their former labels back. Only check mode needs it.
    type: bool
    default: false
  concurrency:
    description: How many Deployments roll at the same time.
    type: int
    default: 10
"""

EXAMPLES = r"""
---
- name: Restart what is stale
  meshops.istio.workload_restart:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart, checkout]
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
restarted:
  description: The workloads that were restarted, as C(NAMESPACE/KIND/NAME).
  returned: success
  type: list
  elements: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.workload_restart import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
