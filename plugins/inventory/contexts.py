# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
name: contexts
short_description: Contexts of a kubeconfig as hosts
version_added: "0.1.0"
author: The meshops.istio authors (@meshops)
description:
  - Each context of one or more kubeconfigs becomes a host, which is a cluster to this collection.
  - The inventory file is called C(contexts.yml) or C(mesh.yml), or ends in C(.contexts.yml) or C(.mesh.yml); C(.yaml) does as well.
  - A host is called as its context. Where that is no name for a host, as with C(arn:aws:eks:eu-west-1:1:cluster/pay), other characters
    become C(-) and six digits that belong to the context's exact name are added. The name stays the same when other contexts come and go.
  - Variables of each host are C(mesh_kubeconfig) and C(mesh_context), which say how the cluster is reached; C(mesh_context_cluster) and
    C(mesh_context_server), the name and the address of its cluster in the kubeconfig, to group by; and C(mesh_cluster_uid) with O(ask).
  - What logs in to a cluster (tokens, keys, passwords) never leaves the kubeconfig.
notes:
  - Ansible goes on without an inventory that cannot be read, and finds no hosts then.
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) makes it stop.
extends_documentation_fragment:
  - constructed
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [meshops.istio.contexts]
  kubeconfig:
    description:
      - Paths of kubeconfigs, as a list, or as a text with C(:) between them. A relative path is relative to the inventory file.
      - They are merged as kubectl does it, that is the first file that names a context, cluster or user wins.
        What another file hides is warned of.
      - Falls back to E(K8S_AUTH_KUBECONFIG), then E(KUBECONFIG). A C(~/.kube/config) that nobody named does not count.
    type: raw
    env:
      - name: KUBECONFIG
      - name: K8S_AUTH_KUBECONFIG # the last one that is set wins
  include:
    description: Which contexts become hosts, by their exact names or by patterns as a shell has them (C(*), C(?), C([...])).
    type: list
    elements: str
    default: ["*"]
  exclude:
    description: Which of these do not.
    type: list
    elements: str
    default: []
  prefix:
    description: What the names of the hosts begin with. Keeps apart what two inventory files bring from kubeconfigs with the same names.
    type: str
    default: ""
  ask:
    description:
      - Whether each cluster is asked for the UID of its namespace C(kube-system).
        It becomes C(mesh_cluster_uid), to which each module holds the cluster.
      - A cluster that does not answer is warned of, and stays a host.
    type: bool
    default: false
  same_cluster:
    description:
      - What happens where several contexts are one cluster, told by address and CA, or with O(ask) by UID.
      - With V(error) there is no inventory until all but one are left out by O(exclude). With V(warn) they are hosts of their own.
      - The playbooks refuse two hosts of one play that are one cluster in any case.
    type: str
    choices: [error, warn]
    default: error
"""

EXAMPLES = r"""
---
# contexts.yml: all clusters of the environment's KUBECONFIG
plugin: meshops.istio.contexts

---
# fleet.mesh.yml: the clusters of two files, first the canary
plugin: meshops.istio.contexts
kubeconfig:
  - ~/.kube/eu
  - ~/.kube/us
include: ["*prod*"]
exclude: ["*-old", "admin@*"]
groups:
  canary: mesh_context == 'eu-prod-1'
keyed_groups:
  - key: mesh_context.split('-')[0] # eu, us
    separator: ""
