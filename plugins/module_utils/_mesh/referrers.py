# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who still needs a revision, so that it must not be removed; each with the command that moves it. Pure.

``istioctl uninstall --revision`` asks for running proxies only, and leaves namespaces whose pods get no sidecar any more, silently, and
tags whose pods are refused (recorded: istioctl-behaviour.md, C).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import Blocked, MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION, PRIOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_recorded, predict_default
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import DEFAULT_VALIDATOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Workload

_MOST = 10
_APART = frozenset({"CronJob", "Job", "Pod"})
"""Kinds of which the template is elsewhere, cannot be changed, or is not there."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A webhook configuration, of whatever product, with the Services that it calls (namespace and name)."""

    kind: str
    name: str
    revision: str | None
    tag: str | None
    services: frozenset[tuple[str, str]]

    @property
    def default_validator(self) -> bool:
        return self.kind == "ValidatingWebhookConfiguration" and (self.name == DEFAULT_VALIDATOR or self.tag == DEFAULT)


@dataclass(frozen=True, slots=True)
class Pinned:
    """An object of Istio or of the Gateway API that only one revision reads, by its label ``istio.io/rev``."""

    resource: str
    namespace: str
    name: str
    revision: str = ""
    says: str = ""
    """Equal for two whose spec is the same."""

    @property
    def of_istio(self) -> bool:
        """Read by the revision that its label names exactly. Objects of the Gateway API may be labelled with a tag."""
        return not self.resource.endswith("gateway.networking.k8s.io")

    @property
    def secures(self) -> bool:
        """Whether what it forbids is allowed where nothing reads it."""
        return self.resource.endswith(".security.istio.io")

    @property
    def path(self) -> str:
        return f"{self.namespace}/{self.resource}/{self.name}"


@dataclass(frozen=True, slots=True)
class TagService:
    """A Service that is a tag (Istio 1.28 and later)."""

    name: str
    tag: str
    revision: str


@dataclass(frozen=True, slots=True)
class Around:
    """What may name a revision besides namespaces, workloads and injectors."""

    callers: tuple[Caller, ...]
    pinned: tuple[Pinned, ...]
    tags: tuple[TagService, ...]
    jobs: tuple[Workload, ...] = ()
    """CronJobs, and Jobs that are not over: their next pods come when nobody looks."""


@dataclass(frozen=True, slots=True)
class Successor:
    """What has taken over before the removal, or in check mode would have: the default tag and validator, and the way back is given up."""

    revision: str
    default_tag: str
    """``move`` or ``remove``."""


def check_unused(snapshot: Snapshot, revision: str, around: Around, *, istio_namespace: str, successor: Successor | None = None) -> None:
    """Raises Blocked where something still needs the revision: all of it, each with its way out.

    With a ``successor`` the cluster is looked at as it will be when that has taken over.
    """
    then = _taken_over(_with_jobs(snapshot, around.jobs), revision, successor)
    found = tuple(_referrers(then, revision, around, istio_namespace, successor))
    if found:
        raise Blocked(found)


def _with_jobs(snapshot: Snapshot, jobs: Sequence[Workload]) -> Snapshot:
    """Each in the place of what only its pods tell of it."""
    known = {job.owner for job in jobs}
    return replace(snapshot, workloads=(*(one for one in snapshot.workloads if one.owner not in known), *jobs))


def _taken_over(snapshot: Snapshot, revision: str, successor: Successor | None) -> Snapshot:
    moves = successor is not None and successor.default_tag == "move"
    return predict_default(snapshot, revision, successor.revision) if successor and moves else snapshot


def _referrers(snapshot: Snapshot, revision: str, around: Around, istio_namespace: str, successor: Successor | None) -> Iterator[MeshError]:
    to = successor.revision if successor else _another(snapshot, revision)
    namespaces = _asking(snapshot, revision)
    if namespaces:
        yield _needed(
            revision,
            f"namespaces {listed(namespaces, _MOST)}",
            "their new pods get its sidecar; without it they would get none, silently, or be refused",
            f"move them: canary_upgrade to {to} with mesh_waves=[[{', '.join(namespaces)}]]",
        )
    if successor is None:
        yield from _way_back(snapshot, revision, namespaces)
    yield from _templates(snapshot, revision, to, namespaces)
    yield from _tags(snapshot, revision, to, around, successor)
    yield from _callers(revision, to, around, istio_namespace, successor)
    yield from _proxies(snapshot, revision, to)
    yield from _unknown(snapshot, revision)
    yield from _pinned(revision, to, around)


