# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A control plane as objects that we apply ourselves, of which a record is kept: names before they are applied, UIDs after."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import stock as stocks
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import FIELD_MANAGER, ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.crds import lowered
from ansible_collections.meshops.istio.plugins.module_utils._kube.objects import (
    RELEASE,
    Change,
    changes,
    path_for,
    path_of,
    placed,
    read_live,
    told,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.prepared import Prepare, scaled_in
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import Belongs, Identity, Step, apply_order, belongs, removal_step
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import Live, Stock, check_ours, kept_because
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count, listed
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Rendering, identity
from ansible_collections.meshops.istio.plugins.module_utils._render.strengthen import as_strong, least_of
from ansible_collections.meshops.istio.plugins.module_utils._verbs.installed import Installed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.source import release_of, shown
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Difference


@dataclass(frozen=True, slots=True)
class Target:
    revision: str
    namespace: str
    provider: str
    apply_shared: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """A rendering, sorted by whose its objects are."""

    own: tuple[Json, ...]
    more: tuple[Json, ...]
    """Shared with others or outside, and applied with consent."""
    warnings: tuple[str, ...]


def parts_of(rendering: Rendering, target: Target) -> Parts:
    """Raises MeshError for objects that may not be applied: a tag's, or those outside a control plane without consent."""
    placed_objects = [placed(item, target.namespace) for item in rendering.objects]
    sorted_by: dict[Belongs, list[Json]] = {kind: [] for kind in Belongs}
    for item in placed_objects:
        labels = item["metadata"].get("labels") or {}
        sorted_by[belongs(identity(item), labels, target.revision, target.namespace)].append(item)
    if sorted_by[Belongs.TAG]:
        raise MeshError(
            "What is rendered would move a tag at once.",
            where=listed(_names(sorted_by[Belongs.TAG]), most=10),
            why="all that follow the tag would get the new revision with their next pods, before any wave",
            do="take revisionTags out of what is rendered; meshops.istio.revision_tag moves a tag",
        )
    outside, shared = sorted_by[Belongs.OUTSIDE], sorted_by[Belongs.SHARED]
    if outside and not target.apply_shared:
        raise MeshError(
            f"What is rendered holds more than a control plane: {count(len(outside), 'object')} outside of it.",
            where=listed(_names(outside), most=40),
            why="they would be applied to the cluster with it",
            do="take them out of what is rendered, or consent to all of them: apply_shared (mesh_apply_shared)",
        )
    if target.apply_shared:
        return Parts(tuple(sorted_by[Belongs.OWN]), (*shared, *outside), rendering.warnings)
    left = f"Left out, since all revisions share {'it' if len(shared) == 1 else 'them'}: {_by_kind(shared)}."
    return Parts(tuple(sorted_by[Belongs.OWN]), (), rendering.warnings + ((left,) if shared else ()))


def _by_kind(items: Iterable[Json]) -> str:
    names: dict[str, list[str]] = {}
    for one in sorted(map(identity, items)):
        names.setdefault(one.kind, []).append(one.name)
    return "; ".join(f"{kind} {listed(found, most=20)}" for kind, found in sorted(names.items()))


def _names(items: Iterable[Json]) -> list[str]:
    return [identity(item).text() for item in items]


@dataclass(frozen=True, slots=True)
class _Survey:
    """What is there of a control plane: our record of it, and the objects of that record and of the rendering."""

    stock: Stock | None
    live: Mapping[Identity, Live]


def check_free(cluster: Cluster, target: Target, parts: Parts) -> None:
    """Raises MeshError where objects of the rendering are there and are not ours."""
    _survey(cluster, target, parts)


def _survey(cluster: Cluster, target: Target, parts: Parts) -> _Survey:
    stock = stocks.load(cluster, target.namespace, target.revision)
    rendered = {identity(item) for item in parts.own}
    live = read_live(cluster, rendered | set(stock.objects if stock else ()))
    check_ours(stock, (one for one in live.values() if one.identity in rendered), FIELD_MANAGER)
    return _Survey(stock, live)


def install(target: Target, rendering: Rendering, version: str | None, beside: Strength | None, context: Context) -> Installed:
    """Applies what differs and prunes what is not rendered any more.

    All that the API server would refuse is asked before the first write. Names are recorded before they are applied and UIDs after, so that
    a run that is killed anywhere can be started again, and nothing that somebody else makes meanwhile is ever taken for ours.
    """
    cluster, name = context.cluster, release_of(target.revision)
    parts = parts_of(rendering, target)
    survey = _survey(cluster, target, parts)
    stock = survey.stock or Stock(target.revision, target.provider, beside=beside)
    own = as_strong(parts.own, name, stock.beside)
    wanted = {identity(item): item for item in (*own, *parts.more)}
    pruned = _to_prune(stock, survey.live, wanted, target)
    scaled = scaled_in(cluster, target.namespace, list(wanted.values()), {one.identity for one in pruned})
    asked = [(path_for(cluster, item["apiVersion"], one), one, item) for one, item in sorted(wanted.items(), key=_by_order)]
    found = changes(cluster, asked, Prepare(scaled))
    _check_shared(found, {identity(item) for item in parts.more})
    needed = tuple(change for change in found if change.needed)
    begun = stock.about_to_apply(identity(item) for item in own)
    there = {change.identity: _uid(change.before) for change in found if change.before}
    lost = [one for one in begun.objects if one not in wanted and one not in survey.live]
    _keep(cluster, target, survey.stock, begun)
    _say(context, target, version, needed)
    done = begun.applied(there | ({} if context.check_mode else _applied(cluster, needed))).without(lost)
    _keep(cluster, target, begun, done)
    for one in pruned:
        cluster.delete(path_of(one.identity), uid=one.uid)
    _keep(cluster, target, done, done.without(one.identity for one in pruned))
    differences = [Difference(change.identity.text(), *_sides(change)) for change in needed]
    differences += [Difference(one.identity.text(), {"uid": one.uid}, None) for one in pruned]
    return Installed(version, tuple(differences), parts.warnings, was_there=survey.stock is not None, least=least_of(own, name))


def _keep(cluster: Cluster, target: Target, before: Stock | None, after: Stock) -> None:
    if after != before:
        stocks.save(cluster, target.namespace, after)


def _by_order(entry: tuple[Identity, Json]) -> tuple[int, Identity]:
    return apply_order(entry[0])


def _uid(item: Json) -> str:
    return str(item["metadata"]["uid"])


def _check_shared(found: Iterable[Change], shared: set[Identity]) -> None:
    """Helm's own stay helm's, and no CRD loses what objects may need."""
    mine = [change for change in found if change.identity in shared and change.needed]
    of_helm = [one for change in mine if change.before and (one := _release(change))]
    if of_helm:
        raise MeshError(
            "Some shared objects belong to a helm release.",
            where=listed(of_helm, most=40),
            why="what helm owns is changed by helm only",
            do="upgrade that release by helm, and leave apply_shared (mesh_apply_shared) out",
        )
    less = [f"{change.identity.name}: {listed(gone)}" for change in mine if change.before and (gone := lowered(change.before, change.body))]
    if less:
        raise MeshError(
            "Some CRDs would lose what they have.",
            where="; ".join(less),
            why="they are of a newer Istio than what is rendered, and objects in the cluster may use it",
            do="leave apply_shared (mesh_apply_shared) out: the CRDs that are there serve older control planes too",
        )


def _release(change: Change) -> str:
    release = ((change.before or {}).get("metadata", {}).get("annotations") or {}).get(RELEASE)
    return f"{change.identity.text()} of {release}" if release else ""


def _to_prune(stock: Stock, live: Mapping[Identity, Live], wanted: Mapping[Identity, Json], target: Target) -> tuple[Live, ...]:
    old = (live[one] for one in sorted(stock.objects) if one not in wanted and one in live)
    return tuple(one for one in old if not kept_because(one, stock, target.namespace, FIELD_MANAGER))


def _say(context: Context, target: Target, version: str | None, needed: tuple[Change, ...]) -> None:
    if needed and not context.check_mode:
        context.say(f"control plane {target.revision}: applying {count(len(needed), 'object')} of {version or 'it'}")


def _applied(cluster: Cluster, needed: tuple[Change, ...]) -> dict[Identity, str]:
    done: dict[Identity, str] = {}
    for change in needed:
        try:
            done[change.identity] = _uid(cluster.apply(change.path, change.body))
        except ApiError as problem:
            left = [one.identity.text() for one in needed[len(done) :]]
            raise MeshError(
                f"The control plane is half applied: {len(done)} of {count(len(needed), 'object')}.",
                where=f"{left[0]} was refused; not there yet: {listed(left, most=40)}",
                why=problem.why,
                do="mend that and run the same command again: what is there is kept, and the rest follows",
            ) from problem
    return done


def _sides(change: Change) -> tuple[t.Any, t.Any]:
    before, after = (_safe(told(item)) for item in (change.before, change.after))
    return shown(before), shown(after, before)


def _safe(item: Json | None) -> Json | None:
    if item is None or item["kind"] != "Secret":
        return item
    return {**item, **{name: "(a secret)" for name in ("data", "stringData") if name in item}}


# Removal

SETTLE = 2.0
"""Seconds from the last webhook's end to that of the Service: each API server calls what it had in its cache until it has seen that."""


@dataclass(frozen=True, slots=True)
class Removal:
    """What of a stock may go, and what stays with the reason."""

    objects: tuple[Live, ...]
    kept: tuple[str, ...]
    left: Stock
    """What of the stock is still there afterwards."""


def removal_of(cluster: Cluster, stock: Stock, istio_namespace: str) -> Removal:
    live = read_live(cluster, stock.objects)
    reasons = {one.identity: kept_because(one, stock, istio_namespace, FIELD_MANAGER) for one in live.values()}
    kept = tuple(f"{one.text()} stays: {why}." for one, why in sorted(reasons.items()) if why)
    left = stock.without(one for one in stock.objects if not reasons.get(one))
    return Removal(tuple(live[one] for one in sorted(reasons) if not reasons[one]), kept, left)


def remove(removal: Removal, context: Context) -> tuple[Difference, ...]:
    """Webhooks, then the Service, the Deployment, and the rest; each only as it was judged, by its UID. First all of them as a dry run."""
    steps = {step: [one for one in removal.objects if removal_step(one.identity) is step] for step in Step}
    order = [one for objects in steps.values() for one in objects]
    for one in order:
        context.cluster.delete(path_of(one.identity), uid=one.uid, dry_run=True)
    for number, one in enumerate([] if context.check_mode else order):
        if number and number == len(steps[Step.WEBHOOKS]):
            time.sleep(SETTLE)
        try:
            context.cluster.delete(path_of(one.identity), uid=one.uid)
        except ApiError as problem:
            left = listed([later.identity.text() for later in order[number:]], most=40)
            raise MeshError(
                f"The control plane is half removed: {number} of {count(len(order), 'object')}.",
                where=f"still there: {left}",
                why=problem.why,
                do="mend that and run the same command again: the rest goes then",
            ) from problem
    return tuple(Difference(one.identity.text(), {"uid": one.uid}, None) for one in order)
