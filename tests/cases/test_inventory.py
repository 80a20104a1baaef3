# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts as hosts, as Ansible itself shows them, and a cluster that is reached by an odd one."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from tests.lab.cluster import Cluster

from .tool import Ran, Tool

SECRET = "canary-7c1e"
ODD = "arn:aws:eks:eu-west-1:1:cluster/pay [1:3] {{ 7 * 7 }}"
ELSEWHERE = ("gke_shop_europe-west1_pay", "größe", "all", "a b", "a/b")
STRICT = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "1"}


@pytest.fixture
def kubeconfig(tool: Tool, lab: Cluster) -> Path:
    """The lab by an odd name, and other clusters that do not answer. Every form of a login is in it."""
    config = yaml.safe_load(lab.kubeconfig.read_text())
    config["contexts"][0]["name"] = ODD
    config["users"] += [
        {"name": "token", "user": {"token": SECRET, "username": "ops", "password": SECRET}},
        {"name": "exec", "user": {"exec": {"command": "true", "args": [SECRET], "env": [{"name": "A", "value": SECRET}]}}},
        {"name": "key", "user": {"client-key-data": SECRET}},
    ]
    for number, name in enumerate(ELSEWHERE):
        config["clusters"].append({"name": name, "cluster": {"server": f"https://ops:{SECRET}@127.0.0.1:{number + 1}"}})
        config["contexts"].append({"name": name, "context": {"cluster": name, "user": ("token", "exec", "key")[number % 3]}})
    path = tool.folder / "config"
    path.write_text(yaml.safe_dump(config))
    return path


def test_each_context_is_a_host_and_no_login_leaves_the_kubeconfig(tool: Tool, kubeconfig: Path) -> None:
    _inventory(tool, kubeconfig="config", keyed_groups=[{"key": "mesh_context_cluster", "prefix": "cluster"}])
    listed = _ansible_inventory(tool, "--list", "-vvv").succeeded().text
    assert SECRET not in listed
    hosts = _hosts(tool)
    assert sorted(one["mesh_context"] for one in hosts.values()) == sorted([ODD, *ELSEWHERE])
    assert {one["mesh_kubeconfig"] for one in hosts.values()} == {str(kubeconfig)}
    assert "@cluster_gr" in _ansible_inventory(tool, "--graph").succeeded().text


def test_a_cluster_is_reached_by_the_exact_name_of_its_context(tool: Tool, kubeconfig: Path) -> None:
    """And one that is asked says its UID, to which its host is held then. One that does not answer stays a host."""
    _inventory(tool, kubeconfig="config", ask=True, include=[ODD, "größe"])
    hosts = {str(one["mesh_context"]): (name, one) for name, one in _hosts(tool).items()}
    name, variables = hosts[ODD]
    uid = tool.lab.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert (variables["mesh_cluster_uid"], "mesh_cluster_uid" in hosts["größe"][1]) == (uid, False)
    status = tool.run(["ansible-playbook", "-i", "contexts.yml", "meshops.istio.status", "--limit", name]).succeeded()
    assert f"cluster {name} " in status.text
    assert 'The cluster of context "größe" could not be asked.' in status.said


WRONG = {
    "two contexts of one cluster": (
        {"kubeconfig": "twice"},
        'Several contexts are the same cluster. where: "admin" and "dev" why: they lead to https://eu.example.com:443',
    ),
    "no kubeconfig": ({}, "No kubeconfig is given."),
    "a kubeconfig that is not there": ({"kubeconfig": ["nothere", "nothere2"]}, "The kubeconfig does not exist."),
    "nothing left": ({"kubeconfig": "twice", "exclude": ["*"]}, "No context is left. why: the kubeconfig has: admin, dev"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(tool: Tool, case: str) -> None:
    options, says = WRONG[case]
    _twice(tool)
    _inventory(tool, **options)
    refused = _ansible_inventory(tool, "--list", **STRICT)
    assert refused.code != 0
    assert says in refused.said
    assert "Traceback" not in refused.text


def test_two_contexts_of_one_cluster_are_two_hosts_where_that_is_said(tool: Tool) -> None:
    _twice(tool)
    _inventory(tool, kubeconfig="twice", same_cluster="warn")
    assert sorted(_hosts(tool)) == ["admin", "dev"]
    assert "Several contexts are the same cluster." in _ansible_inventory(tool, "--list").said


def test_kubeconfigs_with_the_same_names_are_two_inventory_files(tool: Tool, lab: Cluster) -> None:
    """As kubeadm makes them. One would hide the other: they are kept apart by a prefix."""
    for region in ("eu", "us"):
        _kubeconfig(tool.folder / region, {"kubernetes-admin@kubernetes": f"https://{region}.example.com"})
        (tool.folder / f"{region}.mesh.yml").write_text(yaml.safe_dump(_options(kubeconfig=region)))
    both = ("-i", "eu.mesh.yml", "-i", "us.mesh.yml")
    refused = tool.run(["ansible-inventory", *both, "--list"], **STRICT)
    assert 'Another inventory file has a host "kubernetes-admin@kubernetes" already.' in refused.said
    (tool.folder / "us.mesh.yml").write_text(yaml.safe_dump(_options(kubeconfig="us", prefix="us-")))
    assert "us-kubernetes-admin@kubernetes" in tool.run(["ansible-inventory", *both, "--graph"], **STRICT).succeeded().text
    merged = tool.run(["ansible-inventory", "-i", str(_inventory(tool, kubeconfig="eu:us")), "--list"], **STRICT).succeeded()
    assert f'Cluster "cluster-0" of {tool.folder}/us does not count' in merged.said


def _twice(tool: Tool) -> None:
    _kubeconfig(tool.folder / "twice", {"admin": "https://eu.example.com", "dev": "https://EU.example.com:443/"})


def _kubeconfig(path: Path, servers: dict[str, str]) -> None:
    names = {name: f"cluster-{number}" for number, name in enumerate(servers)}
    config = {
        "clusters": [{"name": names[name], "cluster": {"server": server}} for name, server in servers.items()],
        "contexts": [{"name": name, "context": {"cluster": cluster}} for name, cluster in names.items()],
    }
    path.write_text(yaml.safe_dump(config))


def _options(**options: object) -> dict[str, object]:
    return {"plugin": "meshops.istio.contexts", **options}


def _inventory(tool: Tool, **options: object) -> Path:
    path = tool.folder / "contexts.yml"
    path.write_text(yaml.safe_dump(_options(**options)))
    return path


def _ansible_inventory(tool: Tool, *words: str, **environment: str) -> Ran:
    return tool.run(["ansible-inventory", "-i", "contexts.yml", *words], **environment)


def _hosts(tool: Tool) -> dict[str, dict[str, t.Any]]:
    """Variables of each host, as Ansible has them for a play."""
    listed = _ansible_inventory(tool, "--list", "--output", "listed.json").succeeded()
    assert (tool.folder / "listed.json").exists(), listed.text
    hosts = json.loads((tool.folder / "listed.json").read_text())["_meta"]["hostvars"]
    return {host: {name: _plain(value) for name, value in found.items()} for host, found in hosts.items()}


def _plain(value: t.Any) -> t.Any:
    return value["__ansible_unsafe"] if isinstance(value, dict) and "__ansible_unsafe" in value else value
