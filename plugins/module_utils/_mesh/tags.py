# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tag may be called and point at, who follows it, and where its move can be proved. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.overlap import check_alone
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, before
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import (
    SYSTEM,
    entries,
    injects_everywhere,
    service_of_tag,
    webhook_of_tag,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged

_WISHES = {INJECT: "true"}
# Its Service is called istiod-revision-tag-TAG, and takes 63.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,41}[a-z0-9])?")


def check_tag(name: str) -> None:
    """Raises MeshError where Kubernetes would not take what is named after it."""
    if not _NAME.fullmatch(name):
        raise MeshError(
            f'"{name}" is not a name for a tag.',
            why=f"its Service is called {service_of_tag('TAG')}: lower-case letters, digits and dashes, 43 at most, no dash at either end",
            do="choose another name, for example prod",
        )


def check_free(tag: str, injectors: Iterable[Injector], revisions: Iterable[str]) -> None:
    """Raises MeshError for a tag that is called like a control plane: both would answer to the same label."""
    if tag != DEFAULT and (tag in revisions or any(i.revision == tag and i.tag is None for i in injectors)):
        raise MeshError(
            f'A control plane is called "{tag}" already.',
            where=f"tag {tag}",
            why=f"namespaces with {REVISION}={tag} would be taken by both",
            do="choose another name for the tag",
        )


def canonical(injectors: Iterable[Injector], revision: str) -> Injector:
    """The revision's own injector, of which its tags are made. Raises MeshError where there is none, or none that works."""
    known = tuple(injectors)
    found = [i for i in known if i.revision == revision and i.tag is None]
    if not found:
        there = sorted({i.revision for i in known if i.tag is None})
        raise MeshError(
            f'There is no control plane "{revision}" that injects.',
            where=f"control planes with an injector: {listed(there) or 'none'}",
            do="correct the revision, or install it first",
        )
    if len(found) > 1:
        raise MeshError(
            f'Control plane "{revision}" has {len(found)} injectors.',
            where=f"MutatingWebhookConfigurations {listed([i.name for i in found])}",
            why="it cannot be known which one is right",
            do="remove the one that should not be there",
        )
    if not all(entry.has_ca for entry in found[0].entries):
        raise _not_ready(revision, f"MutatingWebhookConfiguration {found[0].name} has no caBundle")
    if found[0].ready is False:
        raise _not_ready(revision, f"Service {found[0].service}, which {found[0].name} calls, has no ready endpoint")
    return found[0]


def _not_ready(revision: str, why: str) -> MeshError:
    do = "bring it up first: look at its Deployment and its pods"
    return MeshError(f'Control plane "{revision}" cannot inject.', why=f"{why}: pods would be refused", do=do)


def has_service(version: str | None) -> bool:
    """Tags have a Service of their own from 1.28."""
    return not before(version, 1, 28)


def leaves(injectors: Iterable[Injector], tag: str, leaving: str, to: str) -> bool:
    """Whether a revision serves what follows the tag: by the tag, or as the unrevisioned one, which ``default`` is without a tag."""
    known = tuple(injectors)
    tagged = {i.revision for i in known if i.tag == tag}
    unrevisioned = tag == DEFAULT == leaving and any(i.tag is None and i.revision == DEFAULT and not i.disabled for i in known)
    return leaving in tagged or (unrevisioned and tagged <= {to})


@dataclass(frozen=True, slots=True)
class Move:
    """A tag as it will be, and the injectors that there will be then."""

    tag: Injector
    yields: Injector | None
    """The unrevisioned injector, which the default tag takes over from: it is disabled."""
    then: tuple[Injector, ...]


def move(injectors: Iterable[Injector], tag: str, to: Injector, istio_namespace: str) -> Move:
    """Raises MeshError where the tag would be taken by another injector too."""
    known = tuple(injectors)
    there = [i for i in known if i.tag == tag]
    name = there[0].name if len(there) == 1 else webhook_of_tag(tag, istio_namespace)
    unrevisioned = [i for i in known if i.tag is None and i.revision == DEFAULT] if tag == DEFAULT else []
    everywhere = tag == DEFAULT and any(injects_everywhere(i.entries) for i in (*there, *unrevisioned))
    wanted = replace(to, name=name, tag=tag, entries=entries(tag, everywhere=everywhere), owner=None)
    active = next((i for i in unrevisioned if not i.disabled), None)
    others = tuple(i for i in known if i.name != name and i is not active)
    check_alone(wanted, others, f'Tag "{tag}"', "remove the other one first, or choose another name for the tag")
    return Move(wanted, active, (*others, wanted))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a plain pod can be asked for, and by which labels of its own."""

    namespace: str
    labels: Mapping[str, str]

    @property
    def text(self) -> str:
        with_labels = "".join(f", with label {key}={value}" for key, value in self.labels.items())
        return f"namespace {self.namespace}{with_labels}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of such a pod."""

    place: Place
    revision: str | None
    refused: str = ""
    forbidden: bool = False
    """By a right, a quota or a policy, which says nothing of injectors."""

    @property
    def text(self) -> str:
        return f"{self.place.text}: {f'refused ({self.refused})' if self.refused else self.revision or 'no sidecar'}"


def following(injectors: Iterable[Injector], namespaces: Iterable[Namespace], alias: str) -> Iterator[str]:
    """Namespaces whose plain pods are taken by this injector alone."""
    known = tuple(injectors)
    return (n.name for n in namespaces if not n.deleting and n.name not in SYSTEM and _taken(known, n, {}, alias))


def places(injectors: Iterable[Injector], namespaces: Iterable[Namespace], alias: str) -> Iterator[Place]:
    """Where pods are taken by this injector alone: first what follows it, then where they may ask by their own label.

    All ask for a sidecar, so that a policy of injecting only what asks does not matter.
    """
    known, there = tuple(injectors), tuple(namespaces)
    follow = set(following(known, there, alias))
    yield from (Place(name, _WISHES) for name in sorted(follow))
    labels = {**_WISHES, REVISION: alias}
    others = (n for n in there if not n.deleting and n.name not in {*SYSTEM, *follow})
    yield from (Place(n.name, labels) for n in others if _taken(known, n, labels, alias))


def _taken(injectors: Iterable[Injector], namespace: Namespace, labels: Mapping[str, str], alias: str) -> bool:
    return [one.alias for one in decide(PodShape(labels), namespace.name, namespace.labels, injectors, {}).asked] == [alias]


def followers(snapshot: Snapshot, alias: str, mine: Callable[[Injector], bool]) -> tuple[str, ...]:
    """Namespaces and, elsewhere, workloads that get their sidecars by these injectors alone, or name them and get none.

    What another injector takes too loses nothing without them.
    """

    def alone(asked: Sequence[Injector], *, named: bool) -> bool:
        return all(map(mine, asked)) if asked else named

    there = [n for n in snapshot.namespaces if not n.deleting]
    named = {n.name for n in there if n.asks == Asks(revision=alias)}
    spaces = sorted(n.name for n in there if alone(snapshot.gets(n.name).asked, named=n.name in named))
    paths = [
        j.workload.path
        for j in snapshot.staying
        if j.workload.namespace not in spaces and alone(j.decision.asked, named=_names(j, snapshot, alias))
    ]
    return (*(f"namespace {name}" for name in spaces), *paths)


def _names(judged: Judged, snapshot: Snapshot, alias: str) -> bool:
    """By a label of its pods, which counts where the namespace says nothing."""
    return judged.workload.template.labels.get(REVISION) == alias and snapshot.namespace[judged.workload.namespace].asks == Asks()
