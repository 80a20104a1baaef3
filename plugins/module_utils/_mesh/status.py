# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table that says how a mesh stands: 100 columns, for a person at 3 a.m. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, Asks
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import Record
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing

Row = Sequence[str]


def table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Columns as wide as what stands in them, two blanks between."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def report(snapshot: Snapshot, cluster: str, kubernetes: str, record: Record | None) -> list[str]:
    """The status of one cluster, as lines."""
    upgrade = record.text() if record else "no upgrade on record"
    return [f"cluster {cluster}   kubernetes {kubernetes}   {upgrade}", "", *_planes(snapshot), "", *_namespaces(snapshot)]


def _planes(snapshot: Snapshot) -> list[str]:
    if not snapshot.control_planes:
        return ["no control plane here"]
    rows = []
    for plane in sorted(snapshot.control_planes, key=lambda p: p.revision):
        tags = ", ".join(sorted({i.tag for i in snapshot.injectors if i.tag and i.revision == plane.revision})) or "-"
        ready = f"{plane.deployment.available}/{plane.deployment.replicas}"
        rows.append((plane.revision, plane.version or "unknown", ready, _injects(snapshot, plane.revision), tags))
    return table(("CONTROL PLANE", "VERSION", "READY", "INJECTS", "TAGS"), rows)


def _injects(snapshot: Snapshot, revision: str) -> str:
    namespaces = len(snapshot.injected_by(revision))
    workloads = sum(1 for judged in snapshot.judged if judged.proxies.get(revision))
    return f"{_count(namespaces, 'namespace')}, {_count(workloads, 'workload')}" if namespaces or workloads else "nothing"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _namespaces(snapshot: Snapshot) -> list[str]:
    rows = []
    for namespace in sorted(snapshot.namespaces, key=lambda n: n.name):
        here = [judged for judged in snapshot.judged if judged.workload.namespace == namespace.name]
        if namespace.asks == Asks() and not any(j.proxies or j.decision.revision for j in here):
            continue
        gets = snapshot.gets(namespace.name).revision
        on_it = sum(1 for j in here if j.standing is Standing.CURRENT)
        stale = sum(1 for j in here if j.standing is Standing.STALE)
        rows.append(
            (namespace.name, namespace.asks.text(), gets or "nothing", str(len(here)), str(on_it), str(stale), _note(snapshot, here, gets))
        )
    if not rows:
        return [f"no namespace asks for a sidecar ({INJECTION} or istio.io/rev)"]
    return table(("NAMESPACE", "LABEL", "GETS", "WORKLOADS", "ON IT", "STALE", "NOTE"), rows)


def _note(snapshot: Snapshot, here: Sequence[Judged], gets: str | None) -> str:
    orphaned = [j for j in here if j.standing is Standing.ORPHANED]
    if orphaned:
        return f"{len(orphaned)} orphaned: new pods get no sidecar"
    rolling = next((j for j in here if j.standing is Standing.STALE and 0 < j.proxies.get(gets or "", 0) < len(j.pods)), None)
    if rolling:
        return f"{rolling.workload.short}: rolling, {rolling.proxies.get(gets or '', 0)} of {len(rolling.pods)} pods"
    return ""
