# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tag with all that belongs to it: moved so that no pod is refused or left without a sidecar, removed when nobody follows it."""

from __future__ import annotations

import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import tags
from ansible_collections.meshops.istio.plugins.module_utils._kube.configurations import Target, shown
from ansible_collections.meshops.istio.plugins.module_utils._kube.dry_run import plain_pod, refuses_istio_objects
from ansible_collections.meshops.istio.plugins.module_utils._kube.ensure import Written
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces
from ansible_collections.meshops.istio.plugins.module_utils._kube.referrers import around
from ansible_collections.meshops.istio.plugins.module_utils._kube.rights import check_tag_rights
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors, helm_release_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.tags import (
    Answer,
    Move,
    Place,
    canonical,
    check_free,
    check_tag,
    followers,
    following,
    has_service,
    leaves,
    move,
    places,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import DEFAULT_VALIDATOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import service_of_tag
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.settle import accepts_istio_objects, pods_get, usable
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, Context, Difference, Result, Verb

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "tag": {"type": "str", "required": True},
    "revision": {"type": "str"},
    "from_revision": {"type": "str"},
    "validator_only": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 60},
    **ISTIO_NAMESPACE,
}


@dataclass(frozen=True, slots=True)
class Options:
    absent: bool
    tag: str
    revision: str
    leaving: str | None
    """Whose it must be now; what another revision has, or nobody, is left alone."""
    validator_only: bool
    seconds: float
    istio_namespace: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        check_tag(params["tag"])
        absent, alone = params["state"] == "absent", params["validator_only"]
        if not absent and not params["revision"]:
            raise MeshError("revision is needed.", where=f"tag {params['tag']}, state present", do="say which control plane it points at")
        if alone and (absent or params["tag"] != DEFAULT):
            raise MeshError("validator_only is for the tag default that is present.", do="leave it out, or take tag: default")
        if params["wait_timeout"] < 0:
            raise MeshError("wait_timeout cannot be negative.", where=f"wait_timeout: {params['wait_timeout']}", do="give seconds")
        return cls(
            absent,
            params["tag"],
            params["revision"] or "",
            params["from_revision"],
            alone,
            params["wait_timeout"],
            params["istio_namespace"],
        )


def run(options: Options, context: Context) -> Result:
    injectors = all_injectors(context.cluster)
    if options.leaving and not _leaves(options, options.leaving, injectors, context):
        what = DEFAULT_VALIDATOR if options.validator_only else f"tag {options.tag}"
        facts: dict[str, object] = {"tag": options.tag, "revision": None, "followers": []}
        return Result(msg=f"{what} is not with {options.leaving}, and is left alone", facts=facts)
    if options.absent:
        return _absent(options, context)
    to = canonical(injectors, options.revision)
    if options.validator_only:
        return _validator_alone(options, context, to)
    return _present(options, context, injectors, to)


def _leaves(options: Options, leaving: str, injectors: Sequence[Injector], context: Context) -> bool:
    """Whether any of it is still with the revision that is left: a move that was killed is half done."""
    if options.validator_only:
        found = tags.default_validator(context.cluster)
        return found is not None and tags.calls(found, service_of(leaving))
    parts = tags.parts(context.cluster, options.tag, options.istio_namespace)
    return leaves(injectors, options.tag, leaving, options.revision) or any(part.revision == leaving for part in parts)


# present


def _present(options: Options, context: Context, injectors: Sequence[Injector], to: Injector) -> Result:
    cluster, namespaces = context.cluster, all_namespaces(context.cluster)
    planes = {plane.revision: plane.version for plane in tags.control_planes(cluster, options.istio_namespace)}
    check_free(options.tag, injectors, planes)
    there = tags.parts(cluster, options.tag, options.istio_namespace)
    _check_owner(options, there, to)
    moving = move(injectors, options.tag, to, options.istio_namespace)
    target = tags.target(cluster, to)
    served = has_service(planes.get(options.revision)) or any(part.kind == "Service" for part in there)
    _check_rights(options, context, "list", "get", "create", "update")
    where = usable(cluster, places(moving.then, namespaces, options.tag))
    _check_injects(options, context, injectors, namespaces)
    _check_may_write(options, context)
    written = _move(options, context, moving, target, where, service=served and to.service is not None)
    followed = sorted(following(moving.then, namespaces, options.tag))
    done = f"{'would point' if context.check_mode else 'points'} at {options.revision}"
    return Result(
        msg=f"tag {options.tag} {done}" + ("" if written else " already"),
        differences=_differences(written),
        facts={"tag": options.tag, "revision": options.revision, "followers": followed},
        warnings=_warnings(options, written),
        predicted=context.check_mode,
    )


