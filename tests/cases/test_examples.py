# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation run as they stand there, with only the names of the lab put in."""

from __future__ import annotations

import ast
import typing as t

import yaml

from tests.lab import mesh, samples
from tests.lab.build import binaries
from tests.lab.cluster import CHECKOUT, Cluster

from .conftest import Namespaces
from .rendered import istioctl
from .seen import proxies
from .tool import Tool

ORDER = (
    "mesh_info",
    "upgrade_plan",
    "upgrade_state",
    "control_plane",
    "injection_probe",
    "namespace_injection",
    "workload_restart",
    "proxy_check",
    "revision_tag",
    "injection_webhook",
)


def test_the_examples_run(lab: Cluster, tool: Tool, namespaces: Namespaces, revision: str, as_it_was: None) -> None:
    """In the order of an upgrade, so that each finds what it takes for granted."""
    asks = {"cart": {}, "checkout": {"team": "pay"}, "batch": {}}
    names = {name: namespaces({"istio-injection": "enabled", **more}, [samples.deployment("api")]) for name, more in asks.items()}
    put = {
        "~/.kube/eu-1": str(lab.kubeconfig),
        "1-30-3": revision,
        "istio/istiod": str(mesh.CHARTS / "istiod"),
        "~/bin/istioctl-1.30.3": istioctl(tool.folder, "1.30.3"),
        **names,
    }
    tasks = [_filled(task, put) for module in ORDER for task in _examples(module)]
    back = [task for task in tasks if task.get("meshops.istio.namespace_injection", {}).get("state") == "restored"]
    assert back, "the way back has an example too"
    tasks = [task for task in tasks if task not in back] + back
    leaves = next(i for i, task in enumerate(tasks) if task.get("meshops.istio.namespace_injection", {}).get("state") == "absent")
    here = {"kubeconfig": str(lab.kubeconfig), "namespaces": [names["batch"]]}
    tasks[leaves:leaves] = [
        {"meshops.istio.namespace_injection": {**here, "revision": revision}},
        {"meshops.istio.workload_restart": here},
    ]
    lab_only = {"helm": str(binaries() / "helm"), "values": {"global": {"tag": "1.30.3"}}}
    defaults = {f"meshops.istio.{name}": lab_only for name in ("control_plane", "upgrade_plan")}
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    (tool.folder / "play.yml").write_text(yaml.safe_dump([play]))
    ran = tool.run(["ansible-playbook", "play.yml"]).succeeded()
    assert f"ok={len(tasks)}" in ran.text
    left = names.pop("batch")
    assert (proxies(lab, names.values()), proxies(lab, [left])) == ({revision}, {None})


def _examples(module: str) -> list[dict[str, t.Any]]:
    source = ast.parse((CHECKOUT / "plugins" / "modules" / f"{module}.py").read_text())
    for node in source.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "EXAMPLES":
            return t.cast("list[dict[str, t.Any]]", yaml.safe_load(ast.literal_eval(node.value)))
    raise AssertionError(f"{module} has no examples")


def _filled(value: t.Any, put: dict[str, str]) -> t.Any:
    if isinstance(value, dict):
        return {name: _filled(one, put) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, put) for one in value]
    return put.get(value, value) if isinstance(value, str) else value
