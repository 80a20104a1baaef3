# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose pods would come back other than they are: refused, with a sidecar that they never had, or without an image. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Outcome, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installing import GIVEN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import predict
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged

_MOST = 10


def reinjection_findings(snapshot: Snapshot, before: Snapshot, target: Target, names: Sequence[str]) -> Iterator[Finding]:
    """``before`` is the cluster as the upgrade found it. What it will be is computed by the control plane as it will be installed."""
    after = predict(_without(snapshot, target), target.revision, target.version, names, target.settings)
    then = after.within(names)
    yield from _refused(after, then, names)
    yield from _no_way_back(before, names)
    yield from _without_needed(then)
    yield from _coming_in(before, then, target)
    yield from _coming_in_elsewhere(snapshot, after, target, set(names))
    yield from _own_revision(then, target)


def _without(snapshot: Snapshot, target: Target) -> Snapshot:
    """Without a control plane that is about to be installed: one that a killed run has left half done is not what it will be."""
    if target.brings is None:
        return snapshot
    injectors = tuple(one for one in snapshot.injectors if one.tag or one.revision != target.revision)
    return replace(snapshot, injectors=injectors, control_planes=tuple(p for p in snapshot.control_planes if p.revision != target.revision))


def _refused(after: Snapshot, then: Sequence[Judged], names: Sequence[str]) -> Iterator[Finding]:
    refused: dict[str, list[str]] = defaultdict(list)
    for judged in then:
        if judged.decision.refused:
            refused[judged.decision.refused].append(judged.workload.path)
    for name in names:
        why = after.gets(name).refused
        if why and why not in refused:
            refused[why].append(f"namespace {name}")
    for why, where in refused.items():
        template = "injection template" in why
        yield blocker(
            Topic.INJECTION,
            "New pods would be refused.",
            where=listed(where, _MOST),
            why=why,
            do=f"give the new control plane that template too: sidecarInjectorWebhook.templates in {GIVEN}"
            if template
            else "mend what is named there first, or leave these out: mesh_exclude",
        )


def _no_way_back(before: Snapshot, names: Sequence[str]) -> Iterator[Finding]:
    refused: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if why := before.gets(name).refused:
            refused[why].append(name)
    for why, where in refused.items():
        yield warning(
            Topic.INJECTION,
            "New pods are refused now, before anything moves",
            where=f"namespaces {listed(where, _MOST)}",
            why=f"{why}; a rollback would not lead there while that is so",
            do="mend it first, where there shall be a way back",
        )


def _without_needed(then: Sequence[Judged]) -> Iterator[Finding]:
    """Kubernetes knows no image ``auto``: only an injector puts another one in its place."""
    lost = [j.workload.path for j in then if j.workload.auto_image and j.decision.outcome is Outcome.NONE]
    if lost:
        yield blocker(
            Topic.INJECTION,
            "New pods would not start: nobody would fill in their image.",
            where=listed(lost, _MOST),
            why="their template says image: auto, which an injector replaces, and none would take them",
            do=f"label their template {REVISION} or {INJECT}, or leave their namespace out: mesh_exclude",
        )


def _coming_in(before: Snapshot, then: Sequence[Judged], target: Target) -> Iterator[Finding]:
    """In a namespace that joins the mesh that is what is meant; elsewhere somebody has kept these out."""
    joining: dict[str, list[str]] = defaultdict(list)
    words: list[str] = []
    others: list[str] = []
    for judged in then:
        workload, name = judged.workload, judged.workload.namespace
        if workload.gateway or judged.decision.revision != target.revision:
            continue
        if before.decide(name, workload.template).outcome is not Outcome.NONE:
            continue
        said = _said(workload.template)
        if before.gets(name).outcome is Outcome.NONE:
            joining[name].append(workload.short)
        elif said not in ("true", "false", ""):
            words.append(f"{workload.path} ({INJECT}={said})")
        else:
            others.append(workload.path)
    for name, shorts in joining.items():
        what = f'Namespace "{name}" joins the mesh: {count(len(shorts), "workload")} would get a sidecar for the first time'
        yield warning(
            Topic.INJECTION,
            what,
            where=listed(shorts, _MOST),
            why="its pods get none today",
            do="take it out of mesh_waves where not meant",
        )
    if words:
        yield blocker(
            Topic.INJECTION,
            "Workloads that have opted out would get a sidecar.",
            where=listed(words, _MOST),
            why="up to Istio 1.26 any such word kept them out; from 1.27 on only true and false count",
            do=f'write "false" there, as label {INJECT} of their pod templates',
        )
    if others:
        yield blocker(
            Topic.INJECTION,
            "Workloads without a sidecar would get one.",
            where=listed(others, _MOST),
            why="the old control plane leaves them out by its own settings, and the new one does not",
            do=f'label their pod templates {INJECT}: "false", or give the new one the same settings: sidecarInjectorWebhook in {GIVEN}',
        )


def _said(template: PodShape) -> str:
    return template.labels.get(INJECT, template.annotations.get(INJECT, ""))


def _coming_in_elsewhere(snapshot: Snapshot, after: Snapshot, target: Target, moving: set[str]) -> Iterator[Finding]:
    """Who asks for the new revision already, and has had nobody to answer so far."""
    found = [
        judged.workload.path
        for judged in snapshot.staying
        if judged.workload.namespace not in moving
        and judged.decision.outcome is Outcome.NONE
        and after.decide(judged.workload.namespace, judged.workload.template).revision == target.revision
    ]
    if found:
        yield warning(
            Topic.INJECTION,
            f'Workloads in no wave ask for "{target.revision}" already',
            where=listed(found, _MOST),
            why="their next pods get its sidecar as soon as it is installed, before any wave and unproved",
            do=f"take {REVISION}={target.revision} off them or their namespaces where that is not meant, or name them in a wave",
        )


def _own_revision(then: Sequence[Judged], target: Target) -> Iterator[Finding]:
    found = [j.workload for j in then if j.workload.template.labels.get(REVISION, target.revision) != target.revision]
    if found:
        yield warning(
            Topic.INJECTION,
            "Pod templates name a revision of their own, which counts for nothing",
            where=listed([f"{one.path} ({REVISION}={one.template.labels[REVISION]})" for one in found], _MOST),
            why=f"the label of their namespace wins: they move to {target.revision} with it",
            do=f"take {REVISION} out of these templates, or leave their namespaces out: mesh_exclude",
        )
