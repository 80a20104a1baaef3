# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who gets an injector by a tag, so that the tag's objects must not go or change under it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import as_recorded
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed


def followers_of(snapshot: Snapshot, tag: str) -> tuple[str, ...]:
    """Namespaces by their labels, those whose recorded way back is the tag, and workloads that ask by themselves."""
    return tuple(dict.fromkeys(_followers(snapshot, tag)))


def _followers(snapshot: Snapshot, tag: str) -> Iterator[str]:
    namespaces = [n.name for n in snapshot.namespaces if not n.deleting and _by(snapshot, n.name, tag)]
    yield from (f"namespace {name}" for name in namespaces)
    back = as_recorded(snapshot)
    yield from (f"the way back of namespace {n.name}" for n in back.namespaces if n.prior and not n.deleting and _by(back, n.name, tag))
    for judged in snapshot.staying:
        if judged.workload.namespace not in namespaces and any(injector.tag == tag for injector in judged.decision.asked):
            yield f"workload {judged.workload.path}"


def _by(snapshot: Snapshot, namespace: str, tag: str) -> bool:
    return any(injector.tag == tag for injector in snapshot.gets(namespace).asked)


def check_unfollowed(snapshot: Snapshot, tags: Collection[str], release: str) -> None:
    """Raises MeshError where a helm release made a tag that somebody follows: helm would take it away or change it, without a word."""
    followed = {tag: who for tag in sorted(tags) if (who := followers_of(snapshot, tag))}
    if followed:
        raise MeshError(
            f"Helm release {release} made {'tags that are' if len(followed) > 1 else 'a tag that is'} still followed.",
            where="; ".join(f"tag {tag}: {listed(who)}" for tag, who in followed.items()),
            why="helm changes and removes all that a release made, its tags too; new pods of these would be refused or get no sidecar",
            do="move the followers to the revision itself, or make the tag one of its own first (meshops.istio.revision_tag)",
        )
