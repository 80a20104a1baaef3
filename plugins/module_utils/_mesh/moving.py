# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the move does to injection: who would get no sidecar, two, or one that nobody has asked for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Outcome
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target, refuses
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Standing


def move_findings(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str], old: str | None) -> Iterator[Finding]:
    """``before`` is the cluster as the upgrade found it, ``after`` as it will be when the named namespaces have moved."""
    yield from _unknown_findings(before, after, target, names)
    yield from _opt_in_findings(before, names)
    yield from _twice_findings(before, after, names)
    yield from _orphan_findings(before, after, target, names)
    yield from _follower_findings(before, names)
    yield from _elsewhere_findings(after, target, names, old)
    yield from _gateway_findings(after, names)


def _unknown_findings(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str]) -> Iterator[Finding]:
    """What cannot be predicted would be left as it is by every restart, so that a wave with it could never be said to be done.

    Where the user names no waves, all of the mesh is meant; else what is not known elsewhere is only a warning.
    """
    for name in names:
        yield from _unknown(after, name, blocker)
    moving = {*names, *target.exclude}
    for one in before.namespaces:
        if one.name not in moving and not one.deleting:
            yield from _unknown(before, one.name, warning if target.waves else blocker)


def _unknown(snapshot: Snapshot, name: str, weigh: Callable[..., Finding]) -> Iterator[Finding]:
    found = snapshot.standing(Standing.UNKNOWN, [name])
    decision = found[0].decision if found else snapshot.gets(name)
    if not decision.known:
        yield weigh(
            Topic.INJECTION,
            f'What new pods in namespace "{name}" would get cannot be told.',
            where=listed([judged.workload.short for judged in found]) or f"namespace {name}, which runs nothing now",
            why=decision.sentence,
            do=f"mend what is named there, or {_leave_out(name)}; injection_probe asks the cluster itself",
        )


def _leave_out(name: str) -> str:
    """As it is typed: after a bare ``-e mesh_exclude=`` a list would be a text."""
    return f"""leave the namespace out: -e '{{"mesh_exclude": ["{name}"]}}'"""


def _opt_in_findings(before: Snapshot, names: Iterable[str]) -> Iterator[Finding]:
    """A label on a namespace in which only single pods ask for a sidecar would inject all its other pods too."""
    for name in names:
        opted = [j.workload.short for j in before.within([name]) if _by_pod_alone(before, j)]
        if opted:
            yield blocker(
                Topic.INJECTION,
                f'In namespace "{name}" only single pods ask for a sidecar.',
                where=listed(opted),
                why="a label on the namespace would inject all its other pods too",
                do=f"set istio.io/rev in the pod templates, and {_leave_out(name)}",
            )


def _by_pod_alone(before: Snapshot, judged: Judged) -> bool:
    name = judged.workload.namespace
    return (
        before.namespace[name].asks == Asks() and judged.decision.outcome is not Outcome.NONE and before.gets(name).outcome is Outcome.NONE
    )


def _twice_findings(before: Snapshot, after: Snapshot, names: Iterable[str]) -> Iterator[Finding]:
    """Two injectors that take the same pod: the one whose name sorts last wins, silently (recorded: two-injectors.json)."""
    for name in names:
        decisions = [snapshot.gets(name) for snapshot in (before, after)]
        decisions += [judged.decision for snapshot in (before, after) for judged in snapshot.within([name])]
        twice = next((decision for decision in decisions if decision.twice), None)
        if twice:
            yield blocker(
                Topic.INJECTION,
                f'Pods in namespace "{name}" are taken by two injectors.',
                where=", ".join(f"{injector.name} ({injector.revision})" for injector in twice.asked),
                why="both inject, and which sidecar stays depends on the order of their names",
                do=f"disable one of them, or {_leave_out(name)}",
            )


