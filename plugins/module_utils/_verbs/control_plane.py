# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A revisioned control plane, present or absent: as a Helm release, or as objects that are rendered and applied."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import control_planes, helm_record
from ansible_collections.meshops.istio.plugins.module_utils._kube import stock as stocks
from ansible_collections.meshops.istio.plugins.module_utils._kube.rights import check_uninstall_rights
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Successor
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rollout import control_plane_ready
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Stock, name_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, Helm
from ansible_collections.meshops.istio.plugins.module_utils._verbs import applied, helm_release
from ansible_collections.meshops.istio.plugins.module_utils._verbs.installed import Installed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.source import (
    HELM,
    SOURCE,
    Source,
    check_source,
    offline,
    release_of,
    rendered_version,
    source_of,
)
from ansible_collections.meshops.istio.plugins.module_utils._verbs.unused import SUCCESSOR, check, successor_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    "from_revision": {"type": "str"},
    **SOURCE,
    **SUCCESSOR,
    **ISTIO_NAMESPACE,
    **WAIT,
}


@dataclass(frozen=True, slots=True)
class Options:
    revision: str
    version: str | None
    beside: str | None
    """The old control plane, which the new one must not be weaker than."""
    source: Source | None
    """What it is installed from; None where it is to go."""
    provider: str
    apply_shared: bool
    helm: str
    istio_namespace: str
    patience: Patience
    successor: Successor | None

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        absent = params["state"] == "absent"
        if not absent:  # an unrevisioned one can go, but not come beside another
            check_revision(params["revision"])
        return cls(
            revision=params["revision"],
            version=params["version"],
            beside=params["from_revision"],
            source=None if absent else source_of(params),
            provider=params["provider"],
            apply_shared=params["apply_shared"],
            helm=os.path.expanduser(params["helm"]),
            istio_namespace=params["istio_namespace"],
            patience=Patience.of(params),
            successor=successor_of(params),
        )


def run(options: Options, context: Context) -> Result:
    return _present(options, options.source, context) if options.source else _absent(options, context)


def _present(options: Options, source: Source, context: Context) -> Result:
    check_source(source)
    old = control_planes.strength_of(context.cluster, options.istio_namespace, options.beside) if options.beside else None
    done = _by_helm(options, source, old, context) if isinstance(source, Chart) else _by_us(options, source, old, context)
    if not context.check_mode:
        _wait(options, context, done.least)
    would = "would be" if context.check_mode else "was"
    said = f"{would} {'upgraded' if done.was_there else 'installed'}" if done.differences else "is there"
    return Result(
        msg=f"control plane {options.revision} {said}",
        differences=done.differences,
        facts={"revision": options.revision, "version": done.version},
        warnings=done.warnings,
        predicted=context.check_mode,
    )


def _by_helm(options: Options, chart: Chart, old: Strength | None, context: Context) -> Installed:
    beside = (options.beside, old) if options.beside and old else None
    with context.cluster.kubeconfig() as path:
        helm = Helm(chart.helm, path, options.istio_namespace)
        return helm_release.install(_release(options, release_of(options.revision)), chart, options.version, beside, helm, context)


def _by_us(options: Options, source: Source, old: Strength | None, context: Context) -> Installed:
    rendering = offline(source, options.revision, options.istio_namespace)
    version = rendered_version(source, rendering, options.revision, options.version)
    target = applied.Target(options.revision, options.istio_namespace, options.provider, options.apply_shared)
    return applied.install(target, rendering, version, old, context)


def _release(options: Options, name: str) -> helm_release.Target:
    return helm_release.Target(name, options.revision, options.istio_namespace, options.patience, absent=options.source is None)


def _wait(options: Options, context: Context, least: int) -> None:
    with control_planes.follow(context.cluster, options.istio_namespace) as now:

        def step() -> Progress:
            deployment = control_planes.deployment_of(now, options.revision)
            return control_plane_ready(
                options.revision,
                deployment,
                control_planes.pods_of(now, deployment),
                control_planes.injectors(now),
                control_planes.endpoints_of(now, release_of(options.revision)),
                least,
            )

        wait_until(f"control plane {options.revision}", now, step, context, options.patience)


