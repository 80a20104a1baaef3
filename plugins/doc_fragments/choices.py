# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation of how workloads of each kind get their new sidecars."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  recipes:
    description:
      - How workloads of kinds that are not built into Kubernetes are restarted. One that is not named here needs you, and blocks a plan.
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description: The kind that owns the pods, or that owns the ReplicaSets that do, for example V(Rollout).
        type: str
        required: true
      group:
        description: The group of its API, for example V(argoproj.io).
        type: str
        default: ""
      recipe:
        description:
          - V(evict) evicts its stale pods, one at a time, each when the one before is there again and ready.
          - V(stamp) writes the time into its O(recipes[].path), and its controller does the rest.
          - V(report) leaves it to you.
        type: str
        choices: [evict, stamp, report]
        required: true
      version:
        description: The version of its API, for example V(v1alpha1). Needed for V(stamp).
        type: str
      resource:
        description: Its plural in the paths of its API, for example V(rollouts). Needed for V(stamp).
        type: str
      path:
        description:
          - Where the stamp goes, for example V([spec, restartAt]).
          - Default is the annotation C(kubectl.kubernetes.io/restartedAt) of its pod template.
        type: list
        elements: str
"""

    DECIDED = r"""
options:
  respect_pdb:
    description:
      - Whether a restart waits until each PodDisruptionBudget that selects the workload's pods allows a disruption. Each workload of the
        same budget that is rolling takes one of those that it allows.
      - This is a policy of this collection. In Kubernetes these budgets guard evictions, and no rollout asks for them.
      - Evictions always respect them.
      - On the way back, what is not healthy is not held back by them.
    type: bool
    default: true
  jobs:
    description:
      - V(wait) waits until the running pods of Jobs, those of CronJobs included, have come to their end. Their next pods get the new
        sidecar.
      - V(report) leaves them, and names them.
    type: str
    choices: [wait, report]
    default: wait
  bare_pods:
    description:
      - V(report) leaves pods that nobody would make anew, and names them.
      - V(evict) evicts them. Nobody makes them anew.
    type: str
    choices: [report, evict]
    default: report
"""

    BASELINE = r"""
options:
  baseline:
    description:
      - What was unhealthy before the upgrade, as C(record.baseline) of M(meshops.istio.upgrade_state) gives it.
      - A workload in it does not fail the task as long as it is no worse than it was. It is named in a warning, when it has not come
        right within O(grace_time).
    type: dict
    default: {}
"""
