#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: revision_tag
short_description: A revision tag with all that belongs to it, moved without a gap
version_added: "0.1.0"
description:
  - A tag is a name that namespaces follow by C(istio.io/rev=TAG), and C(default) also by C(istio-injection=enabled).
  - It consists of a MutatingWebhookConfiguration, from Istio 1.28 on of a Service, and for C(default) of the cluster-wide validator.
  - They move in an order in which no pod is refused or left without a sidecar.
    The validator comes first and is proved by a VirtualService that is accepted.
    Then come the webhook, with label, Service and caBundle in one write, and the tag's Service.
    Last, for C(default), the unrevisioned injector is disabled, when the tag is seen to work.
  - Proofs are dry runs and store nothing. A run that was killed is simply started again.
  - Running pods keep their sidecars. M(meshops.istio.workload_restart) restarts what is stale.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.writes
  - meshops.istio.istio_namespace
options:
  state:
    description:
      - V(present) makes the tag, or moves it to O(revision). One that C(istioctl) made is taken over.
      - V(absent) removes the tag. It is refused while a namespace, a pod template or a Gateway follows it. Nothing takes its place.
      - What a helm release renders by its value C(revisionTags) is refused, and the release is named.
    type: str
    choices: [present, absent]
    default: present
  tag:
    description: The name of the tag. It must not be that of a control plane, except V(default).
    type: str
    required: true
  revision:
    description: The control plane to point at; needed for O(state=present). V(default) is the unrevisioned one.
    type: str
  from_revision:
    description:
      - Only what this control plane has is moved or removed; a tag of another one, or none, is left alone.
      - For the end of an upgrade, where what the old control plane served follows to the new one.
    type: str
  validator_only:
    description:
      - Only points the cluster-wide validator C(istiod-default-validator) at O(revision), where there is one.
      - For a mesh without a default tag, whose validator the chart C(base) made for a control plane that is to be removed.
    type: bool
    default: false
  wait_timeout:
    description: Seconds until the API server's answers must agree.
    type: int
    default: 60
"""

EXAMPLES = r"""
---
- name: Point the tag prod at the new control plane
  meshops.istio.revision_tag:
    kubeconfig: ~/.kube/eu-1
    tag: prod
    revision: 1-30-3

- name: Let istio-injection=enabled and validation follow to the new control plane
  meshops.istio.revision_tag:
    kubeconfig: ~/.kube/eu-1
    tag: default
    revision: 1-30-3

- name: Remove a tag that nobody follows any more
  meshops.istio.revision_tag:
    kubeconfig: ~/.kube/eu-1
    tag: prod
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
tag:
  description: The tag.
  returned: success
  type: str
revision:
  description: The control plane that it points at; null where it is absent.
  returned: success
  type: str
followers:
  description: The namespaces whose plain pods get their sidecars by the tag. Their workloads are stale after a move.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.revision_tag import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
