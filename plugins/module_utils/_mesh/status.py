# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One table that says how a mesh stands: 100 columns, for a person at 3 a.m. Pure."""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.disagreements import Disagreement, Source
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Weight
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, Outcome
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, Asks, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.record import Phase, Record
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import DEPLOYMENT, POD, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing

Row = Sequence[str]
WIDTH, MOST = 100, 10
_PLAYBOOKS = {Phase.RUNNING: "canary_upgrade", Phase.ROLLING_BACK: "rollback", Phase.COMPLETING: "complete"}


def table(head: Row, rows: Iterable[Row]) -> list[str]:
    """Columns as wide as what stands in them, two blanks between."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to say beside the tables."""

    findings: Sequence[Finding] = ()
    disagreements: Sequence[Disagreement] = ()
    unknown: Sequence[str] = ()
    recorded: bool = True
    """Whether it could be seen if an upgrade is on record."""


def report(snapshot: Snapshot, cluster: str, kubernetes: str, record: Record | None, written: str, seen: Seen | None = None) -> list[str]:
    """The status of one cluster, as lines. ``written`` is when the record was written last."""
    none = "no upgrade on record" if seen is None or seen.recorded else "whether an upgrade is on record is not known"
    upgrade = record.text() if record else none
    stand = _stand(record, written) if record and record.under_way else []
    head = [f"cluster {cluster}   kubernetes {kubernetes}   {upgrade}", *stand]
    tables = [*head, "", *_planes(snapshot), "", *_namespaces(snapshot)]
    return [*tables, *_findings(seen.findings), *_disagreements(seen.disagreements), *_unknown(seen.unknown)] if seen else tables


def _disagreements(found: Sequence[Disagreement]) -> list[str]:
    """Without what is merely stale: of that the table tells how much there is."""
    told = [one for one in found if set(one.says.against) - {Source.PREDICTION}]
    lines = [line for one in told[:MOST] for line in textwrap.wrap(one.text(), WIDTH, initial_indent="  ", subsequent_indent=" " * 9)]
    more = [f"  and {len(told) - MOST} more"] if len(told) > MOST else []
    return ["", "what is told of these pods does not agree:", *lines, *more] if told else []


def _unknown(sentences: Sequence[str]) -> list[str]:
    lines = [line for one in sentences for line in textwrap.wrap(one, WIDTH, initial_indent="  ", subsequent_indent=" " * 9)]
    return ["", "not known:", *lines] if lines else []


def _findings(findings: Sequence[Finding]) -> list[str]:
    """Each with its evidence and the way out, broken at the width of a terminal; what is only good to know comes without them."""
    lines: list[str] = []
    for one in findings:
        lines += ["", *_wrapped(f"{one.weight}: {one.what}", "")]
        parts = () if one.weight is Weight.NOTE else (("where", one.where), ("why", one.why), ("do", one.do))
        lines += [line for name, text in parts for line in _wrapped(text, name)]
    return lines


def _wrapped(text: str, name: str) -> list[str]:
    """What stands beside a name keeps its distance from the left in each line."""
    if not name:
        return textwrap.wrap(text, WIDTH, subsequent_indent="  ")
    return textwrap.wrap(text, WIDTH, initial_indent=f"  {name + ':':<7}", subsequent_indent=" " * 9, break_on_hyphens=False)


def _stand(record: Record, written: str) -> list[str]:
    """What is known of a run that has not come to its end. Whether one is at work cannot be seen from here."""
    do = f"run meshops.istio.{_PLAYBOOKS[record.phase]} again, it goes on from here"
    if record.paused:
        why = record.paused.why.splitlines()
        where = f'  paused at "{record.paused.at}", {record.paused.when}'
        return [where, f"    why:   {why[0]}", *(f"           {line}" for line in why[1:]), f"    do:    mend it and {do}"]
    last = f", last heard of {written.replace('T', ' ').replace('Z', ' UTC')}" if written else ""
    return [
        f"  not finished and not paused{last}: a run is at it, or it was cut off (killed, or ended with its batch)",
        f"    do:    if nobody is at it, {do}",
    ]


def _planes(snapshot: Snapshot) -> list[str]:
    if not snapshot.sees(DEPLOYMENT):
        return ["control planes: not known, since this user may not list Deployments"]
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
    if not snapshot.sees(POD):
        return f"{count(namespaces, 'namespace')}, workloads not known"
    workloads = sum(1 for judged in snapshot.judged if judged.proxies.get(revision))
    return f"{count(namespaces, 'namespace')}, {count(workloads, 'workload')}" if namespaces or workloads else "nothing"


def _namespaces(snapshot: Snapshot) -> list[str]:
    workloads: dict[str, list[Judged]] = defaultdict(list)
    for judged in snapshot.judged:
        workloads[judged.workload.namespace].append(judged)
    rows = [_row(snapshot, namespace, workloads[namespace.name]) for namespace in sorted(snapshot.namespaces, key=lambda n: n.name)]
    told = [row for row in rows if row]
    if not told:
        return [f"no namespace asks for a sidecar ({INJECTION} or {REVISION})"]
    return table(("NAMESPACE", "LABEL", "GETS", "WORKLOADS", "ON IT", "STALE", "NOTE"), told)


def _row(snapshot: Snapshot, namespace: Namespace, here: Sequence[Judged]) -> Row | None:
    """None for a namespace that has nothing to do with the mesh."""
    if namespace.asks == Asks() and not any(judged.proxies or judged.decision.outcome is not Outcome.NONE for judged in here):
        return None
    gets = snapshot.gets(namespace.name)
    standings = Counter(judged.standing for judged in here)
    seen = all(judged.seen for judged in here)
    on_it, stale = (str(standings[one]) if seen else "?" for one in (Standing.CURRENT, Standing.STALE))
    return (
        namespace.name,
        namespace.asks.text(),
        gets.revision or ("nothing" if gets.known else "unknown"),
        str(len(here)),
        on_it,
        stale,
        _note(here, gets),
    )


def _note(here: Sequence[Judged], gets: Decision) -> str:
    """The worst first: one line is read at 3 a.m."""
    if gets.refused:
        return f"new pods are refused: {gets.refused}"
    if not gets.known:
        return f"what new pods get is not known: {gets.why}"
    orphaned = sum(judged.standing is Standing.ORPHANED for judged in here)
    if orphaned:
        why = "" if gets.asked else "no injector has that name, "
        return f"{orphaned} orphaned: {why}new pods get no sidecar"
    if gets.twice:
        return f"two injectors: {', '.join(injector.name for injector in gets.asked)}"
    gateways = sum(judged.standing is Standing.GATEWAY for judged in here)
    for judged in here:
        there = judged.proxies.get(gets.revision or "", 0)
        if judged.standing is Standing.STALE and 0 < there < len(judged.pods):
            return f"{judged.workload.short}: rolling, {there} of {len(judged.pods)} pods"
    return f"{count(gateways, 'gateway')}, left alone" if gateways else ""
