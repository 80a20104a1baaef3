# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How reading grows with the mesh: 1,000 and 10,000 injected pods, ten in a namespace, beside kubectl, bare lists and istioctl."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import median

from ansible_collections.meshops.istio.plugins.module_utils._verbs.mesh_info import VERB as INFO
from ansible_collections.meshops.istio.plugins.module_utils._verbs.upgrade_plan import VERB as PLAN
from tests.bench import crowd, environment, proc, verbs
from tests.bench.figures import Figures, timed
from tests.lab import real
from tests.lab.build import binaries
from tests.lab.cluster import Cluster
from tests.lab.fleet import REVISION, VERSION

FEW, MANY, TURNS = 1_000, 10_000, 3
_WAVE = 100
_FOUND = 79


@dataclass(frozen=True)
class _Size:
    """Medians in seconds, the peak of the worker's memory beyond the controller's in bytes, and the numbers of requests and pages."""

    seconds: Mapping[str, float]
    memory: int
    requests: Mapping[str, str]


def measure(lab: Cluster) -> Figures:
    few, many = _at(lab, FEW), _at(lab, MANY)
    title = f"{FEW:,} and {MANY:,} pods in {FEW // crowd.PODS_IN_EACH:,} and {MANY // crowd.PODS_IN_EACH:,} namespaces"

    def ratio(name: str, other: str, goal: str) -> tuple[str, str, str]:
        return f"ratio of these at {MANY:,}", f"{many.seconds[name] / many.seconds[other]:.2f}", goal

    rows = [
        _row("`mesh_info`, one task", few, many, "info"),
        (f"{MANY // FEW} times the pods, so many times its seconds", f"{many.seconds['info'] / few.seconds['info']:.1f}", "at most 11"),
        ("memory of its worker, beyond the controller's own", f"{_mib(few.memory)} and {_mib(many.memory)}", "at most 150 MiB"),
        ("its requests", f"{few.requests['info']} and {many.requests['info']}", "grow with pages"),
        _row("`kubectl get pods -A -o json`", few, many, "kubectl"),
        ratio("info", "kubectl", "at most 0.2"),
        _row("the same lists by a bare client, page by page", few, many, "lists"),
        ratio("info", "lists", "at most 2"),
        _row("`upgrade_plan`, one task", few, many, "plan"),
        ratio("plan", "info", "at most 1.5"),
        ("its requests", f"{few.requests['plan']} and {many.requests['plan']}", "grow with pages"),
    ]
    if real.wanted():
        rows += [_row("`istioctl analyze -A`", few, many, "istioctl"), ratio("info", "istioctl", "at most 1")]
    return Figures(title, tuple(rows))


def _row(what: str, few: _Size, many: _Size, name: str) -> tuple[str, str, str]:
    return what, f"{few.seconds[name]:.2f} and {many.seconds[name]:.2f} s", ""


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _at(lab: Cluster, pods: int) -> _Size:
    """In turns, so that what else the machine does meets all of them."""
    crowd.grow(lab, pods)
    info: dict[str, object] = {"kubeconfig": str(lab.kubeconfig)}
    plan = {**info, "revision": REVISION, "version": VERSION, "waves": _waves(crowd.namespaces(pods))}
    asked = {"info": verbs.asked_by(INFO, info), "plan": verbs.asked_by(PLAN, plan)}
    lists = [one for one in asked["info"] if one.lists]
    tasks: dict[str, dict[str, object]] = {"info": {"meshops.istio.mesh_info": info}, "plan": {"meshops.istio.upgrade_plan": plan}}
    plays = {
        (name, n): environment.play(lab, f"{name}-{pods}-{n}", {"lab": {}}, [task] * n) for name, task in tasks.items() for n in (1, 2)
    }
    work: dict[str, Callable[[], object]] = {
        "kubectl": partial(_quiet, lab, [str(binaries() / "kubectl"), "get", "pods", "-A", "-o", "json"]),
        "lists": partial(verbs.replayed, lab, lists),
    }
    if real.wanted():
        work["istioctl"] = partial(_quiet, lab, [str(real.program("istioctl", VERSION)), "analyze", "-A"])
    seconds: dict[str, list[float]] = {name: [] for name in (*tasks, *work)}
    for _turn in range(TURNS):
        for name in tasks:
            one, two = (timed(partial(environment.run, lab, environment.command(plays[name, n]))) for n in (1, 2))
            seconds[name].append(two - one)
        for name, do in work.items():
            seconds[name].append(timed(do))
    return _Size(
        seconds={name: median(found) for name, found in seconds.items()},
        memory=_memory(lab, environment.command(plays["info", 1])),
        requests={name: f"{len(found)} ({sum(one.page for one in found)} of them pages of lists)" for name, found in asked.items()},
    )


def _waves(names: list[str]) -> list[list[str]]:
    return [names[first : first + _WAVE] for first in range(0, len(names), _WAVE)]


def _quiet(lab: Cluster, command: list[str]) -> None:
    """``istioctl analyze`` ends with 79 where it has found something."""
    done = subprocess.run(
        command, env=lab.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    if done.returncode not in (0, _FOUND):
        raise SystemExit(f"{command[0]} failed: {done.stderr.decode(errors='replace')}")


def _memory(lab: Cluster, command: list[str]) -> int:
    """The most that a worker had in memory, less what the play had that forked it: polled, since a process that has ended tells nothing."""
    most = 0
    with subprocess.Popen(command, env=environment.variables(lab), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as play:
        while play.poll() is None:
            own = proc.memory(play.pid, proc.RESIDENT)
            most = max([most, *(proc.memory(pid, proc.PEAK) - own for pid in proc.children(play.pid))])
            time.sleep(0.01)
    return most