def _move(
    options: Options, context: Context, moving: Move, target: Target, where: Sequence[Place], *, service: bool
) -> Mapping[str, Written]:
    """The validator first; an injector that is no longer needed last, when the tag is seen to work: for an instant both are asked, then."""
    cluster, proved = context.cluster, not context.check_mode
    written: dict[str, Written | None] = {}
    if options.tag == DEFAULT and target.service:
        written[f"validatingwebhookconfiguration/{DEFAULT_VALIDATOR}"] = _move_validator(options, context, target, tagged=True)
    name = moving.tag.name
    written[f"mutatingwebhookconfiguration/{name}"] = tags.write_injector(cluster, moving.tag, target)
    if proved:
        context.say(f"tag {options.tag}: dry-run pods are asked for until all answers agree")
        pods_get(context, where, _injected if moving.yields else _injected_by(options.revision), options.revision, options.seconds)
    if service:
        services = f"service/{options.istio_namespace}/{service_of_tag(options.tag)}"
        written[services] = tags.write_service(cluster, options.tag, options.revision, target)
    if moving.yields:
        written[f"mutatingwebhookconfiguration/{moving.yields.name}"] = tags.disable(cluster, moving.yields.name)
        if proved:
            pods_get(context, where, _injected_by(options.revision), options.revision, options.seconds)
    return {what: one for what, one in written.items() if one}


def _injected(answer: Answer) -> bool:
    """By either of the two that are asked."""
    return answer.revision is not None


def _injected_by(revision: str) -> t.Callable[[Answer], bool]:
    return lambda answer: answer.revision == revision


def _move_validator(options: Options, context: Context, target: Target, *, tagged: bool) -> Written | None:
    written = tags.write_default_validator(context.cluster, options.revision, target, tagged=tagged)
    if not context.check_mode:
        accepts_istio_objects(context, options.istio_namespace, options.seconds)
    return written


def _check_owner(options: Options, there: Sequence[tags.Part], to: Injector) -> None:
    """What a release of helm renders, its next upgrade would bring back."""
    theirs = next((part for part in there if part.owner and part.item["metadata"]["labels"].get("istio.io/rev") != to.revision), None)
    if theirs:
        raise MeshError(
            f'Tag "{options.tag}" belongs to a helm release.',
            where=f"{theirs.text}, of release {theirs.owner} in namespace {options.istio_namespace}",
            why="its next upgrade would write it again, and removing it would take the tag along",
            do=f"take {options.tag} out of the value revisionTags of release {theirs.owner} and put it into that of the other one",
        )


def _check_injects(options: Options, context: Context, injectors: Sequence[Injector], namespaces: Sequence[Namespace]) -> None:
    """Before anything moves there, a pod that asks for the revision itself must get its sidecar."""
    if options.revision == DEFAULT:
        return
    here = next(places(injectors, namespaces, options.revision), None)
    answer = plain_pod(context.cluster, here) if here else None
    if answer and not answer.forbidden and answer.revision != options.revision:
        raise MeshError(
            f'Control plane "{options.revision}" does not inject.',
            where=answer.text,
            why="a pod that asks for it does not get its sidecar, and followers of the tag would not either",
            do="look at the logs of its pods first",
        )


def _check_rights(options: Options, context: Context, *verbs: str) -> None:
    check_tag_rights(context.cluster, options.istio_namespace, default=options.tag == DEFAULT, verbs=verbs)


