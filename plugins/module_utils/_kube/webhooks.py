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
    client = entries[0].get("clientConfig") or {}
    service = client.get("service") or {}
    return Injector(
        name=item["metadata"]["name"],
        revision=labels.get(REVISION) or DEFAULT,
        tag=labels.get(TAG),
        entries=tuple(_entry(entry, client) for entry in entries),
        service=service.get("name"),
        namespace=service.get("namespace", ""),
        port=service.get("port") or 443,
        path=service.get("path") or "/inject",
        roots=frozenset(root for entry in entries for root in fingerprints(_bundle(entry))),
        owner=helm_release_of(item),
        url=client.get("url"),
    )


def _bundle(entry: Json) -> str:
    """What is no text in base64 holds no certificates."""
    try:
        return base64.b64decode((entry.get("clientConfig") or {}).get("caBundle") or "").decode()
    except ValueError:
        return ""


def helm_release_of(item: Json) -> str | None:
    """The release that owns an object. A tag that istioctl made of helm's injector has its annotations too, and is nobody's."""
    metadata = item["metadata"]
    managers = {one.get("manager", "").lower() for one in metadata.get("managedFields") or []}
    copied = _TAGGER in managers and not any("helm" in manager for manager in managers)
    return None if copied else (metadata.get("annotations") or {}).get("meta.helm.sh/release-name")


def _entry(entry: Json, first: Json) -> Entry:
    """``first`` is whom the first entry calls, which counts as whom the injector calls."""
    client = entry.get("clientConfig") or {}
    namespaces, objects = (readable(entry.get(name)) for name in _SELECTORS)
    return Entry(
        name=entry["name"],
        namespaces=namespaces or Selector(),
        objects=objects or Selector(),
        has_ca=bool(client.get("caBundle") or client.get("url")),
        disabled=any(key == DEACTIVATED for key, _value in namespaces.equal) if namespaces else False,
        rules=tuple(_rule(one) for one in entry.get("rules") or []),
        pods=any(_creates_pods(rule) for rule in entry.get("rules") or []),
        lenient=entry.get("failurePolicy") == "Ignore",
        again=entry.get("reinvocationPolicy") == "IfNeeded",
        unclear=_unclear(entry, first, readable=None not in (namespaces, objects)),
    )


def _rule(item: Json) -> str:
    """``CREATE v1 pods``, ``CREATE,UPDATE apps/v1 deployments``."""
    groups, versions = item.get("apiGroups") or [""], item.get("apiVersions") or []
    of = ",".join(f"{group}/{version}" if group else version for group in groups for version in versions)
    return " ".join((",".join(item.get("operations") or []), of, ",".join(item.get("resources") or [])))


_SELECTORS = ("namespaceSelector", "objectSelector")


def _unclear(entry: Json, first: Json, *, readable: bool) -> str:
    """What istiod and istioctl never write: by hand, or by a later Kubernetes."""
    if not readable:
        return "its selectors cannot be read"
    if entry.get("matchConditions"):
        return "its matchConditions, which Istio never sets, may keep the API server from asking it"
    client = entry.get("clientConfig") or {}
    if any((client.get(name) or None) != (first.get(name) or None) for name in ("service", "url")):
        return f"its entry {entry['name']} calls somebody else than its first one"
    return ""


def _creates_pods(rule: Json) -> bool:
    """Kubernetes, admission/plugin/webhook/predicates/rules/rules.go."""

    def covers(name: str, *wanted: str) -> bool:
        return not {"*", *wanted}.isdisjoint(rule.get(name) or ())

    scope = rule.get("scope") in (None, "*", "Namespaced")
    found = covers("operations", "CREATE") and covers("apiGroups", "") and covers("apiVersions", "v1")
    return scope and found and covers("resources", "pods", "pods/*", "*/*")


def readable(item: Json | None) -> Selector | None:
    """None for what has another form than Kubernetes gives it today."""
    try:
        return selector(item or {})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


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
