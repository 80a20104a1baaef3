# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who reads an object that carries ``istio.io/rev``, and which of them nobody reads. Pure.

Those of Istio by the revision of exactly that name (pkg/config/model.go, ``LabelsInRevision``), those of the Gateway API by a tag too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Pinned
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import DEPLOYMENT, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

_MOST = 10


def reader(one: Pinned, snapshot: Snapshot, services: Services) -> str | None:
    """The revision that reads it; None for nobody."""
    if one.revision in snapshot.there:
        return one.revision
    tags = {i.tag: i.revision for i in snapshot.injectors if i.tag} | {s.tag: s.revision for s in services.tags}
    to = None if one.of_istio else tags.get(one.revision)
    return to if to in snapshot.there else None


def unread(pinned: Iterable[Pinned], snapshot: Snapshot, services: Services) -> Iterator[Finding]:
    """Objects that count for nobody, though they are there: a lost policy is a hole. Known only where all control planes are."""
    if not snapshot.sees(DEPLOYMENT):
        return
    lost = [one for one in pinned if reader(one, snapshot, services) is None]
    if lost:
        first = lost[0]
        yield warning(
            Topic.MEANING,
            "Objects of Istio are read by no control plane.",
            where=listed([f"{one.path} ({one.revision})" for one in lost], _MOST),
            why=f"their label {REVISION} names no control plane here, and for Istio's own kinds a tag is no name: they count for nothing",
            do=f"kubectl -n {first.namespace} label {first.resource} {first.name} {REVISION}-, for all; or name the right one",
        )