def _orphan_findings(before: Snapshot, after: Snapshot, target: Target, names: Sequence[str]) -> Iterator[Finding]:
    """Namespaces that have sidecars and would get none: in a wave, where nothing could be given back, or by the move itself.

    Where the user names no waves, all of the mesh is meant. Where there are waves, what is orphaned elsewhere is only a warning.
    """
    everywhere = [n.name for n in before.namespaces if n.name not in target.exclude and not n.deleting]
    for name in sorted({*names, *(() if target.waves else everywhere)}):
        asks = before.namespace[name].asks
        unserved = name in names and asks != Asks() and not refuses(before.namespace[name]) and before.gets(name).outcome is Outcome.NONE
        orphans = [
            j for j in before.standing(Standing.ORPHANED, [name]) if set(j.proxies) != {target.revision}
        ]  # not what has moved already
        orphans = orphans or list(after.standing(Standing.ORPHANED, [name]))
        if not orphans and not unserved:
            continue
        workloads = f"; {count(len(orphans), 'workload')}: {listed([j.workload.short for j in orphans])}" if orphans else ""
        yield blocker(
            Topic.INJECTION,
            f'Namespace "{name}" would lose its sidecars.' if orphans else f'Namespace "{name}" asks for what nobody serves.',
            where=f"label {asks.text()}{workloads}",
            why=_why_nothing(before, name, asks),
            do=_way_out(before, name, asks),
        )


def _why_nothing(snapshot: Snapshot, name: str, asks: Asks) -> str:
    if snapshot.gets(name).outcome is not Outcome.NONE:
        return "the pod templates opt out of injection; the running pods still have a sidecar"
    if asks.injection not in (None, "enabled"):
        return f"istio-injection={asks.injection} keeps new pods without a sidecar; the running ones still have one"
    if asks.injection == "enabled":
        return f"no injector here serves istio-injection=enabled (there are: {_served(snapshot)})"
    if asks.revision is None:
        return "the namespace asks for none, and no injector takes these pods by their own labels"
    return f'no injector here serves revision or tag "{asks.revision}" (there are: {_served(snapshot)})'


def _way_out(snapshot: Snapshot, name: str, asks: Asks) -> str:
    leave = _leave_out(name)
    if asks.injection not in (None, "enabled") or snapshot.gets(name).outcome is not Outcome.NONE:
        return f"restart them to have the sidecars gone, or {leave}"
    to = next((i.alias for i in snapshot.injectors if not i.disabled), "REVISION")
    old = " istio-injection-" if asks.injection is not None else ""
    return f"kubectl label namespace {name}{old} istio.io/rev={to} --overwrite, or {leave}"


def _served(snapshot: Snapshot) -> str:
    """``default, 1-30-3, tag prod``."""
    names = (f"tag {i.tag}" if i.tag else i.revision for i in snapshot.injectors if not i.disabled)
    return ", ".join(dict.fromkeys(names)) or "none"


def _follower_findings(before: Snapshot, names: Sequence[str]) -> Iterator[Finding]:
    for name in names:
        asks = before.namespace[name].asks
        tag = next((i.tag for i in before.injectors if i.tag and i.tag == asks.revision and asks.injection is None), None)
        if tag and tag != DEFAULT:
            yield warning(
                Topic.WAVES, f'Namespace "{name}" follows tag "{tag}"; it is relabelled to the revision itself and no longer follows'
            )


def _elsewhere_findings(after: Snapshot, target: Target, names: Sequence[str], old: str | None) -> Iterator[Finding]:
    """What is in no wave, and has or gets sidecars of the old control plane all the same."""
    moving = set(names)
    elsewhere = [j for j in after.staying if j.workload.namespace not in moving]
    if target.waves:
        for workload in (judged.workload for judged in elsewhere if judged.standing is Standing.ORPHANED):
            what = f"{workload.short} in {workload.namespace} has a sidecar and would get none now"
            yield warning(Topic.INJECTION, what, why="it is orphaned, and left alone")
    left = sorted({judged.workload.namespace for judged in elsewhere if old and judged.decision.revision == old})
    if left:
        yield warning(Topic.WAVES, f'{count(len(left), "namespace")} not in any wave: {listed(left)}. New pods there still get "{old}"')


def _gateway_findings(after: Snapshot, names: Sequence[str]) -> Iterator[Finding]:
    for judged in after.within(names):
        workload = judged.workload
        if judged.standing is Standing.GATEWAY and judged.decision.revision:
            why = f"not restarted, its next pods get {judged.decision.revision}"
            yield warning(Topic.INJECTION, f"{workload.short} in {workload.namespace} is a gateway", why=why)
