# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The injector of a revision, or of an istiod that is called by url, where nothing renders it: present, disabled, given back, or absent."""

from __future__ import annotations

import base64
import binascii
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._kube import injectors
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.configurations import Target, shown
from ansible_collections.meshops.istio.plugins.module_utils._kube.disabled import disabled, entries, given_back
from ansible_collections.meshops.istio.plugins.module_utils._kube.ensure import ensure
from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow, Kind
from ansible_collections.meshops.istio.plugins.module_utils._kube.injectors import Configuration
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import take
from ansible_collections.meshops.istio.plugins.module_utils._kube.tags import control_planes
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH, all_injectors, parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh import webhooks
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import ENTRY_SUFFIX, Entry, Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.overlap import check_alone
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, check_revision, service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.tags import followers
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import ISTIO_NAMESPACE, WAIT, Context, Difference, Result, Verb
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Patience, wait_until

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "disabled", "absent"], "default": "present"},
    "revision": {"type": "str", "required": True},
    "version": {"type": "str"},
    "url": {"type": "str"},
    "service": {"type": "str"},
    "path": {"type": "str"},
    "ca_bundle": {"type": "str"},
    "all_namespaces": {"type": "bool", "default": False},
    **ISTIO_NAMESPACE,
    **WAIT,
}


@dataclass(frozen=True, slots=True)
class Options:
    state: str
    revision: str
    version: str | None
    target: Target
    all_namespaces: bool
    istio_namespace: str
    patience: Patience

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        if params["revision"] != DEFAULT:
            check_revision(params["revision"])
        if params["all_namespaces"] and params["revision"] != DEFAULT:
            raise MeshError("Only the revision default can inject in all namespaces.", where="all_namespaces", do="leave it out")
        return cls(
            state=params["state"],
            revision=params["revision"],
            version=params["version"],
            target=_target(params),
            all_namespaces=params["all_namespaces"],
            istio_namespace=params["istio_namespace"],
            patience=Patience.of(params),
        )


def _target(params: Mapping[str, t.Any]) -> Target:
    url, path, bundle = params["url"], params["path"] or "/inject", _bundle(params["ca_bundle"])
    if url is None:
        name = params["service"] or service_of(params["revision"])
        return Target({"service": {"name": name, "namespace": params["istio_namespace"], "path": path, "port": 443}}, bundle)
    if params["service"] or params["path"]:
        raise MeshError("A url says all by itself.", where="url", do="leave service and path out")
    if not url.startswith("https://"):
        raise MeshError("The API server calls injectors by https only.", where=f"url: {url}", do="give a url that begins with https://")
    return Target({"url": url}, bundle)


def _bundle(text: str | None) -> str | None:
    """As it is written: certificates in PEM, in base64 once more."""
    if text is None:
        return None
    try:
        pem = text.strip() if "-----BEGIN" in text else base64.b64decode(text, validate=True).decode().strip()
    except (binascii.Error, ValueError):
        pem = ""
    if "-----BEGIN CERTIFICATE-----" not in pem:
        raise MeshError(
            "ca_bundle holds no certificate.", do="give certificates in PEM, as text or in base64; leave it out where istiod fills it in"
        )
    return base64.b64encode(f"{pem}\n".encode()).decode()


def run(options: Options, context: Context) -> Result:
    known = all_injectors(context.cluster)
    found = _found(options, context, known)
    match options.state:
        case "absent":
            return _absent(options, context, found)
        case "disabled":
            return _disabled(options, context, found)
    return _present(options, context, found, known)


def _found(options: Options, context: Context, known: tuple[Injector, ...]) -> Configuration | None:
    """By its label, under whatever name."""
    mine = [one.name for one in known if one.revision == options.revision and one.tag is None]
    if len(mine) > 1:
        raise MeshError(
            f'Control plane "{options.revision}" has {len(mine)} injectors.',
            where=f"MutatingWebhookConfigurations {listed(mine)}",
            why="it cannot be known which one is meant",
            do="remove the one that should not be there",
        )
    name = mine[0] if mine else webhooks.webhook_of(options.revision, options.istio_namespace)
    found = injectors.read(context.cluster, name)
    if found and not mine:
        raise MeshError(
            f"{name} is there already, and is another one's.",
            where=f"MutatingWebhookConfiguration {name}, without label {REVISION}={options.revision}",
            do="look at whose it is; tags belong to revision_tag",
        )
    return found


def _check_nobodys(options: Options, context: Context, found: Configuration) -> None:
    owner = injectors.owner_of(context.cluster, found, options.revision, options.istio_namespace)
    if owner:
        raise MeshError(
            "This injector is rendered by somebody else.",
            where=f"MutatingWebhookConfiguration {found.name}, of {owner}",
            why="what is changed here would be written over there",
            do="change it where it is rendered; a tag that takes over from it is made by revision_tag",
        )


# present


