# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The injector of a revision or of a url that nobody renders: as it should be, whose it is, and its removal."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube import stock
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.configurations import (
    MANAGED_BY,
    OF_AN_INSTALLER,
    Target,
    injector,
    trusted,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.ensure import Build
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import PATH, helm_release_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PRIOR_SELECTORS as PRIOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Entry
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import ADMISSION, Identity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.stock import FOUND


@dataclass(frozen=True, slots=True)
class Configuration:
    """One that is there."""

    name: str
    uid: str
    item: Json

    @property
    def remembers(self) -> bool:
        """It was disabled by us."""
        return PRIOR in (self.item["metadata"].get("annotations") or {})

    @property
    def ours(self) -> bool:
        return MANAGED_BY.items() <= (self.item["metadata"].get("labels") or {}).items()


def read(cluster: Cluster, name: str) -> Configuration | None:
    item = cluster.get(f"{PATH}/{name}")
    return Configuration(name, item["metadata"]["uid"], item) if item else None


def owner_of(cluster: Cluster, found: Configuration, revision: str, istio_namespace: str) -> str:
    """Who renders it, as a person says it; empty for nobody."""
    release = helm_release_of(found.item)
    if release:
        return f"helm release {release}"
    known = stock.load(cluster, istio_namespace, revision)
    if known and known.provider != FOUND and Identity(ADMISSION, "MutatingWebhookConfiguration", "", found.name) in known.objects:
        return f"control plane {revision}, which module control_plane has installed ({known.provider})"
    labels = found.item["metadata"].get("labels") or {}
    return "an installation by istioctl" if f"{OF_AN_INSTALLER}/managed" in labels else ""


def active(name: str, revision: str, entries: tuple[Entry, ...], target: Target) -> Build:
    """With exactly these entries, and what a disabled one remembers forgotten: it is the same, or was another version's."""

    def build(found: Json | None) -> Json:
        item = injector(found, name, {REVISION: revision}, entries, target)
        (item["metadata"].get("annotations") or {}).pop(PRIOR, None)
        return trusted(item, target.bundle)

    return build


def remove(cluster: Cluster, found: Configuration) -> None:
    cluster.delete(f"{PATH}/{found.name}", uid=found.uid)
