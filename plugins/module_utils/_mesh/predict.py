# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster as it would be with other labels, and as it was: where check mode, plan and rollback look. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, restore
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot


def predict(snapshot: Snapshot, revision: str, version: str | None, names: Iterable[str], settings: Settings | None = None) -> Snapshot:
    """The cluster as it will be when the control plane stands and these namespaces ask for it, before any restart.

    ``version`` and ``settings`` are those of one that is not there yet; what is there is taken as it is.
    """
    moving = set(names)
    then = Asks(revision=revision)
    return snapshot.with_revision(revision, version, settings).asking(lambda n: then if n.name in moving else None)


def predict_unlabelled(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The cluster as it will be when these namespaces ask for nothing any more."""
    moving = set(names)
    return snapshot.asking(lambda n: Asks() if n.name in moving else None)


def predict_restored(snapshot: Snapshot, names: Iterable[str]) -> Snapshot:
    """The cluster as it will be when these namespaces have their recorded labels again."""
    moving = set(names)
    return snapshot.asking(lambda n: restore(n).then if n.name in moving else None)


def as_recorded(snapshot: Snapshot) -> Snapshot:
    """The cluster by prior labels wherever they are recorded: where a rollback would lead."""
    return snapshot.asking(lambda namespace: namespace.prior)


def as_before(snapshot: Snapshot, revision: str) -> Snapshot:
    """The cluster as it was before this upgrade began, so that a rerun after a kill still sees what is half moved.

    What an earlier upgrade has moved asks for another revision, and counts as it is: its recorded labels are the way back, not the start.
    """
    moved = Asks(revision=revision)
    return snapshot.asking(lambda namespace: namespace.prior if namespace.asks == moved else None)


def predict_default(snapshot: Snapshot, old: str, to: str) -> Snapshot:
    """The cluster as it will be when what the old revision serves as the default is served by another one.

    That is its default tag, or itself where it is unrevisioned: then a tag takes over from its own injector, which is disabled.
    """
    return replace(snapshot, injectors=tuple(_as_default(injector, old, to) for injector in snapshot.injectors))


def _as_default(injector: Injector, old: str, to: str) -> Injector:
    serves = injector.tag == DEFAULT or (injector.tag is None and injector.revision == DEFAULT and not injector.disabled)
    if injector.revision != old or not serves:
        return injector
    return replace(injector, name=f"istio-revision-tag-{DEFAULT}", revision=to, tag=DEFAULT, service=f"istiod-{to}", ready=None)
