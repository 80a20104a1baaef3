# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade would move and restart, and what stands in its way. Reads only; the role runs it first."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import settings
from ansible_collections.meshops.istio.plugins.module_utils._kube.rights import check_readable
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse as injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import Blocked, MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan, make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan_table import plan_report
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_before
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.saved import Saved, check_holds, read, written
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings, config_map_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Rendering
from ansible_collections.meshops.istio.plugins.module_utils._verbs import applied
from ansible_collections.meshops.istio.plugins.module_utils._verbs.choices import CHOICES, choices_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.plan_facts import Subject, findings_about
from ansible_collections.meshops.istio.plugins.module_utils._verbs.source import (
    SOURCE,
    Source,
    check_source,
    offline,
    release_of,
    rendered_version,
    source_of,
)
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Result, Verb

SPEC: dict[str, t.Any] = {
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    "from_revision": {"type": "str"},
    "waves": {"type": "list", "elements": "raw", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "install": {"type": "bool", "default": False},
    "plan": {"type": "raw"},
    "concurrency": {"type": "int", "default": 10},
    "report": {"type": "bool", "default": False},
    **SOURCE,
    **CHOICES,
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    target: Target
    source: Source | None
    """What the control plane is installed from; None where that is not part of the plan."""
    provider: str
    apply_shared: bool
    saved: Saved | None
    """A plan that must still hold."""
    saved_in: str
    """Where that is from, as an error says it."""
    concurrency: int
    report: bool

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        check_revision(params["revision"])
        source = source_of(params) if params["install"] else None
        target = Target(
            revision=params["revision"],
            version=params["version"],
            come_from=params["from_revision"],
            waves=tuple(_wave(wave, number) for number, wave in enumerate(params["waves"], start=1)),
            exclude=frozenset(params["exclude"]),
            istio_namespace=params["istio_namespace"],
            choices=choices_of(params),
        )
        if params["concurrency"] < 1:
            do = "set concurrency (mesh_restart_concurrency) to how many workloads roll at once"
            raise MeshError("At least one workload must roll at once.", where=f"concurrency: {params['concurrency']}", do=do)
        given = params["plan"] or None
        where = f"mesh_plan: {given}" if isinstance(given, str) else "mesh_plan"
        saved = read(_loaded(given) if isinstance(given, str) else given, where) if given else None
        return cls(target, source, params["provider"], params["apply_shared"], saved, where, params["concurrency"], params["report"])


def _loaded(path: str) -> object:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError) as problem:
        why = problem.strerror or "" if isinstance(problem, OSError) else f"it is not JSON: {problem}"
        do = "correct mesh_plan: the path of a file that meshops.istio.plan has written (mesh_plan_file)"
        raise MeshError("The plan cannot be read.", where=f"mesh_plan: {path}", why=why, do=do) from problem


def _wave(wave: object, number: int) -> tuple[str, ...] | str:
    if isinstance(wave, str):
        return wave
    if isinstance(wave, list) and all(isinstance(name, str) for name in wave):
        return tuple(wave)
    do = 'for example mesh_waves: [[shop, cart], "team=pay"]'
    raise MeshError("A wave is neither a list of namespaces nor a label selector.", where=f"mesh_waves, wave {number}", do=do)


def run(options: Options, context: Context) -> Result:
    target, parts, rendering = options.target, None, None
    if options.source:
        check_source(options.source)
        target, parts, rendering = _rendered(options, options.source)
    provider = options.provider if options.source else None
    check_readable(context.cluster, target.istio_namespace, install=provider)
    if parts:
        applied.check_free(context.cluster, _applied(options), parts)
    snapshot = take(context.cluster)
    plan, before, uid = make_plan(snapshot, target), as_before(snapshot, target.revision), context.cluster.uid()
    plan = plan.told(findings_about(context.cluster, Subject(snapshot, plan, target, provider, rendering, parts.more if parts else ())))
    sentence = _sentence(plan, target)
    if options.report:
        context.say("\n".join(plan_report(plan, sentence, options.concurrency)))
    if options.saved:
        check_holds(options.saved, plan, snapshot, before, target, uid, options.saved_in)
    text = written(plan, before, target, uid, options.concurrency)
    facts: dict[str, object] = {"cluster_uid": uid, "version": target.version, **_facts(plan), "plan": text}
    if plan.blockers:
        raise Blocked(tuple(finding.error() for finding in plan.blockers), facts)
    told = () if options.report else tuple(finding.line() for finding in plan.warnings)
    return Result(
        msg=sentence,
        facts=facts,
        warnings=(*(parts.warnings if parts else ()), *told),
        predicted=True,
    )


def _rendered(options: Options, source: Source) -> tuple[Target, applied.Parts | None, Rendering]:
    """With what installing it would bring: its version and its injectors; and whose the objects are, where we apply them ourselves."""
    target = options.target
    rendering = offline(source, target.revision, target.istio_namespace)
    version = rendered_version(source, rendering, target.revision, target.version)
    kind = "MutatingWebhookConfiguration"
    brings = tuple(found for item in rendering.objects if item["kind"] == kind and (found := injector(item)))
    brought = replace(target, version=version, brings=brings, settings=_settings(rendering, target))
    if isinstance(source, Chart):
        return replace(brought, release=release_of(target.revision)), None, rendering
    return brought, applied.parts_of(rendering, _applied(options)), rendering


def _settings(rendering: Rendering, target: Target) -> Settings | None:
    name = config_map_of(target.revision)
    found = (item for item in rendering.objects if (item["kind"], item["metadata"]["name"]) == ("ConfigMap", name))
    return next(map(settings.parse, found), None)


def _applied(options: Options) -> applied.Target:
    return applied.Target(options.target.revision, options.target.istio_namespace, options.provider, options.apply_shared)


def _facts(plan: Plan) -> dict[str, object]:
    return {
        "from_revision": plan.old,
        "waves": [list(wave) for wave in plan.waves],
        "moves": [{"namespace": m.namespace.name, "before": m.namespace.asks.text(), "after": m.then.text()} for m in plan.moves],
        "restarts": [judged.workload.path for judged in plan.restarts],
        "ways": [
            {"workload": judged.workload.path, "recipe": str(way.recipe), "how": way.text, "variable": way.variable or None}
            for judged, way in plan.ways
        ],
        "findings": [finding.facts() for finding in plan.findings],
    }


def _sentence(plan: Plan, target: Target) -> str:
    to = f"{target.revision} ({target.version})" if target.version else target.revision
    if not plan.moves and not plan.restarts:
        return f"predicted: nothing would move or restart, all of it is on {to}"
    moves, restarts = count(len(plan.moves), "namespace"), count(len(plan.restarts), "workload")
    return f"predicted: {moves} would move from {plan.old} to {to} in {count(len(plan.waves), 'wave')}, {restarts} would restart"


VERB = Verb("upgrade_plan", SPEC, Options.of, run)
