# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A revisioned control plane, present or absent, as a Helm release of its own."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import control_planes, helm_record
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Successor
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._render.control_plane import check_rendering
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, Helm, objects
from ansible_collections.meshops.istio.plugins.module_utils._verbs.chart import CHART, chart_of, check_chart, release_of, shown
from ansible_collections.meshops.istio.plugins.module_utils._verbs.unused import SUCCESSOR, check, successor_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late, Patience, wait_until

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    **CHART,
    **SUCCESSOR,
    **ISTIO_NAMESPACE,
    **WAIT,
}


@dataclass(frozen=True, slots=True)
class Options:
    absent: bool
    revision: str
    version: str | None
    chart: Chart
    istio_namespace: str
    patience: Patience
    successor: Successor | None

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        absent = params["state"] == "absent"
        if not absent:
            check_revision(params["revision"])
        return cls(
            absent=absent,
            revision=params["revision"],
            version=params["version"],
            chart=chart_of(params),
            istio_namespace=params["istio_namespace"],
            patience=Patience.of(params),
            successor=successor_of(params),
        )

    @property
    def release(self) -> str:
        return release_of(self.revision)


def run(options: Options, context: Context) -> Result:
    if not options.absent:
        check_chart(options.chart)
    with context.cluster.kubeconfig() as path:
        helm = Helm(options.chart.helm, path, options.istio_namespace)
        return _absent(options, context, helm) if options.absent else _present(options, context, helm)


def _present(options: Options, context: Context, helm: Helm) -> Result:
    found = helm.release(options.release)
    killed = False
    if found and helm_record.busy(found.status) and not context.check_mode:
        killed = _settled(options, context)
        found = helm.release(options.release)
    rendered = helm.rendered(options.release, options.chart, found)
    version = check_rendering(rendered, options.revision, options.version)
    same = found is not None and found.status == "deployed" and found.values == options.chart.values and objects(found.manifest) == rendered
    if not same and not context.check_mode:
        context.say(f"control plane {options.revision}: helm installs {version or 'it'} as release {options.release}")
        mark = {helm_record.MARK: str(found.number + 1 if found else 1)}
        helm.apply(options.release, options.chart, mark, again=killed)
    if not context.check_mode:
        _wait(options, context)
    done = "is there" if same else f"{'would be' if context.check_mode else 'was'} {'upgraded' if found else 'installed'}"
    had = found.values if found else {}
    after = {"chart": options.chart.name, "version": version, "values": shown(options.chart.values, had)}
    before = {"values": shown(had), "status": found.status} if found else None
    return Result(
        msg=f"control plane {options.revision} {done}",
        differences=() if same else (Difference(f"release/{options.release}", before, after),),
        facts={"revision": options.revision, "version": version},
        predicted=context.check_mode,
    )


class Killed(MeshError):
    """An operation of our own that did not come to its end in the grace time."""

    def __init__(self, operation: helm_record.Operation) -> None:
        super().__init__("An operation of helm was killed.")
        self.operation = operation


def _settled(options: Options, context: Context) -> bool:
    """Waits for the operation of helm that is under way. True where it was one of ours that was killed, whose record goes.

    Another's is waited for as long as for anything else, and never touched.
    """

    def step() -> Progress:
        return _under_way(options, helm_record.newest(now))

    with helm_record.follow(context.cluster, options.istio_namespace, options.release) as now:
        while True:
            try:
                wait_until(f"release {options.release}", now, step, context, options.patience)
            except Killed as killed:
                if options.absent:  # helm takes away what is half done as well, and needs its record for that
                    return False
                if helm_record.clear(context.cluster, options.istio_namespace, killed.operation):
                    context.say(f"release {options.release}: helm was killed during its last operation, which is now done again")
                    return True
            except Late as late:
                raise _others(options, helm_record.newest(now), late) from late
            else:
                return False


def _under_way(options: Options, operation: helm_record.Operation | None) -> Progress:
    if operation is None or not operation.busy:
        return Progress(1, 1)
    if operation.status == "uninstalling" and options.absent:  # that is done again anyway
        return Progress(1, 1)
    ours = operation.ours and operation.status != "uninstalling"  # which inherits the mark of what it uninstalls
    waiting = f"{'our own' if ours else 'another'} helm, which has it as {operation.status}"
    return Progress(0, 1, (waiting,), failing=Killed(operation) if ours else None)


def _others(options: Options, operation: helm_record.Operation | None, late: Late) -> Late:
    """Its helm may still be at work, or may have been killed: only a person can know."""
    status = operation.status if operation else ""
    word = "rollback" if status in ("pending-upgrade", "pending-rollback") else "uninstall"
    return Late(
        f"Another helm has been at work on release {options.release} for {count(int(options.patience.timeout), 'second')}.",
        where=f"{operation.name if operation else options.release} in namespace {options.istio_namespace}, which has it as {status}",
        why=late.why,
        do=f"wait for it; if no helm is at work there any more: helm {word} {options.release} -n {options.istio_namespace}",
    )


def _wait(options: Options, context: Context) -> None:
    with control_planes.follow(context.cluster, options.istio_namespace) as now:

        def step() -> Progress:
            deployment = control_planes.deployment_of(now, options.revision)
            return control_plane_ready(
                options.revision,
                deployment,
                control_planes.pods_of(now, deployment),
                control_planes.injectors(now),
                control_planes.endpoints_of(now, options.release),
            )

        wait_until(f"control plane {options.revision}", now, step, context, options.patience)


def _absent(options: Options, context: Context, helm: Helm) -> Result:
    found = helm.release(options.release)
    facts = {"revision": options.revision}
    if found is None:
        return Result(msg=f"control plane {options.revision} is not there", facts=facts)
    if helm_record.busy(found.status) and not context.check_mode:
        _settled(options, context)
    warnings = check(context.cluster, options.revision, options.istio_namespace, options.successor, taken_over=not context.check_mode)
    if not context.check_mode:
        helm.uninstall(options.release)
    return Result(
        msg=f"control plane {options.revision} {'would be' if context.check_mode else 'was'} removed",
        differences=(Difference(f"release/{options.release}", {"values": shown(found.values), "status": found.status}, None),),
        facts=facts,
        warnings=warnings,
        predicted=context.check_mode,
    )


VERB = Verb("control_plane", SPEC, Options.of, run)
