#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: injection_probe
short_description: Prove the injection before anything restarts
version_added: "0.1.0"
description:
  - Asks what would become of the next pods of one or hundreds of workloads, and fails where one would be refused,
    or would get another sidecar than the labels and the injectors' selectors say.
  - Nothing is stored. Each pod is the workload's own template, with labels, name and owner as its controller would give it.
  - Kinds are Deployment, StatefulSet, DaemonSet, CronJob, and what nothing else has made of ReplicaSet, ReplicationController and Job.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.istio_namespace
  - meshops.istio.choices.baseline
  - meshops.istio.wait
attributes:
  check_mode:
    support: full
    description:
      - Asks what can be asked. What cannot be, since an earlier task has not really moved a label or installed the control plane,
        is predicted, and marked as RV(predicted).
  diff_mode:
    support: full
    description: Shows the scratch namespaces of killed runs that are removed; there is nothing else to show.
  idempotent:
    support: full
    description: This module changes nothing, except that it removes scratch namespaces that a killed run of its own has left.
options:
  question:
    description:
      - V(probe) asks the API server, by dry runs, so with everything that takes part in admission there.
        It is judged as the user of this login; Pod Security and policies may judge the pods of a controller otherwise.
      - API servers answer from caches. So each namespace is asked about three times at least, by different pods where it has them,
        and an answer that is not as predicted counts when it has stayed so for five seconds, or for O(grace_time) if that is shorter.
      - V(rehearsal) asks the istiod of O(revision) itself, through the API server's proxy for Services, what it would answer.
        No label has to move for it. Pods that the API server would not send there even after the move are not asked about.
      - V(control_plane) makes a scratch namespace that asks for O(revision), asks about a pod in it as V(probe) does, and removes it again.
        Before that it compares the roots of trust of the control planes.
    type: str
    choices: [probe, rehearsal, control_plane]
    default: probe
  namespaces:
    description: All workloads of these namespaces.
    type: list
    elements: str
  workloads:
    description: These workloads, each as C(NAMESPACE/KIND/NAME), for example V(pay/deploy/api).
    type: list
    elements: str
  revision:
    description:
      - The revision of which every sidecar must be. Needed for O(question=rehearsal) and O(question=control_plane).
      - Without it, what the labels and selectors say now is all that is expected.
    type: str
  version:
    description: The expected Istio version of its sidecars; default is that of the control plane.
    type: str
  from_revision:
    description:
      - For O(question=control_plane), the control plane whose root of trust must be the same. Default is all others.
    type: str
"""

EXAMPLES = r"""
---
- name: Prove the new control plane, in a namespace that is made for it
  meshops.istio.injection_probe:
    kubeconfig: ~/.kube/eu-1
    question: control_plane
    revision: 1-30-3

- name: Rehearse every pod template before a label moves
  meshops.istio.injection_probe:
    kubeconfig: ~/.kube/eu-1
    question: rehearsal
    namespaces: [cart, checkout]
    revision: 1-30-3

- name: Ask the API server what the pods of a namespace would get now
  meshops.istio.injection_probe:
    kubeconfig: ~/.kube/eu-1
    namespaces: [cart]
"""

RETURN = r"""
---
msg:
  description: What was found or done, in one sentence.
  returned: always
  type: str
predicted:
  description: Whether some of the answers were computed from a snapshot and the plan, as in check mode, and not answered by the cluster.
  returned: success
  type: bool
error:
  description: Why it could not be done.
  returned: failure
  type: dict
  contains:
    kind:
      description: The kind of error, V(unproved) where a pod would be refused or would not be as it should be.
      type: str
    reason:
      description: The cause.
      type: str
    hint:
      description: What to do.
      type: str
problems:
  description:
    - One sentence for each workload whose pods would be refused, and by whom, or would not be as they should be.
    - The message names ten of them.
  returned: when the kind of the error is V(unproved)
  type: list
  elements: str
judged_as:
  description: The user as whom the API server was asked. None where it was not.
  returned: success
  type: str
workloads:
  description: What the next pod of each workload would get.
  returned: success
  type: list
  elements: dict
  contains:
    workload:
      description: Its path, C(NAMESPACE/KIND/NAME).
      type: str
    injectors:
      description: The MutatingWebhookConfigurations whose selectors match.
      type: list
      elements: str
    revision:
      description: The revision of the sidecar; none where there would be no sidecar.
      type: str
    version:
      description: Its Istio version; none where that is unknown.
      type: str
    image:
      description: Its image.
      type: str
    sidecar:
      description: V(native) or V(container).
      type: str
    predicted:
      description: Whether this was computed, and not answered.
      type: bool
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.injection_probe import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
