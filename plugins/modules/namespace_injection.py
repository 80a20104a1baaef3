#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: namespace_injection
short_description: Move namespaces to a revision, or back
version_added: "0.1.0"
description:
  - One patch per namespace removes the one label, sets the other and writes the prior labels into an annotation.
  - O(state=restored) gives back exactly those and removes the annotation.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.istio_namespace
options:
  state:
    description:
      - V(present) moves the namespaces to O(revision).
      - V(absent) takes their labels away, so that new pods get no sidecar any more. It is refused where they would all the same.
        The running pods keep theirs until O(meshops.istio.workload_restart#module:leaving) restarts them.
      - V(undone) takes the last move to O(revision) back by the labels alone, where nothing was restarted yet.
        A namespace that was not moved to it, or not by this module, is left alone.
      - V(restored) gives back the labels that were there before, and removes the annotation.
      - A namespace that was made anew is named and left alone.
      - V(kept) leaves the labels as they are and removes the annotation, so that there is no way back any more.
    type: str
    choices: [present, absent, undone, restored, kept]
    default: present
  namespaces:
    description: The namespaces; for O(state=restored) and O(state=kept) default is all that have recorded labels.
    type: list
    elements: str
  revision:
    description: The revision to move to; needed for O(state=present) and O(state=undone). It is refused where no injector serves it.
    type: str
"""

EXAMPLES = r"""
---
- name: Move two namespaces
  meshops.istio.namespace_injection:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart, checkout]
    revision: 1-30-3

- name: Give all moved namespaces their labels back
  meshops.istio.namespace_injection:
    kubeconfig: ~/.kube/eu-1
    state: restored

# A namespace leaves the mesh: a move like any other. Until its way back is given up (state=kept), a rollback gives the sidecars back.
- name: Take a namespace out of the mesh
  meshops.istio.namespace_injection:
    kubeconfig: ~/.kube/eu-1
    state: absent
    namespaces: [batch]

- name: Restart what has a sidecar still
  meshops.istio.workload_restart:
    kubeconfig: ~/.kube/eu-1
    namespaces: [batch]
    leaving: 1-30-3

- name: Prove that no sidecar is left
  meshops.istio.proxy_check:
    kubeconfig: ~/.kube/eu-1
    namespaces: [batch]
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
namespaces:
  description: The namespaces that it concerns.
  returned: success
  type: list
  elements: str
moved:
  description: Those of them whose labels were changed.
  returned: success
  type: list
  elements: str
undoable:
  description: Those that were moved now, or by a run that was killed before anything restarted. O(state=undone) takes their move back.
  returned: when O(state=present)
  type: list
  elements: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.namespace_injection import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
