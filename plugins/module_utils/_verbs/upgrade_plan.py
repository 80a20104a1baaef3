# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade would move and restart, and what stands in its way. Reads only; the role runs it first."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.rights import missing, needed
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import Blocked, MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import Plan, Target, make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._render import helm
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Result, Verb

SPEC: dict[str, t.Any] = {
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    "from_revision": {"type": "str"},
    "waves": {"type": "list", "elements": "raw", "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "istio_namespace": ISTIO_NAMESPACE,
    "chart": {"type": "str"},
    "helm": {"type": "str", "default": "helm"},
}


@dataclass(frozen=True, slots=True)
class Options:
    target: Target
    chart: str | None
    helm: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        check_revision(params["revision"])
        waves = tuple(_wave(wave, number) for number, wave in enumerate(params["waves"], start=1))
        target = Target(
            params["revision"], params["version"], params["from_revision"], waves, frozenset(params["exclude"]), params["istio_namespace"]
        )
        return cls(target, params["chart"], params["helm"])


def _wave(wave: object, number: int) -> tuple[str, ...] | str:
    if isinstance(wave, str):
        return wave
    if isinstance(wave, list) and all(isinstance(name, str) for name in wave):
        return tuple(wave)
    raise MeshError(
        "A wave is neither a list of namespaces nor a label selector.", where=f"wave {number}", do='for example [["shop"], "team=pay"]'
    )


def run(options: Options, context: Context) -> Result:
    if options.chart is not None:
        helm.check(options.helm, options.chart)
    rights = missing(context.cluster, needed(options.target.istio_namespace))
    if rights:
        raise MeshError(
            "This user may not do all that the upgrade needs.",
            where=", ".join(right.text() for right in rights),
            do="grant these rights, or use another user",
        )
    plan = make_plan(take(context.cluster), options.target)
    if plan.blockers:
        raise Blocked(plan.blockers)
    return Result(msg=_sentence(plan, options.target), facts=_facts(plan), warnings=plan.warnings, predicted=True)


def _facts(plan: Plan) -> dict[str, object]:
    return {
        "from_revision": plan.old,
        "waves": [list(wave) for wave in plan.waves],
        "moves": [{"namespace": m.namespace.name, "before": m.namespace.asks.text(), "after": m.then.text()} for m in plan.moves],
        "restarts": [f"{j.workload.namespace}/{j.workload.short}" for j in plan.restarts],
    }


def _sentence(plan: Plan, target: Target) -> str:
    waves = f"{len(plan.waves)} wave{'' if len(plan.waves) == 1 else 's'}"
    return f"{len(plan.moves)} namespaces move to {target.revision} in {waves}, {len(plan.restarts)} workloads restart"


VERB = Verb("upgrade_plan", SPEC, Options.of, run)
