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
  - Replaces pods that have another proxy than new ones would get, each workload by the recipe of its kind, a few at a time, and waits until
    each is rolled out.
  - Deployments, StatefulSets and DaemonSets get a stamp on their template, as by C(kubectl rollout restart), and their controllers roll all
    their pods, also those that are right already. What the stamp was before is kept in the annotation C(meshops.io/prior-restart).
  - Of StatefulSets and DaemonSets with OnDelete, StatefulSets with a partition, ReplicaSets and ReplicationControllers without an
    owner, just the stale pods are evicted, one at a time, each when all others are ready; of a StatefulSet the highest ordinal first.
    Those that were not ready before the first one went are evicted before the others, and wait for none.
  - Of a kind that is declared nothing is read but its pods. It is restarted when as many as it had are ready again.
  - A broken pod that was never ready, and that keeps the controller of an ordered StatefulSet from going on, is deleted; Kubernetes asks
    for that to be done by hand. It is broken where a container cannot run or no node takes it; with O(restored), whatever it is.
  - Jobs are waited for. Bare pods, paused Deployments, and kinds that nobody has declared are left, and named.
  - Orphaned workloads, which would lose their sidecar, are never restarted, except with O(leaving).
  - Workloads of which it cannot be told what their new pods would get are not restarted either, and are named with the reason.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.choices
  - meshops.istio.choices.decided
  - meshops.istio.choices.baseline
  - meshops.istio.wait
options:
  namespaces:
    description: The namespaces.
    type: list
    elements: str
    required: true
  revision:
    description: The revision that the namespaces move to; only check mode needs it, to predict what would be stale then.
    type: str
  version:
    description: The Istio version of that revision. Only check mode needs it.
    type: str
  restored:
    description:
      - Whether the namespaces have their former labels again. A restart of ours is taken back then, by the stamp that was there before,
        also where it is stuck half way. Pods that had not been replaced yet stay as they are.
    type: bool
    default: false
  leaving:
    description:
      - A revision whose sidecars go. What has its sidecar, and would get none now, loses it by its restart.
      - For a rollback of a first onboarding, and for namespaces that leave the mesh.
    type: str
  concurrency:
    description: How many workloads roll at the same time.
    type: int
    default: 10
"""

EXAMPLES = r"""
---
- name: Restart what is stale
  meshops.istio.workload_restart:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart, checkout]

- name: Restart what is stale, Argo Rollouts included, and bare pods too
  meshops.istio.workload_restart:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart, checkout]
    bare_pods: evict
    recipes:
      - kind: Rollout
        group: argoproj.io
        version: v1alpha1
        resource: rollouts
        recipe: stamp
        path: [spec, restartAt]
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
evicted:
  description: The pods that were evicted or deleted one by one, as C(NAMESPACE/pod/NAME).
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
