# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Has anything gone that a restart would miss? Running pods do not show it, and no rollback mends it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.around import Around
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import Named, Reference
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import at
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload


def drift_findings(restarts: Iterable[Workload], around: Around) -> Iterator[Finding]:
    """A blocker, since the pods that run now have what is gone, and no new one would: not with the former labels either.

    A Secret for pulling images is a warning: where the image is on the node, or public, a pod starts without it.
    """
    for workload in restarts:
        missing: dict[tuple[Named, str, bool], list[str]] = {}
        for one in workload.demands.references:
            if _gone(workload, one, around):
                missing.setdefault((one.kind, one.name, one.pulls), []).append(one.where)
        for (kind, name, pulls), where in missing.items():
            yield (_cannot_pull if pulls else _cannot_start)(workload, kind, name, where, around)


def _gone(workload: Workload, one: Reference, around: Around) -> bool:
    key = (workload.namespace, one.name)
    if one.kind is Named.CLAIM:
        return around.claims is not None and key not in {(claim.namespace, claim.name) for claim in around.claims if not claim.deleting}
    there = around.there.get(one.kind)
    return there is not None and key not in there


def _cannot_start(workload: Workload, kind: Named, name: str, where: list[str], around: Around) -> Finding:
    leaving = any((claim.namespace, claim.name) == (workload.namespace, name) for claim in around.claims or ()) and kind is Named.CLAIM
    return blocker(
        Topic.DRIFT,
        f"{at(workload)} could not restart: {kind} {name} {'is being deleted' if leaving else 'is gone'}.",
        where=f"its template names it: {', '.join(where)}",
        why="its running pods have it still, new ones would not start, and a rollback would not help them",
        do=f"make {kind} {name} again in namespace {workload.namespace}, take it out of the template, or use mesh_exclude",
    )


def _cannot_pull(workload: Workload, kind: Named, name: str, where: list[str], _around: Around) -> Finding:
    return warning(
        Topic.DRIFT,
        f"{at(workload)} names {kind} {name} for pulling its images, and that is gone",
        where=", ".join(where),
        why="its new pods start only where the images are on the node already, or need no login",
        do=f"make it again in namespace {workload.namespace}, or take it out of the template",
    )