def _present(options: Options, context: Context, found: Configuration | None, known: tuple[Injector, ...]) -> Result:
    """One that we have disabled is given back as it was, to whomever it belongs; any other one must be nobody else's."""
    name = found.name if found else webhooks.webhook_of(options.revision, options.istio_namespace)
    others = [one for one in known if one.name != name]
    if found and found.remembers and not found.ours:
        _check_free(options, replace(_own(known, name), entries=entries(found.item)), others)
        _check_called(_own(known, name))
        return _written(options, context, name, given_back, "was given back", "would be given back")
    if found:
        _check_nobodys(options, context, found)
    wanted = _wanted(options, context, found)
    _check_free(options, Injector(name, options.revision, None, wanted), others)
    final = injectors.active(name, options.revision, wanted, options.target)
    service = options.target.service
    if service and context.cluster.get(f"/api/v1/namespaces/{service['namespace']}/services/{service['name']}") is None:
        raise MeshError(
            "There is no such Service.",
            where=f"Service {service['name']} in namespace {service['namespace']}",
            why="pods that ask for the injector would be refused",
            do="install the control plane first, or name its Service",
        )
    waits = bool(service) and not options.target.bundle
    if waits and not context.check_mode and (found is None or found.remembers):
        _start_disabled(options, context, name, final)
        written = _written(options, context, name, final, "was made", "")
        return replace(written, differences=tuple(replace(one, before=shown(found.item if found else None)) for one in written.differences))
    return _written(
        options, context, name, final, "was made" if found is None else "was changed", "would be made" if found is None else "would change"
    )


def _wanted(options: Options, context: Context, found: Configuration | None) -> tuple[Entry, ...]:
    everywhere = options.all_namespaces or bool(found and webhooks.injects_everywhere(entries(found.item)))
    """By the version that is said, or that runs; where neither is known, an old one stays an old one."""
    planes = {plane.revision: plane.version for plane in control_planes(context.cluster, options.istio_namespace)}
    old = found and any(entry.name == ENTRY_SUFFIX for entry in entries(found.item))
    version = options.version or planes.get(options.revision) or ("1.9" if old else None)
    return webhooks.entries(options.revision, version, everywhere=everywhere)


def _own(known: tuple[Injector, ...], name: str) -> Injector:
    return next(one for one in known if one.name == name)


def _check_free(options: Options, wanted: Injector, others: list[Injector]) -> None:
    check_alone(wanted, others, f'The injector of "{options.revision}"', "remove the other one first, or disable it")


def _check_called(injector: Injector) -> None:
    if injector.ready is False or not all(entry.has_ca for entry in injector.entries):
        raise MeshError(
            "An injector that cannot be called is not given back.",
            where=f"MutatingWebhookConfiguration {injector.name}",
            why="it has no caBundle, or its Service has no ready endpoint: pods that it matches would be refused",
            do="bring its control plane back first",
        )


def _start_disabled(options: Options, context: Context, name: str, final: t.Callable[[Json | None], Json]) -> None:
    """It matches nothing until istiod has filled in its caBundle: so there is no instant in which pods are refused for the lack of one."""
    ensure(context.cluster, PATH, name, lambda there: there or disabled(final(None)))
    with Follow(context.cluster, {"injectors": Kind(PATH, parse, fields=f"metadata.name={name}")}) as now:

        def step() -> Progress:
            filled = [one for one in now.objects("injectors") if one and all(entry.has_ca for entry in one.entries)]
            return Progress(len(filled), 1, (f"the caBundle of {name}, which istiod of revision {options.revision} fills in",))

        wait_until(f"injector {name}", now, step, context, options.patience)


def _written(options: Options, context: Context, name: str, build: t.Callable[[Json | None], Json], done: str, would: str) -> Result:
    written = ensure(context.cluster, PATH, name, build)
    happened = (would if context.check_mode else done) if written else "is there" if options.state == "present" else "is disabled"
    return Result(
        msg=f"injector {name} {happened}",
        differences=(Difference(f"mutatingwebhookconfiguration/{name}", shown(written.before), shown(written.after)),) if written else (),
        facts={"name": name, "revision": options.revision},
        predicted=context.check_mode,
    )


# disabled and absent


def _disabled(options: Options, context: Context, found: Configuration | None) -> Result:
    if found is None:
        raise MeshError(
            f'There is no injector of revision "{options.revision}".',
            where=f"label {REVISION}={options.revision}",
            do="correct the revision; tags belong to revision_tag",
        )
    if disabled(found.item) != found.item:
        _check_nobodys(options, context, found)
        _check_unfollowed(options, context, found)
    return _written(options, context, found.name, disabled, "was disabled", "would be disabled")


def _absent(options: Options, context: Context, found: Configuration | None) -> Result:
    if found is None:
        facts = {"name": webhooks.webhook_of(options.revision, options.istio_namespace), "revision": options.revision}
        return Result(msg=f"revision {options.revision} has no injector", facts=facts)
    _check_nobodys(options, context, found)
    if not found.ours:
        raise MeshError(
            "This injector was not made by this collection.",
            where=f"MutatingWebhookConfiguration {found.name}",
            why="only what this module has made, or has changed with state present, is removed",
            do="disable it instead, or remove it by hand",
        )
    _check_unfollowed(options, context, found)
    injectors.remove(context.cluster, found)
    return Result(
        msg=f"injector {found.name} {'would be' if context.check_mode else 'was'} removed",
        differences=(Difference(f"mutatingwebhookconfiguration/{found.name}", shown(found.item), None),),
        facts={"name": found.name, "revision": options.revision},
        predicted=context.check_mode,
    )


def _check_unfollowed(options: Options, context: Context, found: Configuration) -> None:
    names = followers(take(context.cluster), options.revision, lambda injector: injector.name == found.name)
    if names:
        raise MeshError(
            "This injector is still asked.",
            where=f"MutatingWebhookConfiguration {found.name}, by {listed(names, 10)}",
            why="without it their new pods would get no sidecar, silently",
            do="move them to another revision first (canary_upgrade)",
        )


VERB = Verb("injection_webhook", SPEC, Options.of, run)
