# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a verb and renders what came of it: the one boundary between our errors and Ansible's result."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Callable, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Verb


def _secrets(params: Mapping[str, t.Any]) -> set[str]:
    """Every secret value among the options; a kubeconfig given as a dictionary holds them in its users."""
    secrets = {str(params[name]) for name in ("api_key", "password") if params.get(name)}
    headers = params.get("proxy_headers") or {}
    secrets |= {str(headers[name]) for name in ("basic_auth", "proxy_basic_auth") if headers.get(name)}
    kubeconfig = params.get("kubeconfig")
    users = kubeconfig.get("users") if isinstance(kubeconfig, dict) else None
    for entry in users if isinstance(users, list) else ():
        user = entry.get("user") if isinstance(entry, dict) else None
        if isinstance(user, dict):
            secrets |= {str(user[name]) for name in ("token", "password", "client-key-data") if user.get(name)}
    return secrets


def perform(verb: Verb[t.Any], params: Mapping[str, t.Any], *, check_mode: bool, say: Callable[[str], None]) -> dict[str, t.Any]:
    """The verb's result as Ansible takes it, with ``failed`` and four readable lines where it could not be done.

    Secrets that the options hold are removed from every value by Ansible's own ``remove_values``.
    """
    secrets = _secrets(params)

    def scrubbed(line: str) -> None:
        say(str(remove_values(line, secrets)))

    try:
        options = verb.options(params)
        cluster = Cluster(params, dry_run=check_mode)
        answer = verb.run(options, Context(cluster, check_mode, scrubbed, time.monotonic)).as_ansible()
    except MeshError as problem:
        answer = {"failed": True, "changed": False, **problem.as_ansible()}
    result: dict[str, t.Any] = remove_values(answer, secrets)
    return result


def run_module(verb: Verb[t.Any]) -> None:
    """The module side: another host than the controller, or ``async``."""
    module = AnsibleModule(argument_spec=argument_spec(verb), supports_check_mode=True)
    progress: list[str] = []
    result = perform(verb, module.params, check_mode=module.check_mode, say=progress.append)
    if progress:
        result["progress"] = progress[-50:]
    if result.pop("failed", False):
        module.fail_json(**result)
    for warning in result.pop("warnings", []):
        module.warn(warning)
    module.exit_json(**result)
