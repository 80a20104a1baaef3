# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one control plane consists of, by names and UIDs: all that may ever be pruned or removed of it. Pure."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import Belongs, Identity, belongs
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.strength import Strength

KEY = "objects"
FORMAT = 1
FOUND = "found"
"""The provider of a control plane that somebody else installed, and whose stock was taken as it stood."""


def name_of(revision: str) -> str:
    """Of the ConfigMap."""
    return f"meshops-objects-{revision}"


@dataclass(frozen=True, slots=True)
class Stock:
    revision: str
    provider: str
    objects: Mapping[Identity, str | None] = field(default_factory=dict)
    """With the UID; None for what was about to be applied and may not be there."""
    beside: Strength | None = None
    """Of the control plane beside which it was installed, as it was then: it never has less."""

    def written(self) -> str:
        objects = [asdict(one) | {"uid": uid} for one, uid in sorted(self.objects.items())]
        head = {"format": FORMAT, "revision": self.revision, "provider": self.provider, "beside": self.beside and asdict(self.beside)}
        return json.dumps({**head, "objects": objects}, indent=1)

    def about_to_apply(self, identities: t.Iterable[Identity]) -> Stock:
        """With more names, for the write before the objects themselves; known UIDs stay."""
        return replace(self, objects={**dict.fromkeys(identities), **self.objects})

    def applied(self, uids: Mapping[Identity, str]) -> Stock:
        """With the UIDs of what has been applied; what was not named before is none of it."""
        return replace(self, objects={one: uids.get(one, uid) for one, uid in self.objects.items()})

    def without(self, identities: t.Iterable[Identity]) -> Stock:
        gone = set(identities)
        return replace(self, objects={one: uid for one, uid in self.objects.items() if one not in gone})


def read(text: str | None, revision: str) -> Stock | None:
    """None where there is none; MeshError for one that this version does not understand."""
    if text is None:
        return None
    try:
        found = read_json(text)
        if found["format"] != FORMAT or found["revision"] != revision:
            raise ValueError("another format, or of another revision")
        objects = {Identity(one["group"], one["kind"], one["namespace"], one["name"]): one["uid"] for one in found["objects"]}
        return Stock(revision, str(found["provider"]), objects, Strength(**found["beside"]) if found["beside"] else None)
    except (ValueError, TypeError, KeyError) as problem:
        raise MeshError(
            f'The record of what control plane "{revision}" consists of cannot be read.',
            where=f"ConfigMap {name_of(revision)}, key {KEY}",
            why=str(problem),
            do="use the version of this collection that wrote it, or look at it and delete it by hand",
        ) from problem


@dataclass(frozen=True, slots=True)
class Live:
    """An object as it is in the cluster, as far as its owner can be told."""

    identity: Identity
    uid: str
    labels: Mapping[str, str]
    release: str | None
    """The helm release that it belongs to."""
    applied_by: frozenset[str]
    """Who applied it, by server-side apply."""
    controlled: bool = False
    """Another object owns it."""


def check_ours(stock: Stock | None, live: t.Iterable[Live], manager: str) -> None:
    """Raises MeshError for objects that are there and not ours: they were made by somebody else, and are not taken over."""
    recorded = stock.objects if stock else {}
    foreign = [one for one in sorted(live, key=lambda one: one.identity) if not _ours(one, recorded.get(one.identity), manager)]
    if foreign:
        raise MeshError(
            "Some objects of this control plane are there already, and were made by somebody else.",
            where="; ".join(f"{one.identity.text()} ({_maker(one)})" for one in foreign),
            why="what another tool has installed is never taken over, since both would change it",
            do="choose another revision name, or remove that control plane first by what installed it",
        )


def _ours(one: Live, uid: str | None, manager: str) -> bool:
    return one.release is None and (uid == one.uid or manager in one.applied_by)


def _maker(one: Live) -> str:
    if one.release:
        return f"helm release {one.release}"
    return f"applied by {', '.join(sorted(one.applied_by))}" if one.applied_by else "by no server-side apply"


def kept_because(one: Live, stock: Stock, istio_namespace: str, manager: str) -> str:
    """Why an object of the stock must not be removed, empty where it may: its name, its UID and its owner must all be right.

    Of what was about to be applied when a run was killed no UID is known: there, that ``manager`` has applied it tells that it is ours.
    """
    if TAG in one.labels:
        return f"it belongs to tag {one.labels[TAG]}"
    if belongs(one.identity, one.labels, stock.revision, istio_namespace) is not Belongs.OWN:
        return "its name is not one that only this revision has"
    uid = stock.objects.get(one.identity)
    begun = one.identity in stock.objects and uid is None and manager in one.applied_by
    if uid != one.uid and not begun:
        return "it was made anew by somebody else" if uid else "it is not known whether it is ours"
    if one.release:
        return f"it belongs to helm release {one.release}"
    if one.controlled:
        return "another object owns it"
    if one.labels.get(REVISION, stock.revision) != stock.revision:
        return f"it carries {REVISION}={one.labels[REVISION] or DEFAULT}"
    return ""
