# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a verb and renders what came of it: the one boundary between our errors and Ansible's result."""

from __future__ import annotations

import json
import time
import traceback
import typing as t
from collections.abc import Callable, Iterator, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Verb

_SHORT = 8
"""Characters of what an exec plugin is given that are no secret yet: blanking out ``true`` or ``eu-1`` would spoil every line."""


def _secrets(params: Mapping[str, t.Any]) -> set[str]:
    """Every secret value among the options, in each form in which an error may quote it."""
    found = {params.get("api_key"), params.get("password")}
    headers = params.get("proxy_headers") or {}
    found |= {headers.get("basic_auth"), headers.get("proxy_basic_auth")}
    found |= set(_of_kubeconfig(params.get("kubeconfig")))
    texts = {str(value) for value in found if value}
    texts |= {text.strip() for text in texts}
    return {form for text in texts if text for form in (text, repr(text)[1:-1], json.dumps(text)[1:-1])}


def _of_kubeconfig(kubeconfig: object) -> Iterator[object]:
    """A kubeconfig given as a dictionary holds secrets in its users."""
    users = kubeconfig.get("users") if isinstance(kubeconfig, dict) else None
    for entry in users if isinstance(users, list) else ():
        user = _mapping(_mapping(entry).get("user"))
        yield from (user.get(name) for name in ("token", "password", "client-key-data"))
        provider = _mapping(_mapping(user.get("auth-provider")).get("config"))
        yield from (provider.get(name) for name in ("access-token", "id-token", "refresh-token", "client-secret"))
        given = _mapping(user.get("exec")).get("env")
        values = [str(_mapping(one).get("value") or "") for one in (given if isinstance(given, list) else ())]
        yield from (value for value in values if len(value) >= _SHORT)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


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
    except Exception as problem:  # nothing beyond this line takes the secrets out of a message or a traceback
        answer = {"failed": True, "changed": False, **_unexpected(problem).as_ansible(), "exception": traceback.format_exc()}
    result: dict[str, t.Any] = remove_values(answer, secrets)
    return result


class Unexpected(MeshError):
    """A fault of ours."""

    kind = "unexpected"


def _unexpected(problem: Exception) -> Unexpected:
    return Unexpected(
        "Something happened that meshops.istio does not know how to tell.",
        why=f"{type(problem).__name__}: {problem}",
        do="start the same command again; if it stays, report it with what ANSIBLE_DISPLAY_TRACEBACK=error shows",
    )


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
