#!/usr/bin/python
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mesh_info
short_description: Tell what is true of a mesh now
version_added: "0.1.0"
description:
  - Reads control planes, injectors, namespaces with what they resolve to, and workloads with the revision of their proxies.
  - One list call a kind over the whole cluster; nothing is written.
author: [The meshops.istio authors (@meshops)]
extends_documentation_fragment:
  - meshops.istio.auth
  - meshops.istio.attributes
  - meshops.istio.attributes.reads
  - meshops.istio.istio_namespace
options:
  report:
    description: Print the status table at once, besides returning it.
    type: bool
    default: false
  cluster_name:
    description: The name of the cluster in the table; default is the URL of its API server.
    type: str
"""

EXAMPLES = r"""
---
- name: See which workloads are stale
  meshops.istio.mesh_info:
    kubeconfig: ~/.kube/eu-1
  register: mesh

- name: Name them
  ansible.builtin.debug:
    msg: "{{ mesh.workloads | selectattr('stale') | map(attribute='name') }}"
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
cluster_uid:
  description: The UID of namespace C(kube-system), which tells this cluster from any other.
  returned: success
  type: str
kubernetes:
  description: The API server's version.
  returned: success
  type: str
report:
  description: The status table, line by line.
  returned: success
  type: list
  elements: str
control_planes:
  description: Revision, namespace, name, version and whether it is ready.
  returned: success
  type: list
  elements: dict
injectors:
  description: Name, revision, tag, Service, whether it is disabled, and whether each entry has a CA.
  returned: success
  type: list
  elements: dict
namespaces:
  description: Name, injection labels, the revision that a plain pod gets, and recorded prior labels.
  returned: success
  type: list
  elements: dict
workloads:
  description: Kind, namespace, name, the revision that a new pod gets, revisions of the running proxies, and standing.
  returned: success
  type: list
  elements: dict
"""

from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import run_module
from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_info import VERB


def main() -> None:
    run_module(VERB)


if __name__ == "__main__":
    main()
