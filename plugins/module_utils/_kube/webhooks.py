# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Injectors: MutatingWebhookConfigurations whose entries end in ``sidecar-injector.istio.io``.

That name and the label ``istio.io/rev`` are what istiod and istioctl themselves go by (pkg/webhooks/webhookpatch.go).
"""

from __future__ import annotations

import base64
import typing as t
from collections.abc import Mapping
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.endpoints import ready_in
from ansible_collections.meshops.istio.plugins.module_utils._kube.roots import fingerprints
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import DEACTIVATED, ENTRY_SUFFIX, Entry, Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector

PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_TAGGER = "istio-ci"
"""The field manager of ``istioctl tag set``."""
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def all_injectors(cluster: Cluster) -> tuple[Injector, ...]:
    """With the readiness of what they call: one list more for each namespace with an istiod, mostly one."""
    found = [injector for item in cluster.items(PATH) if (injector := parse(item))]
    ready = {namespace: ready_in(cluster, namespace) for namespace in {i.namespace for i in found if i.service}}
    return tuple(replace(injector, ready=_ready(injector, ready.get(injector.namespace))) for injector in found)


def _ready(injector: Injector, endpoints: Mapping[str, int] | None) -> bool | None:
    return None if injector.service is None or endpoints is None else endpoints.get(injector.service, 0) > 0


def parse(item: Json) -> Injector | None:
    """None for a configuration that injects no sidecars."""
    entries = [entry for entry in item.get("webhooks") or [] if entry["name"].endswith(ENTRY_SUFFIX)]
    if not entries:
        return None
    labels = item["metadata"].get("labels") or {}
    service = entries[0]["clientConfig"].get("service") or {}
    return Injector(
        name=item["metadata"]["name"],
        revision=labels.get(REVISION) or DEFAULT,
        tag=labels.get(TAG),
        entries=tuple(_entry(entry) for entry in entries),
        service=service.get("name"),
        namespace=service.get("namespace", ""),
        port=service.get("port") or 443,
        path=service.get("path") or "/inject",
        roots=frozenset(root for entry in entries for root in fingerprints(_bundle(entry))),
        owner=helm_release_of(item),
        url=entries[0]["clientConfig"].get("url"),
    )


def _bundle(entry: Json) -> str:
    """What is no text in base64 holds no certificates."""
    try:
        return base64.b64decode(entry["clientConfig"].get("caBundle") or "").decode()
    except ValueError:
        return ""


def helm_release_of(item: Json) -> str | None:
    """The release that owns an object. A tag that istioctl made of helm's injector has its annotations too, and is nobody's."""
    metadata = item["metadata"]
    managers = {one.get("manager", "").lower() for one in metadata.get("managedFields") or []}
    copied = _TAGGER in managers and not any("helm" in manager for manager in managers)
    return None if copied else (metadata.get("annotations") or {}).get("meta.helm.sh/release-name")


def _entry(entry: Json) -> Entry:
    client = entry["clientConfig"]
    namespaces, objects = entry.get("namespaceSelector") or {}, entry.get("objectSelector") or {}
    return Entry(
        name=entry["name"],
        namespaces=selector(namespaces),
        objects=selector(objects),
        has_ca=bool(client.get("caBundle") or client.get("url")),
        disabled=DEACTIVATED in (namespaces.get("matchLabels") or {}),
        rules=tuple(_rule(one) for one in entry.get("rules") or []),
    )


def _rule(item: Json) -> str:
    """``CREATE v1 pods``, ``CREATE,UPDATE apps/v1 deployments``."""
    groups, versions = item.get("apiGroups") or [""], item.get("apiVersions") or []
    of = ",".join(f"{group}/{version}" if group else version for group in groups for version in versions)
    return " ".join((",".join(item.get("operations") or []), of, ",".join(item.get("resources") or [])))


def selector(item: dict[str, t.Any]) -> Selector:
    expressions = item.get("matchExpressions") or []
    return Selector(
        tuple(Requirement(e["key"], Operator(e["operator"]), tuple(e.get("values") or ())) for e in expressions),
        tuple((item.get("matchLabels") or {}).items()),
    )


def rendered(one: Selector) -> Json:
    """What ``selector`` reads, byte for byte."""
    expressions = [{"key": r.key, "operator": str(r.operator)} | ({"values": list(r.values)} if r.values else {}) for r in one.requirements]
    return ({"matchLabels": dict(one.equal)} if one.equal else {}) | ({"matchExpressions": expressions} if expressions else {})
