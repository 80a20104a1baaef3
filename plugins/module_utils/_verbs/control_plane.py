# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A revisioned control plane, present or absent, as a Helm release of its own."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import control_planes, helm_record
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import default_validator_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import check_unused
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready
from ansible_collections.meshops.istio.plugins.module_utils._render.control_plane import check_rendering
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, Helm, Release, objects
from ansible_collections.meshops.istio.plugins.module_utils._verbs.chart import CHART, chart_of, check_chart, release_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late, Patience, wait_until

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    **CHART,
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

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        check_revision(params["revision"])
        absent = params["state"] == "absent"
        return cls(absent, params["revision"], params["version"], chart_of(params), params["istio_namespace"], Patience.of(params))

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
    if found and found.busy and not context.check_mode:
        killed = _was_killed(options, context, found)
        found = helm.release(options.release)
    rendered = helm.rendered(options.release, options.chart, found)
    version = check_rendering(rendered, options.revision, options.version)
    same = found is not None and found.status == "deployed" and found.values == options.chart.values and objects(found.manifest) == rendered
    if not same and not context.check_mode:
        context.say(f"control plane {options.revision}: helm installs {version or 'it'} as release {options.release}")
        helm.apply(options.release, options.chart, again=killed)
    if not context.check_mode:
        _wait(options, context)
    done = "is there" if same else f"{'would be' if context.check_mode else 'was'} {'upgraded' if found else 'installed'}"
    after = {"chart": options.chart.name, "version": version, "values": dict(options.chart.values)}
    before = {"values": dict(found.values), "status": found.status} if found else None
    return Result(
        msg=f"control plane {options.revision} {done}",
        differences=() if same else (Difference(f"release/{options.release}", before, after),),
        facts={"revision": options.revision, "version": version},
        predicted=context.check_mode,
    )


def _was_killed(options: Options, context: Context, found: Release) -> bool:
    """Waits for an operation of helm that is under way; one that does not end in the grace time was killed, and its record goes."""
    patience = replace(options.patience, timeout=min(options.patience.timeout, options.patience.grace))
    with helm_record.follow(context.cluster, options.istio_namespace, options.release) as now:

        def step() -> Progress:
            pending = helm_record.busy(now)
            return Progress(0 if pending else 1, 1, tuple(f"helm, which has it as {status}" for status in pending))

        try:
            wait_until(f"release {options.release}", now, step, context, patience)
        except Late:
            context.say(f"release {options.release}: helm was killed during its last operation, which is now done again")
            helm_record.clear(context.cluster, options.istio_namespace, options.release, found.number)
            return True
    return False


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
    check_unused(take(context.cluster), options.revision, default_validator_of(context.cluster, options.release))
    if not context.check_mode:
        helm.uninstall(options.release)
    return Result(
        msg=f"control plane {options.revision} {'would be' if context.check_mode else 'was'} removed",
        differences=(Difference(f"release/{options.release}", {"values": dict(found.values), "status": found.status}, None),),
        facts=facts,
        predicted=context.check_mode,
    )


VERB = Verb("control_plane", SPEC, Options.of, run)