"""

import os
import re
import typing as t
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Constructable
from ansible.template import trust_as_template

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.contexts import read
from ansible_collections.meshops.istio.plugins.module_utils._mesh.contexts import KubeContext, check_apart, chosen, idle, named
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import AUTH

_NAMES = re.compile(r"(.*\.)?(contexts|mesh)\.ya?ml")
_AT_ONCE = 10


class InventoryModule(BaseInventoryPlugin, Constructable):
    NAME = "meshops.istio.contexts"

    def verify_file(self, path: str) -> bool:
        return bool(_NAMES.fullmatch(os.path.basename(path))) and os.access(path, os.R_OK)

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        written = self._read_config_data(path)
        folder = os.path.dirname(path) if "kubeconfig" in written else os.getcwd()
        try:
            hosts = self._hosts(_paths(self.get_option("kubeconfig"), folder))
            for host, variables in hosts.items():
                _check_new(inventory.get_host(host), host, variables)
        except MeshError as problem:
            raise AnsibleParserError(problem.text()) from None
        for host, variables in hosts.items():
            self._add(inventory, host, variables)

    def _hosts(self, paths: Sequence[str]) -> dict[str, dict[str, str]]:
        """The variables of each host."""
        merged = read(paths)
        include, exclude = self.get_option("include"), self.get_option("exclude")
        contexts = chosen(merged.contexts, include, exclude)
        self._warn(merged.hidden)
        self._warn(f'No context matches "{pattern}".' for pattern in idle([*include, *exclude], merged.contexts))
        kubeconfig = os.pathsep.join(merged.files)
        uids = self._asked(contexts, kubeconfig) if self.get_option("ask") else {}
        try:
            check_apart(contexts, uids)
        except MeshError as problem:
            if self.get_option("same_cluster") == "error":
                raise
            self._warn([problem.text()])
        return {
            host: {
                "mesh_kubeconfig": kubeconfig,
                "mesh_context": context.name,
                "mesh_context_cluster": context.cluster,
                "mesh_context_server": context.server,
                **({"mesh_cluster_uid": uids[context.name]} if context.name in uids else {}),
            }
            for host, context in named(contexts, self.get_option("prefix")).items()
        }

    def _asked(self, contexts: Sequence[KubeContext], kubeconfig: str) -> dict[str, str]:
        """The UIDs of the clusters that answer, by context."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = {context.name: pool.submit(_uid, kubeconfig, context.name) for context in contexts}
        uids = {}
        for name, answer in answers.items():
            try:
                uids[name] = answer.result()
            except MeshError as problem:
                self._warn([f'The cluster of context "{name}" could not be asked.\n{problem.text()}'])
        return uids

    def _add(self, inventory: t.Any, host: str, variables: Mapping[str, str]) -> None:
        inventory.add_host(host)
        # What runs through a module runs on the controller, with the Python that runs Ansible
        own = {"ansible_connection": "local", "ansible_python_interpreter": trust_as_template("{{ ansible_playbook_python }}")}
        for name, value in {**own, **variables}.items():
            inventory.set_variable(host, name, value)
        strict = self.get_option("strict")
        found = inventory.get_host(host).get_vars()
        self._set_composite_vars(self.get_option("compose"), found, host, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), found, host, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), found, host, strict=strict)

    def _warn(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.display.warning(line)


def _paths(given: object, folder: str) -> list[str]:
    if not given:
        raise MeshError(
            "No kubeconfig is given.",
            why="a ~/.kube/config that nobody named does not count",
            do="set kubeconfig (or KUBECONFIG, K8S_AUTH_KUBECONFIG)",
        )
    texts = given if isinstance(given, list) else [given]
    paths = [os.path.expanduser(path) for text in texts for path in str(text).split(os.pathsep) if path]
    return [os.path.normpath(os.path.join(folder, path)) for path in paths]


def _check_new(known: t.Any, host: str, variables: Mapping[str, str]) -> None:
    """A host of this name may have been named by another inventory file, for variables of its own, but not as another context."""
    other = {name: known.vars.get(name) for name in ("mesh_context", "mesh_kubeconfig")} if known else {}
    if other.get("mesh_context") is not None and not other.items() <= variables.items():
        raise MeshError(
            f'Another inventory file has a host "{host}" already.',
            where='context "{mesh_context}" of {mesh_kubeconfig}'.format(**other),
            do="give this inventory file a prefix",
        )


def _uid(kubeconfig: str, context: str) -> str:
    return Cluster({**dict.fromkeys(AUTH), "kubeconfig": kubeconfig, "context": context}, dry_run=True).uid()
