# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps workloads from being proved: every pod Ready, with a ready sidecar of the wanted revision and version. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Recipe, Way, lasts, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import rolled_out
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Pod, Standing


@dataclass(frozen=True, slots=True)
class Fault:
    text: str
    lasting: bool
    """Waiting does not help: the workload is rolled out, and its pods have another sidecar than wanted."""


def check_resolved(snapshot: Snapshot, namespaces: Iterable[str], revision: str) -> None:
    """Raises MeshError where new pods of a namespace do not get this revision: nothing in it could be proved then."""
    found = {name: snapshot.gets(name) for name in namespaces}
    other = {name: decision.sentence for name, decision in found.items() if not decision.may_get(revision)}
    if other:
        raise MeshError(
            f"Some namespaces do not resolve to {revision}.",
            where="; ".join(f"namespace {name}, label {snapshot.namespace[name].asks.text()}" for name in other),
            why="; ".join(other.values()),
            do="move them first, or correct the revision",
        )


def in_the_mesh(workloads: Iterable[Judged], choices: Choices) -> tuple[Judged, ...]:
    """Those that have something to prove: not what nobody injects by its own wish, what is scaled to zero, or what ends by itself.

    What is left to a person is proved where it is as it should be; where it is not, it is named and not waited for.
    """
    return tuple(
        judged
        for judged in workloads
        if (judged.standing in _PROVABLE or _should_have_pods(judged) or _unpredicted(judged))
        and lasts(judged.workload)
        and not _left(judged, way_of(judged.workload, choices))
    )


def left(workloads: Iterable[Judged], choices: Choices) -> tuple[tuple[Judged, Way], ...]:
    """What still has another sidecar than it would get now, and is left with it."""
    ways = ((judged, way_of(judged.workload, choices)) for judged in workloads)
    return tuple((judged, way) for judged, way in ways if _left(judged, way))


def _left(judged: Judged, way: Way) -> bool:
    return judged.standing in (Standing.STALE, Standing.ORPHANED) and way.recipe is Recipe.REPORT


def _unpredicted(judged: Judged) -> bool:
    """It has sidecars, and what new ones would be is not known: what it has can be compared with what the user wants, and be ready."""
    return judged.standing is Standing.UNKNOWN and bool(judged.proxies)


def unknown(workloads: Iterable[Judged]) -> tuple[Judged, ...]:
    """What has no sidecar, and may get one: whether it is as it should be cannot be told."""
    return tuple(judged for judged in workloads if judged.standing is Standing.UNKNOWN and not judged.proxies)


_PROVABLE = (Standing.CURRENT, Standing.STALE, Standing.ORPHANED)


def _should_have_pods(judged: Judged) -> bool:
    return judged.standing is Standing.EMPTY and judged.workload.replicas > 0 and judged.decision.revision is not None


def faults(judged: Judged, revision: str | None, version: str | None) -> tuple[Fault, ...]:
    """``revision`` and ``version`` default to what a new pod would get."""
    wanted, known = revision or judged.decision.revision, version or judged.version
    settled, told = rolled_out(judged.workload), bool(revision) or judged.decision.known
    at = judged.workload
    found = [
        Fault(f"{at.short} in {at.namespace}, pod {pod.name}: {text}", settled)
        for pod in judged.pods
        if told and (text := _sidecar(pod, wanted, known))
    ]
    if found:
        return tuple(found)
    unready = [pod for pod in judged.pods if not pod.ready or (pod.proxy and not pod.proxy.ready)]
    found = [Fault(f"{at.short} in {at.namespace}, pod {pod.name}: not ready{_why(pod)}", False) for pod in unready]
    if not found and at.available < at.replicas:
        found = [Fault(f"{at.short} in {at.namespace}: {min(at.updated, at.available)} of {at.replicas} pods", False)]
    return tuple(found)


def _sidecar(pod: Pod, revision: str | None, version: str | None) -> str:
    if pod.proxy is None:
        return f"no sidecar, not one of {revision}" if revision else ""
    if revision is None:
        return "a sidecar, and a new pod would get none"
    if pod.proxy.revision != revision:
        return f"the sidecar of {pod.proxy.revision or 'an unknown revision'}, not of {revision}"
    if version and pod.proxy.version and pod.proxy.version != version:
        return f"the sidecar has version {pod.proxy.version}, not {version}"
    return ""


def _why(pod: Pod) -> str:
    return f" ({pod.waiting})" if pod.waiting else ""