def _check_may_write(options: Options, context: Context) -> None:
    """A validator that refuses everything is what the move puts right; a user who may not ask could never prove it."""
    refusal = refuses_istio_objects(context.cluster, options.istio_namespace) if options.tag == DEFAULT else None
    if refusal and refusal.status in (401, 403):
        raise refusal


def _validator_alone(options: Options, context: Context, to: Injector) -> Result:
    facts: dict[str, object] = {"tag": DEFAULT, "revision": options.revision, "followers": []}
    if tags.default_validator(context.cluster) is None:
        return Result(msg=f"there is no {DEFAULT_VALIDATOR}", facts=facts)
    target = tags.target(context.cluster, to)
    if not target.service:
        raise MeshError("The control plane has no Service that could validate.", where=f"{to.name} calls {target.client.get('url')}")
    _check_rights(options, context, "get", "update")
    _check_may_write(options, context)
    one = _move_validator(options, context, target, tagged=False)
    written = {f"validatingwebhookconfiguration/{DEFAULT_VALIDATOR}": one} if one else {}
    done = "would call" if context.check_mode else "calls"
    return Result(
        msg=f"{DEFAULT_VALIDATOR} {done} {options.revision}" + ("" if written else " already"),
        differences=_differences(written),
        facts=facts,
        warnings=_warnings(options, written),
        predicted=context.check_mode,
    )


def _differences(written: Mapping[str, Written]) -> tuple[Difference, ...]:
    return tuple(Difference(what, shown(one.before), shown(one.after)) for what, one in written.items())


def _warnings(options: Options, written: Mapping[str, Written]) -> tuple[str, ...]:
    """What somebody's next helm upgrade would write over; not of the release of the control plane that is left, which is about to go."""
    stays = {what: one for what, one in written.items() if not options.leaving or what.startswith("validating")}
    owned = {what: release for what, one in stays.items() if one.before and (release := helm_release_of(one.before))}
    return tuple(f"{what} belongs to helm release {release}: {_ahead(what, options.revision)}" for what, release in owned.items())


def _ahead(what: str, revision: str) -> str:
    if what.startswith("validating"):
        return f"set its value defaultRevision={revision}, else its next upgrade moves it back."
    return "its next upgrade would make it active again, beside the tag. Remove that release, or upgrade it no more."


# absent


def _absent(options: Options, context: Context) -> Result:
    cluster, tag = context.cluster, options.tag
    found = tags.parts(cluster, tag, options.istio_namespace)
    facts: dict[str, object] = {"tag": tag, "revision": None, "followers": []}
    if not found:
        return Result(msg=f"tag {tag} is not there", facts=facts)
    theirs = next((part for part in found if part.owner), None)
    if theirs:
        raise MeshError(
            f'Tag "{tag}" belongs to a helm release.',
            where=f"{theirs.text}, of release {theirs.owner} in namespace {options.istio_namespace}",
            why="its next upgrade would bring it back",
            do=f"take {tag} out of the value revisionTags of release {theirs.owner}",
        )
    _check_unfollowed(options, context)
    _check_rights(options, context, "list", "delete")
    for part in found:
        cluster.delete(part.path, uid=part.uid)
    return Result(
        msg=f"tag {tag} {'would be' if context.check_mode else 'was'} removed",
        differences=tuple(Difference(f"{part.kind.lower()}/{part.name}", shown(part.item), None) for part in found),
        facts=facts,
        predicted=context.check_mode,
    )


def _check_unfollowed(options: Options, context: Context) -> None:
    snapshot = take(context.cluster)
    pinned = around(context.cluster, options.tag, options.istio_namespace).pinned
    gateways = [one.path for one in pinned if one.resource.endswith("gateway.networking.k8s.io")]
    names = (*followers(snapshot, options.tag, lambda injector: injector.tag == options.tag), *gateways)
    if names:
        raise MeshError(
            f'Tag "{options.tag}" is still followed.',
            where=listed(names, 10),
            why="without it their new pods would get no sidecar, silently",
            do="move them to a revision first (canary_upgrade), or point the tag elsewhere: state present, with another revision",
        )


VERB = Verb("revision_tag", SPEC, Options.of, run)
