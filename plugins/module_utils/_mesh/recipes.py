# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workload's pods get their new sidecars: a recipe for each kind and strategy, and what the user decides. Pure.

Sources: Kubernetes documentation, "StatefulSets" (update strategies, forced rollback), "DaemonSets", "Disruptions"; what each
controller does by itself decides the recipe.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, Workload

BUILT_IN = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Pod"})


class Recipe(StrEnum):
    STAMP = "stamp"
    """The template gets a stamp, and the controller replaces all pods in its own way. Those that are right already go too."""
    EVICT = "evict"
    """The stale pods are evicted one at a time, and who owns them makes new ones."""
    WAIT = "wait"
    """The pods come to an end by themselves."""
    REPORT = "report"
    """Left to a person, by a rule or by the user's wish."""
    UNKNOWN = "needs you"
    """Left to a person, since nobody has said what to do."""


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user says of a kind that is not built in."""

    kind: str
    group: str
    recipe: Recipe
    version: str = ""
    resource: str = ""
    """The kind's plural in paths of the API; with the version, only for a stamp."""
    path: tuple[str, ...] = ("spec", "template", "metadata", "annotations", STAMP)
    """Where the stamp goes."""

    def at(self, workload: Workload) -> str:
        return f"/apis/{self.group}/{self.version}/namespaces/{workload.namespace}/{self.resource}/{workload.name}"


@dataclass(frozen=True, slots=True)
class Choices:
    """What the user decides."""

    jobs: Recipe = Recipe.WAIT
    bare_pods: Recipe = Recipe.REPORT
    respect_pdb: bool = True
    declared: tuple[Declared, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """How one workload gets there."""

    recipe: Recipe
    text: str
    """As the plan says it."""
    variable: str = ""
    """The variable of the role that decides."""
    declared: Declared | None = None

    def sentence(self) -> str:
        """``left: it keeps its sidecar until somebody makes it anew (mesh_bare_pods)``."""
        return f"{self.text} ({self.variable})" if self.variable else self.text

    @property
    def by_us(self) -> bool:
        """Whether pods of it are replaced by this collection's doing."""
        return self.recipe in (Recipe.STAMP, Recipe.EVICT)

    @property
    def needs_a_person(self) -> bool:
        """Whether it stays on the old control plane until somebody does something."""
        return self.recipe in (Recipe.REPORT, Recipe.UNKNOWN)


_STAMPED = "all its pods roll, by its controller"
_ONE_BY_ONE = "its stale pods are evicted, one at a time"


def way_of(workload: Workload, choices: Choices) -> Way:
    declared = next((one for one in choices.declared if (one.kind, one.group) == (workload.kind, workload.group)), None)
    if declared:
        return Way(declared.recipe, _DECLARED[declared.recipe], "mesh_recipes", declared)
    if workload.group:
        return _unknown(workload)
    match workload.kind:
        case "Deployment" | "StatefulSet" | "DaemonSet" if workload.of_pods:
            return Way(Recipe.UNKNOWN, f"its {workload.kind} is gone, so that nobody would make its pods anew")
        case "Deployment" if workload.paused:
            return Way(Recipe.REPORT, "it is paused: its pods get the new sidecar when it is resumed and restarted")
        case "StatefulSet" if workload.on_delete:
            return Way(Recipe.EVICT, f"{_ONE_BY_ONE}, the highest ordinal first (OnDelete)")
        case "StatefulSet" if workload.partition:
            return Way(
                Recipe.EVICT, f"{_ONE_BY_ONE}, the highest ordinal first, each with the template it has (partition {workload.partition})"
            )
        case "DaemonSet" if workload.on_delete:
            return Way(Recipe.EVICT, f"{_ONE_BY_ONE} (OnDelete)")
        case "Deployment" | "StatefulSet" | "DaemonSet":
            return Way(Recipe.STAMP, _STAMPED)
        case "ReplicaSet" | "ReplicationController":
            return Way(Recipe.EVICT, _ONE_BY_ONE)
        case "Job" | "CronJob":
            return Way(choices.jobs, _JOBS[choices.jobs], "mesh_jobs")
        case "Pod":
            return Way(choices.bare_pods, _BARE[choices.bare_pods], "mesh_bare_pods")
    return _unknown(workload)


def _unknown(workload: Workload) -> Way:
    return Way(Recipe.UNKNOWN, f"what restarts a {workload.kind} is not known", "mesh_recipes")


_JOBS = {
    Recipe.WAIT: "waited for until its pods have come to their end",
    Recipe.REPORT: "left: its running pods keep their sidecar until they end",
}
_BARE = {
    Recipe.EVICT: "evicted, and nobody makes it anew",
    Recipe.REPORT: "left: it keeps its sidecar until somebody makes it anew",
}
_DECLARED = {
    Recipe.STAMP: "its stamp is set, and its controller does the rest",
    Recipe.EVICT: _ONE_BY_ONE,
    Recipe.REPORT: "left to you",
}


def always_restarted(workload: Workload) -> bool:
    """Whether it is restarted whatever the user decides: what is stale of these makes a wave not done."""
    return way_of(workload, Choices()).by_us


def lasts(workload: Workload) -> bool:
    """Whether its pods are meant to run on: those of a Job come to an end, ready or not."""
    return bool(workload.group) or workload.kind not in ("Job", "CronJob")