def _absent(options: Options, context: Context) -> Result:
    """By helm where it is a helm release, else by the record of what it consists of; never where something needs it."""
    cluster, namespace, revision = context.cluster, options.istio_namespace, options.revision
    of_helm = control_planes.release_of(cluster, namespace, revision)
    stock = stocks.load(cluster, namespace, revision)
    differences, warnings = _by_helm_gone(options, of_helm, context)
    left: Stock | None = None
    if not differences and stock:
        removal = applied.removal_of(cluster, stock, namespace)
        warnings = (*removal.kept, *(_check_unused(options, context) if removal.objects or removal.kept else ()))
        differences = applied.remove(removal, context)
        left = removal.left if removal.kept else None
    elif not differences:
        _check_not_there(options, context)
    done = f"{'would be' if context.check_mode else 'was'} removed" if differences else "is not there"
    if stock:
        differences += _settled(options, stock, left, context)
    return Result(
        msg=f"control plane {revision} {done}" + (f", but for what stays: {_names(left)}" if left else ""),
        differences=differences,
        facts={"revision": revision},
        warnings=warnings,
        predicted=context.check_mode,
    )


def _names(stock: Stock) -> str:
    return listed([one.text() for one in sorted(stock.objects)], 5)


def _settled(options: Options, stock: Stock, left: Stock | None, context: Context) -> tuple[Difference, ...]:
    """The record holds what stays, so that it is named again, and goes with the last of it."""
    if left == stock:
        return ()
    if left:
        stocks.save(context.cluster, options.istio_namespace, left)
    else:
        stocks.forget(context.cluster, options.istio_namespace, stock.revision)
    after = {"objects": len(left.objects)} if left else None
    return (Difference(f"configmap/{name_of(stock.revision)}", {"objects": len(stock.objects)}, after),)


def _by_helm_gone(options: Options, of_helm: str | None, context: Context) -> tuple[tuple[Difference, ...], tuple[str, ...]]:
    """What helm removes, with warnings; ``of_helm`` is the release that the control plane says it belongs to."""
    name = of_helm or (release_of(options.revision) if options.provider == HELM else None)
    if name is None:
        return (), ()
    with context.cluster.kubeconfig() as path:
        helm = Helm(options.helm, path, options.istio_namespace)
        found = helm.release(name)
        if found:
            target = _release(options, name)
            if helm_record.busy(found.status) and not context.check_mode:
                helm_release.settled(target, context)
            warnings = _check_unused(options, context)
            check_uninstall_rights(context.cluster, options.istio_namespace)
            return helm_release.uninstall(target, found, helm, context), warnings
    if of_helm:
        raise MeshError(
            f'Control plane "{options.revision}" belongs to a helm release that helm does not know.',
            where=f"release {name} in namespace {options.istio_namespace}",
            why="helm alone removes what it owns, and it has no record of this one",
            do="bring helm's record back, or remove the control plane by what installed it",
        )
    return (), ()


def _check_unused(options: Options, context: Context) -> tuple[str, ...]:
    """Raises MeshError where something needs it; returns what is worth a warning."""
    gone = not context.check_mode
    return check(context.cluster, options.revision, options.istio_namespace, options.successor, taken_over=gone)


def _check_not_there(options: Options, context: Context) -> None:
    """Raises MeshError for a control plane of which nobody has recorded what it consists of; first for who needs it."""
    snapshot = take(context.cluster)
    there = [f"Deployment {p.namespace}/{p.name}" for p in snapshot.control_planes if p.revision == options.revision]
    there += [f"MutatingWebhookConfiguration {i.name}" for i in snapshot.injectors if i.revision == options.revision and not i.tag]
    if there:
        _check_unused(options, context)
        raise MeshError(
            f'It is not known what control plane "{options.revision}" consists of.',
            where=", ".join(there),
            why=f"it is no helm release, and there is no ConfigMap {name_of(options.revision)}: only what is recorded is removed",
            do="an upgrade away from it records it (upgrade_state with state: started); or remove it by what installed it",
        )


VERB = Verb("control_plane", SPEC, Options.of, run)
