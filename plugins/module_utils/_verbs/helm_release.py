# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control plane as a Helm release: helm owns it, we only tell it what to do, and clear up after a helm that was killed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import helm_record
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.followers import check_unfollowed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength, check_as_strong
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, Helm, Release, manifest_of
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Json
from ansible_collections.meshops.istio.plugins.module_utils._render.strengthen import least_of, strong_values
from ansible_collections.meshops.istio.plugins.module_utils._verbs.installed import Installed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.source import rendered_version, shown
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Difference
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late, Patience, wait_until


@dataclass(frozen=True, slots=True)
class Target:
    """The release of one control plane."""

    name: str
    revision: str
    namespace: str
    patience: Patience
    absent: bool = False


def install(
    target: Target, chart: Chart, version: str | None, beside: tuple[str, Strength] | None, helm: Helm, context: Context
) -> Installed:
    """Installs or upgrades where something differs; ``beside`` is the old control plane, which it must not be weaker than."""
    found = helm.release(target.name)
    killed = False
    if found and helm_record.busy(found.status) and not context.check_mode:
        killed = settled(target, context)
        found = helm.release(target.name)
    chart = replace(chart, values=strong_values(chart.values, found.values if found else None, beside[1] if beside else None))
    rendering = helm.rendered(target.name, chart, found)
    version = rendered_version(chart, rendering, target.revision, version)
    least = least_of(rendering.objects, target.name)
    there = manifest_of(found) if found else ()
    same = found is not None and found.status == "deployed" and found.values == chart.values and there == rendering.objects
    warnings = rendering.warnings
    if not same:
        tags = _tags(there) | _tags(rendering.objects)
        if tags:
            check_unfollowed(take(context.cluster), tags, target.name)
        if beside and not found:
            check_as_strong(target.revision, least, beside[1], beside[0])
            warnings += _without_budget(rendering.objects, beside)
        if not context.check_mode:
            context.say(f"control plane {target.revision}: helm installs {version or 'it'} as release {target.name}")
            mark = {helm_record.MARK: str(found.number + 1 if found else 1)}
            warnings += helm.apply(target.name, chart, mark, again=killed)
    had = found.values if found else {}
    after = {"chart": chart.name, "version": version, "values": shown(chart.values, had)}
    before = {"values": shown(had), "status": found.status} if found else None
    differences = () if same else (Difference(f"release/{target.name}", before, after),)
    return Installed(version, differences, tuple(dict.fromkeys(warnings)), was_there=found is not None, least=least)


def _without_budget(rendered: tuple[Json, ...], beside: tuple[str, Strength]) -> tuple[str, ...]:
    if beside[1].budget is None or any(item["kind"] == "PodDisruptionBudget" for item in rendered):
        return ()
    return (f'Control plane "{beside[0]}" has a PodDisruptionBudget, and the chart renders none for the new one with these values.',)


def _tags(objects: tuple[Json, ...]) -> set[str]:
    return {str(labels[TAG]) for item in objects if TAG in (labels := item["metadata"].get("labels") or {})}


def uninstall(target: Target, found: Release, helm: Helm, context: Context) -> tuple[Difference, ...]:
    """What helm removes; refused where a tag that it made is still followed."""
    tags = _tags(manifest_of(found))
    if tags:
        check_unfollowed(take(context.cluster), tags, target.name)
    if not context.check_mode:
        helm.uninstall(target.name)
    return (Difference(f"release/{target.name}", {"values": shown(found.values), "status": found.status}, None),)


class Killed(MeshError):
    """An operation of our own that did not come to its end in the grace time."""

    def __init__(self, operation: helm_record.Operation) -> None:
        super().__init__("An operation of helm was killed.")
        self.operation = operation


def settled(target: Target, context: Context) -> bool:
    """Waits for the operation of helm that is under way. True where it was one of ours that was killed, whose record goes.

    Another's is waited for as long as for anything else, and never touched.
    """

    def step() -> Progress:
        return _under_way(target, helm_record.newest(now))

    with helm_record.follow(context.cluster, target.namespace, target.name) as now:
        while True:
            try:
                wait_until(f"release {target.name}", now, step, context, target.patience)
            except Killed as killed:
                if target.absent:  # helm takes away what is half done as well, and needs its record for that
                    return False
                if helm_record.clear(context.cluster, target.namespace, killed.operation):
                    context.say(f"release {target.name}: helm was killed during its last operation, which is now done again")
                    return True
            except Late as late:
                raise _others(target, helm_record.newest(now), late) from late
            else:
                return False


def _under_way(target: Target, operation: helm_record.Operation | None) -> Progress:
    if operation is None or not operation.busy:
        return Progress(1, 1)
    if operation.status == "uninstalling" and target.absent:  # that is done again anyway
        return Progress(1, 1)
    ours = operation.ours and operation.status != "uninstalling"  # which inherits the mark of what it uninstalls
    waiting = f"{'our own' if ours else 'another'} helm, which has it as {operation.status}"
    return Progress(0, 1, (waiting,), failing=Killed(operation) if ours else None)


def _others(target: Target, operation: helm_record.Operation | None, late: Late) -> Late:
    """Its helm may still be at work, or may have been killed: only a person can know."""
    status = operation.status if operation else ""
    word = "rollback" if status in ("pending-upgrade", "pending-rollback") else "uninstall"
    return Late(
        f"Another helm has been at work on release {target.name} for {count(int(target.patience.timeout), 'second')}.",
        where=f"{operation.name if operation else target.name} in namespace {target.namespace}, which has it as {status}",
        why=late.why,
        do=f"wait for it; if no helm is at work there any more: helm {word} {target.name} -n {target.namespace}",
    )