def _asking(snapshot: Snapshot, revision: str) -> list[str]:
    """By what their pods get, or by the bare label, which would bind them to nothing."""
    gets = set(snapshot.may_need(revision))
    named = {n.name for n in snapshot.namespaces if not n.deleting and n.asks.revision == revision and n.asks.injection is None}
    return sorted(gets | (named if revision != DEFAULT else set()))


def _way_back(snapshot: Snapshot, revision: str, namespaces: Sequence[str]) -> Iterator[MeshError]:
    back = [name for name in as_recorded(snapshot).may_need(revision) if name not in namespaces]
    if back:
        yield _needed(
            revision,
            f"the way back of namespaces {listed(back, _MOST)}",
            f"their annotation {PRIOR} says that a rollback leads there",
            "finish the upgrade with the playbook meshops.istio.complete, which gives up the way back; or take the annotation away",
        )


def _templates(snapshot: Snapshot, revision: str, to: str, namespaces: Sequence[str]) -> Iterator[MeshError]:
    """Pods that ask by their own labels, and those that an injector of the revision takes without being asked by the namespace."""
    labelled = [j for j in snapshot.staying if j.workload.template.labels.get(REVISION) == revision]
    others = [j for j in snapshot.staying if j.decision.may_get(revision) and j.workload.namespace not in namespaces and j not in labelled]
    for alike in _by_way(labelled):
        yield _needed(
            revision,
            f"the pod templates of {_paths(alike)}" if alike[0].workload.kind != "Pod" else f"bare pods {_paths(alike)}",
            f"their label {REVISION}={revision} asks for it",
            _relabel(alike[0].workload, to),
        )
    if others:
        tag = others[0].workload.template.labels.get(REVISION) or DEFAULT
        yield _needed(
            revision,
            f"workloads {_paths(others)}",
            "their pods ask for a sidecar by their own labels, and it serves them",
            f"move the tag that they follow, then restart them: revision_tag with tag={tag} and revision={to}, and workload_restart",
        )


def _by_way(labelled: Iterable[Judged]) -> Iterable[list[Judged]]:
    """Together those that one command would move, with other names in it."""
    found: dict[str, list[Judged]] = {}
    for one in labelled:
        found.setdefault(one.workload.kind if one.workload.kind in _APART else "", []).append(one)
    return found.values()


def _relabel(one: Workload, to: str) -> str:
    """How its next pods come to ask for another revision."""
    match one.kind:
        case "Pod":
            return f"delete it and make it anew with {REVISION}={to}, since nothing else makes it again"
        case "Job":
            return f"wait until it is over; or delete it and make it anew with {REVISION}={to}, since its template cannot be changed"
    template: dict[str, object] = {"template": {"metadata": {"labels": {REVISION: to}}}}
    spec = {"jobTemplate": {"spec": template}} if one.kind == "CronJob" else template
    patch = json.dumps({"spec": spec}, separators=(",", ":"))
    return f"kubectl -n {one.namespace} patch {one.short} --type merge -p '{patch}'"


def _tags(snapshot: Snapshot, revision: str, to: str, around: Around, successor: Successor | None) -> Iterator[MeshError]:
    by_webhook = {i.tag for i in snapshot.injectors if i.tag and i.revision == revision}
    found = by_webhook | {service.tag for service in around.tags if service.revision == revision}
    for tag in sorted(found - ({DEFAULT} if successor else set())):
        followers = [n.name for n in snapshot.namespaces if n.asks.revision == tag]
        followed = f"; namespaces {listed(followers)} follow it" if followers else ""
        yield _needed(
            revision,
            f"tag {tag}{followed}",
            "it would point at a Service that is gone, and pods of its followers would be refused",
            f"revision_tag with tag={tag} and revision={to}, or state=absent where nobody follows it",
        )


