# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who holds which field of an object, read from its managedFields and from the marks that tools leave."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mappings, strings, text
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import NOBODY, Held, Holder
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP, TEMPLATE

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ALONE = {
    ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
    ("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
    ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
    ("configmanagement.gke.io/managed", "disabled"),
}
"""Annotations by which what keeps an object leaves it alone (Flux, Kustomization API; Config Sync, managing objects)."""
_ARGO = "argocd.argoproj.io/tracking-id"
_LABELS = {INJECTION: ("f:metadata", "f:labels", f"f:{INJECTION}"), REVISION: ("f:metadata", "f:labels", f"f:{REVISION}")}
_NOTES = ("f:spec", "f:template", "f:metadata", "f:annotations")
_STAMPS = {STAMP: (*_NOTES, f"f:{STAMP}"), TEMPLATE: _NOTES}


def of_namespace(metadata: Json) -> Held:
    """Of its two labels."""
    labels = strings(metadata, "labels")
    return _held(metadata, _LABELS) if INJECTION in labels or REVISION in labels else NOBODY


def of_workload(metadata: Json, owner: Json | None) -> Held:
    """Of its restart stamp, and of what else is in its template's annotations."""
    return _held(metadata, _STAMPS, f"{text(owner, 'kind')}/{text(owner, 'name')}" if owner else "")


def _held(metadata: Json, paths: Mapping[str, tuple[str, ...]], owner: str = "") -> Held:
    notes, labels = strings(metadata, "annotations"), strings(metadata, "labels")
    by: dict[str, tuple[Holder, ...]] = {}
    for entry in mappings(metadata, "managedFields"):
        for field, path in paths.items():
            if _has(entry.get("fieldsV1"), path):
                by[field] = (*by.get(field, ()), Holder(text(entry, "manager"), text(entry, "operation") == "Apply"))
    if not by and not owner:
        return NOBODY
    alone = any(notes.get(key) == value for key, value in _ALONE)
    return Held(by, _source(notes, labels), frozenset(_applied(notes.get(APPLIED), paths)), alone, owner)


def _has(fields: t.Any, path: tuple[str, ...]) -> bool:
    for step in path:
        if not isinstance(fields, dict) or step not in fields:
            return False
        fields = fields[step]
    return True


def _source(notes: Mapping[str, str], labels: Mapping[str, str]) -> str:
    """Where it comes from: Argo CD's tracking annotation or label, Flux's labels, Helm's annotations."""
    if _ARGO in notes:
        return f"application {notes[_ARGO].partition(':')[0]}"
    if "argocd.argoproj.io/instance" in labels:
        return f"application {labels['argocd.argoproj.io/instance']}"
    if "kustomize.toolkit.fluxcd.io/name" in labels:
        return f"Kustomization {labels['kustomize.toolkit.fluxcd.io/name']}"
    if "helm.toolkit.fluxcd.io/name" in labels:
        return f"HelmRelease {labels['helm.toolkit.fluxcd.io/name']}"
    release = notes.get("meta.helm.sh/release-name")
    return f"release {release}" if release else ""


def _applied(text: str | None, paths: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """The fields that are in the file which ``kubectl apply`` was given; none of what cannot be read."""
    if not text or not any(field in text for field in paths):
        return
    try:
        there = read_json(text)
    except ValueError:
        return
    for field, path in paths.items():
        if _has(there, tuple(step.removeprefix("f:") for step in path)):
            yield field
