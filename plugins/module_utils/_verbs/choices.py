# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options by which a user decides how workloads get their new sidecars, shared by the verbs that plan, do and prove it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import BUILT_IN, Choices, Declared, Recipe

RECIPES: dict[str, t.Any] = {
    "recipes": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "kind": {"type": "str", "required": True},
            "group": {"type": "str", "default": ""},
            "recipe": {"type": "str", "choices": ["evict", "stamp", "report"], "required": True},
            "version": {"type": "str"},
            "resource": {"type": "str"},
            "path": {"type": "list", "elements": "str"},
        },
    },
}
CHOICES: dict[str, t.Any] = {
    "respect_pdb": {"type": "bool", "default": True},
    "jobs": {"type": "str", "choices": ["wait", "report"], "default": "wait"},
    "bare_pods": {"type": "str", "choices": ["report", "evict"], "default": "report"},
    **RECIPES,
}

BASELINE: dict[str, t.Any] = {"baseline": {"type": "dict", "default": {}}}
"""What was ill before, as the record of an upgrade holds it."""


def choices_of(params: Mapping[str, t.Any]) -> Choices:
    """Raises MeshError for a recipe that says too little, or that is for a kind which has one."""
    declared = tuple(map(_declared, params["recipes"]))
    if "jobs" not in params:  # to prove, not to do: what has not ended by then is left
        return Choices(jobs=Recipe.REPORT, declared=declared)
    return Choices(Recipe(params["jobs"]), Recipe(params["bare_pods"]), params["respect_pdb"], declared)


def _declared(item: Mapping[str, t.Any]) -> Declared:
    kind, group, recipe = item["kind"], item["group"], Recipe(item["recipe"])
    where = f"recipes (mesh_recipes): {kind}{f'.{group}' if group else ''}"
    if kind in BUILT_IN and group in ("", "apps", "batch"):
        do = "leave it out; jobs (mesh_jobs) and bare_pods (mesh_bare_pods) decide what can be decided of these"
        raise MeshError(f"A {kind} has a recipe of its own.", where=where, do=do)
    if recipe is Recipe.STAMP and not (item["version"] and item["resource"] and group):
        do = "for example kind: Rollout, group: argoproj.io, version: v1alpha1, resource: rollouts, path: [spec, restartAt]"
        raise MeshError("A stamp needs to know where it goes.", where=where, why="group, version and resource are needed", do=do)
    declared = Declared(kind, group, recipe, item["version"] or "", item["resource"] or "")
    return replace(declared, path=tuple(item["path"])) if item["path"] else declared