def _callers(revision: str, to: str, around: Around, istio_namespace: str, successor: Successor | None) -> Iterator[MeshError]:
    """Whoever calls its Service: the API server would refuse what they judge, where their failurePolicy is Fail."""
    service = istio_namespace, service_of(revision)
    for caller in around.callers:
        own = caller.revision == revision and caller.tag is None and not caller.default_validator
        tag = caller.tag is not None and caller.kind == "MutatingWebhookConfiguration"  # told as the tag that it is
        if service not in caller.services or own or tag or (successor and caller.default_validator):
            continue
        moved = f"revision_tag with tag=default and revision={to} moves it"
        move = moved if caller.default_validator else "point it elsewhere, or remove it"
        yield _needed(revision, f"{caller.kind} {caller.name}", f"it calls Service {'/'.join(service)}", move)


def _proxies(snapshot: Snapshot, revision: str, to: str) -> Iterator[MeshError]:
    """Running ones only: a pod that has Succeeded or Failed has no proxy left to serve."""
    running = [j for j in snapshot.judged if j.proxies.get(revision)]
    gateways = [j for j in running if j.workload.gateway]
    others = [j for j in running if not j.workload.gateway]
    if others:
        namespaces = sorted({j.workload.namespace for j in others})
        left = "; it leaves Jobs, which end, and bare pods, which you make anew" if any(j.workload.kind in _APART for j in others) else ""
        yield _needed(
            revision,
            f"running proxies of {_paths(others)}",
            "they would get no configuration and no certificates any more",
            f"restart them: workload_restart with namespaces=[{', '.join(namespaces)}]; stale ones are restarted{left}",
        )
    if gateways:
        yield _needed(
            revision,
            f"gateways {_paths(gateways)}",
            "they would get no configuration and no certificates any more",
            f"move them to {to} by their own installer (charts gateway and ztunnel: revision={to}; "
            f"Gateway API: label {REVISION}={to} on the Gateway)",
        )


def _unknown(snapshot: Snapshot, revision: str) -> Iterator[MeshError]:
    """Proxies that may be anybody's: what cannot be told is not unused."""
    found = [pod for judged in snapshot.judged for pod in judged.pods if pod.proxy and not pod.proxy.revision and not pod.finished]
    namespaces = sorted({pod.namespace for pod in found})
    if found:
        yield MeshError(
            f'It cannot be told whether control plane "{revision}" is still needed.',
            where=f"pods {listed(sorted(f'{pod.namespace}/{pod.name}' for pod in found), _MOST)}",
            why="they run proxies, and neither annotations nor addresses say of which control plane",
            do=f"restart what an injector made: workload_restart with namespaces=[{', '.join(namespaces)}]; of all else look where it "
            f"connects to, and say it by the annotation {REVISION} of its pod template",
        )


def _pinned(revision: str, to: str, around: Around) -> Iterator[MeshError]:
    """Objects of Istio are read by the revision that their label names, never by a tag's (Istio, pkg/config/model.go LabelsInRevision)."""
    if around.pinned:
        first = around.pinned[0]
        yield _needed(
            revision,
            listed([one.path for one in around.pinned], _MOST),
            f"their label {REVISION}={revision} hides them from every other control plane",
            f"kubectl -n {first.namespace} label {first.resource} {first.name} {REVISION}={to} --overwrite; or {REVISION}- for all",
        )


def _needed(revision: str, where: str, why: str, do: str) -> MeshError:
    return MeshError(f'Control plane "{revision}" is still needed.', where=where, why=why, do=do)


def _another(snapshot: Snapshot, revision: str) -> str:
    return next((i.revision for i in snapshot.injectors if i.revision != revision and not i.tag and not i.disabled), "REVISION")


def _paths(workloads: Iterable[Judged]) -> str:
    return listed([judged.workload.path for judged in workloads], _MOST)


def left_unserved(snapshot: Snapshot, revision: str, successor: Successor) -> tuple[str, ...]:
    """A warning about who will ask in vain from now on: namespaces that somebody's templates make with ``istio-injection=enabled``."""
    then = _taken_over(snapshot, revision, successor)
    dropped = DEFAULT if successor.default_tag == "remove" else None
    left = [i for i in then.injectors if i.revision != revision and (i.tag is None or i.tag != dropped)]
    if decide(PodShape(), "", {INJECTION: "enabled"}, left, {}).asked:
        return ()
    return (
        f"{INJECTION}=enabled is served by nobody without {revision}: a namespace that is made with it gets no sidecars, silently. "
        f"Use {REVISION}={successor.revision} in your templates of namespaces, or make a default tag: revision_tag with tag=default.",
    )
