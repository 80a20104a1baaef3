# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task costs: reading the whole mesh in this process, against one list by a module of kubernetes.core."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

from tests.bench import environment
from tests.bench.figures import Figures
from tests.lab.api import Api
from tests.lab.cluster import Cluster

TASKS, TURNS = 10, 5
READS = (
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/api/v1/pods",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/api/v1/namespaces",
)


def measure(lab: Cluster) -> Figures:
    """Turn by turn, so that what else the machine does meets both. A task is the difference of plays of 1 and of 11 tasks, by 10."""
    ours = {"meshops.istio.mesh_info": {"kubeconfig": str(lab.kubeconfig)}}
    theirs = {"kubernetes.core.k8s_info": {"kubeconfig": str(lab.kubeconfig), "api_version": "v1", "kind": "Namespace"}}
    plays = {}
    for name, task in (("ours", ours), ("theirs", theirs)):
        for number in (1, 1 + TASKS):
            plays[name, number] = environment.play(lab, f"{name}-{number}", {"lab": {}}, [dict(task)] * number)
    seconds: dict[str, list[float]] = {"ours": [], "theirs": [], "api": []}
    for _turn in range(TURNS):
        for name in ("ours", "theirs"):
            few, many = (_seconds(partial(environment.run, lab, environment.command(plays[name, n]))) for n in (1, 1 + TASKS))
            seconds[name].append((many - few) / TASKS)
        seconds["api"].append(_seconds(partial(_ask, lab)))
    one, module, api = (median(seconds[name]) * 1000 for name in ("ours", "theirs", "api"))
    return Figures(
        "One task",
        (
            ("mesh_info, the whole mesh, in process", f"{one:.0f} ms", ""),
            ("the same lists, asked and parsed and nothing else", f"{api:.0f} ms", ""),
            ("beyond that", f"{one - api:.0f} ms", "at most 60 ms"),
            ("kubernetes.core.k8s_info, the namespaces alone", f"{module:.0f} ms", ""),
            ("times faster", f"{module / one:.1f}", "at least 8"),
        ),
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _ask(lab: Cluster) -> None:
    """The same lists over a connection of its own, parsed and not looked at."""
    api = Api(lab.kubeconfig)
    for path in READS:
        api.get(path, limit="500")
