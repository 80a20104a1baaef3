#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: upgrade_plan
short_description: Tell what an upgrade would move and restart, and what stands in its way
version_added: "0.1.0"
description:
  - Computes the upgrade from one snapshot of the cluster, and fails where something stands in its way; the plan is returned all the same.
  - Nothing is written.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.reads
  - meshops.istio.source
  - meshops.istio.choices
  - meshops.istio.choices.decided
  - meshops.istio.istio_namespace
options:
  revision:
    description: The revision to move to.
    type: str
    required: true
  version:
    description: The Istio version that the revision is expected to run; default is what the chart renders.
    type: str
  from_revision:
    description: The old revision; needed only where there are several.
    type: str
  waves:
    description:
      - Waves in their order, each a list of namespaces or a label selector.
      - Default is one wave with all that the old control plane injects by its own name. Followers of a tag are moved only when named.
    type: list
    elements: raw
    default: []
  exclude:
    description: Namespaces that stay as they are.
    type: list
    elements: str
    default: []
  install:
    description: Whether the control plane is to be installed too, so that chart, helm and the rights for it are checked.
    type: bool
    default: false
  plan:
    description:
      - A plan that must still hold, as the path of a JSON file or as what this module has returned as RV(plan).
      - Where what decides has changed for a wave that is not done, the task fails and names what has changed, ten at most.
    type: raw
  concurrency:
    description: How many workloads are to roll at the same time, for the minutes that it may take.
    type: int
    default: 10
  report:
    description: Print the plan at once, besides returning it.
    type: bool
    default: false
"""

EXAMPLES = r"""
---
- name: Plan an upgrade in two waves
  meshops.istio.upgrade_plan:
    kubeconfig: ~/.kube/eu-1
    revision: 1-30-3
    waves:
      - [cart]
      - team=pay
"""

RETURN = r"""
---
msg:
  description: What was found or done, in one sentence.
  returned: always
  type: str
predicted:
  description: Whether the answer was computed from a snapshot and the plan, as in check mode, and not answered by the cluster.
  returned: success, and where something blocks
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
cluster_uid:
  description: The UID of namespace C(kube-system), which tells this cluster from any other.
  returned: success, and where something blocks
  type: str
version:
  description: The Istio version of the new control plane, as far as it is known.
  returned: success, and where something blocks
  type: str
findings:
  description:
    - What you should know before anything moves, blockers first, each by its topic.
    - Where something blocks, the task fails, and returns all of the plan beside its error.
  returned: success, and where something blocks
  type: list
  elements: dict
  contains:
    weight:
      description: C(blocker) where nothing is begun while it holds, else C(warning), or C(note) where nothing is wrong.
      type: str
    topic:
      description:
        - What it is about.
        - One of C(waves), C(injection), C(rights), C(versions), C(meaning), C(disruption), C(drift) and C(ownership).
      type: str
    what:
      description: The fact, in one sentence.
      type: str
    where:
      description: Where it was seen.
      type: str
    why:
      description: Why it matters.
      type: str
    do:
      description: The command or the variable that resolves it.
      type: str
plan:
  description:
    - All of it as one document in a stable order, to be kept and given back as O(plan).
    - C(hash) is over what decides (injectors, tags, labels of namespaces, identity, strategy and injection fields of workloads);
      not over pods, replicas or status.
  returned: success, and where something blocks
  type: dict
from_revision:
  description: The old revision.
  returned: success, and where something blocks
  type: str
waves:
  description: The namespaces of each wave.
  returned: success, and where something blocks
  type: list
  elements: list
moves:
  description: Namespaces whose labels would change, before and after.
  returned: success, and where something blocks
  type: list
  elements: dict
restarts:
  description: Workloads that would restart, as C(NAMESPACE/KIND/NAME).
  returned: success, and where something blocks
  type: list
  elements: str
ways:
  description: How each workload that would be stale gets its new sidecars, or that it is left, and to whom.
  returned: success, and where something blocks
  type: list
  elements: dict
  contains:
    workload:
      description: The workload, as C(NAMESPACE/KIND/NAME).
      type: str
    recipe:
      description: One of C(stamp), C(evict), C(wait), C(report) and C(needs you).
      type: str
    how:
      description: The same as a sentence.
      type: str
    variable:
      description: The variable of role C(mesh) that decides it, where one does.
      type: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.upgrade_plan import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
