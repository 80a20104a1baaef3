# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every verb runs in the controller's process and through its module, and answers the same. Secrets stay out of both."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import CHECKOUT, Cluster

from .tool import Facts, Tool, control_plane

NEW = "1-30-3"
WAYS: dict[str, dict[str, object]] = {"in_process": {}, "delegated": {"delegate_to": "elsewhere"}}
SECRET = "canary-7c1e"


def _options(name: str) -> dict[str, dict[str, t.Any]]:
    here = {"namespaces": [name]}
    return {
        "mesh_info": {"cluster_name": "lab", "gather_subset": ["all"]},
        "control_plane": control_plane("contract", "1.30.3"),
        "namespace_injection": {**here, "revision": NEW},
        "workload_restart": {**here, "revision": NEW},
        "upgrade_plan": {"revision": NEW, "from_revision": "default", "waves": [[name]]},
        "upgrade_state": {},
        "proxy_check": here,
        "injection_probe": here,
        "injection_webhook": {"revision": "managed", "url": "https://istiod.example.com/inject"},
        "revision_tag": {"tag": "default", "revision": "default"},
    }


VERBS = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())["action_groups"]["istio"]


@pytest.mark.parametrize("verb", VERBS)
def test_both_ways_give_the_same(other_lab: Cluster, tmp_path: Path, verb: str) -> None:
    """In this process, and delegated to another machine, which is through the module.

    In check mode, and on the cluster in which nothing else happens: so the second way finds what the first one found.
    """
    tool = Tool(other_lab, tmp_path)
    task = {f"meshops.istio.{verb}": {**tool.login(), **_options("shop")[verb]}, "check_mode": True}
    tasks: list[dict[str, object]] = [{**task, **how, "register": way} for way, how in WAYS.items()]
    answers = {way: f"{{{{ {way} }}}}" for way in WAYS}
    tasks.append({"ansible.builtin.copy": {"dest": str(tmp_path / "answers"), "content": answers, "mode": "0600"}})
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    elsewhere = {"ansible_connection": "elsewhere", "ansible_python_interpreter": sys.executable}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"elsewhere": elsewhere}}}))
    environment = {"ANSIBLE_CONNECTION_PLUGINS": str(CHECKOUT / "tests" / "cases" / "connection"), "ELSEWHERE": str(tmp_path / "copied")}
    tool.run(["ansible-playbook", "-i", "hosts.yml", "play.yml"], **environment).succeeded()
    assert f"AnsiballZ_{verb}.py" in (tmp_path / "copied").read_text(), "it was to run as a module"
    found: dict[str, Facts] = json.loads((tmp_path / "answers").read_text())
    found["delegated"].pop("progress", None)  # what an action shows at once
    assert found["in_process"]["msg"]
    assert found["delegated"] == found["in_process"]


LOGINS = ("kubeconfig", "host", "api_key", "username", "password")


@pytest.mark.parametrize("way", [{}, {"async": 60, "poll": 1}], ids=["in process", "as a module"])
def test_a_secret_is_in_no_result(tool: Tool, lab: Cluster, way: dict[str, int]) -> None:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    host = config["clusters"][0]["cluster"]["server"]
    config["users"][0]["user"] = {"token": SECRET}
    task = {"meshops.istio.mesh_info": {name: f"{{{{ {name} | default(omit) }}}}" for name in LOGINS}, **way}
    (tool.folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
    for login in ({"kubeconfig": config}, {"host": host, "api_key": SECRET}, {"host": host, "username": "ops", "password": SECRET}):
        (tool.folder / "login.yml").write_text(yaml.safe_dump(login))
        text = tool.run(["ansible-playbook", "-vvv", "-e", "@login.yml", "play.yml"]).text
        assert "fatal: [localhost]" in text, text
        assert SECRET not in text


def test_the_environment_of_a_play_reaches_a_credential_plugin(tool: Tool, lab: Cluster) -> None:
    config = yaml.safe_load(lab.kubeconfig.read_text())
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", 'echo "profile is $AWS_PROFILE" >&2; exit 3'],
            "interactiveMode": "Never",
        }
    }
    (tool.folder / "kubeconfig").write_text(yaml.safe_dump(config))
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "environment": {"AWS_PROFILE": "production-eu"},
        "tasks": [{"meshops.istio.mesh_info": {"kubeconfig": str(tool.folder / "kubeconfig")}}],
    }
    (tool.folder / "play.yml").write_text(yaml.safe_dump([play]))
    assert "profile is production-eu" in tool.run(["ansible-playbook", "play.yml"]).text


def test_become_warns(tool: Tool) -> None:
    assert "become has no effect here" in tool.run(["ansible", "localhost", "-b", "-m", "meshops.istio.mesh_info"]).text
