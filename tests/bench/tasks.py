# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task costs: reading the whole mesh in this process, against one list by a module of kubernetes.core."""

from __future__ import annotations

from functools import partial
from statistics import median

from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_info import VERB as INFO
from tests.bench import environment, verbs
from tests.bench.figures import Figures, timed
from tests.lab.cluster import Cluster

TASKS, TURNS = 10, 5


def measure(lab: Cluster) -> Figures:
    """Turn by turn, so that what else the machine does meets both. A task is the difference of plays of 1 and of 11 tasks, by 10."""
    login: dict[str, object] = {"kubeconfig": str(lab.kubeconfig)}
    ours = {"meshops.istio.mesh_info": login}
    theirs = {"kubernetes.core.k8s_info": {**login, "api_version": "v1", "kind": "Namespace"}}
    plays = {}
    for name, task in (("ours", ours), ("theirs", theirs)):
        for number in (1, 1 + TASKS):
            plays[name, number] = environment.play(lab, f"{name}-{number}", {"lab": {}}, [dict(task)] * number)
    lists = [one for one in verbs.asked_by(INFO, login) if one.lists]
    seconds: dict[str, list[float]] = {"ours": [], "theirs": [], "api": []}
    for _turn in range(TURNS):
        for name in ("ours", "theirs"):
            few, many = (timed(partial(environment.run, lab, environment.command(plays[name, n]))) for n in (1, 1 + TASKS))
            seconds[name].append((many - few) / TASKS)
        seconds["api"].append(timed(partial(verbs.replayed, lab, lists)))
    one, module, api = (median(seconds[name]) * 1000 for name in ("ours", "theirs", "api"))
    return Figures(
        "One task",
        (
            ("mesh_info, the whole mesh, in process", f"{one:.0f} ms", ""),
            ("the same lists by a bare client, parsed and nothing else", f"{api:.0f} ms", ""),
            ("beyond that", f"{one - api:.0f} ms", "at most 60 ms"),
            ("kubernetes.core.k8s_info, the namespaces alone", f"{module:.0f} ms", ""),
            ("times faster", f"{module / one:.1f}", "at least 8"),
        ),
    )
