#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: control_plane
short_description: A revisioned Istio control plane, present or absent
version_added: "0.1.0"
description:
  - Installs istiod of a revision beside the running one, and waits until it can inject.
  - It can when its Deployment is rolled out, its Service has endpoints and each webhook entry has a caBundle.
  - With provider V(helm) it is a real Helm release. Else what is rendered is applied by server-side apply, all of it as a dry run first, so
    that what the API server refuses is told before the first write. What istiod and autoscalers fill in is left to them.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.source
  - meshops.istio.istio_namespace
  - meshops.istio.wait
options:
  state:
    description:
      - Whether it is there.
      - V(absent) refuses while anything needs the revision, that is namespaces, the way back of namespaces, labels of pod templates (of
        CronJobs and Jobs, too), tags, webhooks that call its Service, running proxies, gateways, and objects of Istio with its label.
      - It refuses also where a proxy runs of which neither annotations nor addresses tell the control plane.
      - Then a Helm release is uninstalled, unless a tag that it made is still followed.
      - Of any other control plane that is removed whose name only this revision has, whose UID is on record, and that nobody else owns;
        webhooks first. It is recorded when it is installed here, or when an upgrade away from it begins. Objects with C(istio.io/tag), CRDs
        and the rest of base, and CA secrets always stay.
    type: str
    choices: [present, absent]
    default: present
  revision:
    description: The name of the control plane, which its objects carry. V(default) is the unrevisioned one, which can only be V(absent).
    type: str
    required: true
  version:
    description:
      - The Istio version that is expected; what renders another image tag is refused.
      - It also picks the chart's version where O(chart) is a name and not a path.
    type: str
  successor:
    description:
      - The revision that takes over from the one that goes; only for O(state=absent).
      - In check mode, what it will take over is looked at as if it had, which is the default tag and validator, and the way back.
      - Else nothing is overlooked.
    type: str
  default_tag:
    description: What becomes of the default tag where the revision that goes has it; only with O(successor), which is given it or not.
    type: str
    choices: [move, remove]
    default: move
  from_revision:
    description:
      - The control plane beside which this one is installed.
      - It is given at least as many replicas as that one has, and a PodDisruptionBudget where that one has one.
      - Values of your own for the number of replicas are kept; where they are lower, the installation is refused.
    type: str
"""

EXAMPLES = r"""
---
- name: Install 1.30.3 beside the running control plane
  meshops.istio.control_plane:
    kubeconfig: ~/.kube/eu-1
    revision: 1-30-3
    version: 1.30.3
    chart: istio/istiod

- name: The same from an IstioOperator, rendered by the istioctl of that version
  meshops.istio.control_plane:
    kubeconfig: ~/.kube/eu-1
    revision: by-istioctl
    version: 1.30.3
    from_revision: 1-30-3
    provider: istioctl
    istioctl: ~/bin/istioctl-1.30.3
    istio_operator:
      apiVersion: install.istio.io/v1alpha1
      kind: IstioOperator
      spec:
        profile: minimal

- name: Remove it again
  meshops.istio.control_plane:
    kubeconfig: ~/.kube/eu-1
    revision: by-istioctl
    provider: istioctl # else helm is asked first
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
revision:
  description: The revision.
  returned: success
  type: str
version:
  description: The Istio version that is rendered.
  returned: success, with O(state=present)
  type: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.control_plane import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
