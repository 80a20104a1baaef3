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
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import (
    mapping,
    mappings,
    name_of,
    number,
    strings,
    text,
    texts,
)
from ansible_collections.meshops.istio.plugins.module_utils._kube.roots import fingerprints
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import (
    DEACTIVATED,
    ENTRY_SUFFIX,
    PRIOR_SELECTORS,
    Entry,
    Injector,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector

PATH = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_TAGGER = "istio-ci"
"""The field manager of ``istioctl tag set``."""
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


def all_injectors(cluster: Cluster) -> tuple[Injector, ...]:
    """With the readiness of what they call: one list more for each namespace with an istiod, mostly one."""
    found = [injector for injector in cluster.values(PATH, parse) if injector]
    ready = {namespace: ready_in(cluster, namespace) for namespace in {i.namespace for i in found if i.service}}
    return tuple(replace(injector, ready=_ready(injector, ready.get(injector.namespace))) for injector in found)


def _ready(injector: Injector, endpoints: Mapping[str, int] | None) -> bool | None:
    return None if injector.service is None or endpoints is None else endpoints.get(injector.service, 0) > 0


def parse(item: Json) -> Injector | None:
    """None for a configuration that injects no sidecars."""
    entries = [entry for entry in mappings(item, "webhooks") if text(entry, "name").endswith(ENTRY_SUFFIX)]
    if not entries:
        return None
    labels = strings(item, "metadata", "labels")
    client = mapping(entries[0], "clientConfig")
    service = mapping(client, "service")
    return Injector(
        name=name_of(item),
        revision=labels.get(REVISION) or DEFAULT,
        tag=labels.get(TAG),
        entries=tuple(_entry(entry, client) for entry in entries),
        service=text(service, "name") or None,
        namespace=text(service, "namespace"),
        port=number(service, "port") or 443,
        path=text(service, "path") or "/inject",
        roots=frozenset(root for entry in entries for root in fingerprints(_bundle(entry))),
        owner=helm_release_of(item),
        url=text(client, "url") or None,
        remembers=PRIOR_SELECTORS in mapping(item, "metadata", "annotations"),
    )


def _bundle(entry: Json) -> str:
    """What is no text in base64 holds no certificates."""
    try:
        return base64.b64decode(text(entry, "clientConfig", "caBundle")).decode()
    except ValueError:
        return ""


def helm_release_of(item: Json) -> str | None:
    """The release that owns an object. A tag that istioctl made of helm's injector has its annotations too, and is nobody's."""
    managers = {text(one, "manager").lower() for one in mappings(item, "metadata", "managedFields")}
    copied = _TAGGER in managers and not any("helm" in manager for manager in managers)
    return None if copied else text(item, "metadata", "annotations", "meta.helm.sh/release-name") or None


def _entry(entry: Json, first: Json) -> Entry:
    """``first`` is whom the first entry calls, which counts as whom the injector calls."""
    client = mapping(entry, "clientConfig")
    namespaces, objects = (readable(entry.get(name)) for name in _SELECTORS)
    return Entry(
        name=text(entry, "name"),
        namespaces=namespaces or Selector(),
        objects=objects or Selector(),
        has_ca=bool(text(client, "caBundle") or text(client, "url")),
        disabled=any(key == DEACTIVATED for key, _value in namespaces.equal) if namespaces else False,
        rules=tuple(_rule(one) for one in mappings(entry, "rules")),
        pods=any(_creates_pods(rule) for rule in mappings(entry, "rules")),
        lenient=entry.get("failurePolicy") == "Ignore",
        again=entry.get("reinvocationPolicy") == "IfNeeded",
        unclear=_unclear(entry, first, readable=None not in (namespaces, objects)),
    )


def _rule(item: Json) -> str:
    """``CREATE v1 pods``, ``CREATE,UPDATE apps/v1 deployments``."""
    groups, versions = texts(item, "apiGroups") or ("",), texts(item, "apiVersions")
    of = ",".join(f"{group}/{version}" if group else version for group in groups for version in versions)
    return " ".join((",".join(texts(item, "operations")), of, ",".join(texts(item, "resources"))))


_SELECTORS = ("namespaceSelector", "objectSelector")


def _unclear(entry: Json, first: Json, *, readable: bool) -> str:
    """What istiod and istioctl never write: by hand, or by a later Kubernetes."""
    if not readable:
        return "its selectors cannot be read"
    if entry.get("matchConditions"):
        return "its matchConditions, which Istio never sets, may keep the API server from asking it"
    client = mapping(entry, "clientConfig")
    if any((client.get(name) or None) != (first.get(name) or None) for name in ("service", "url")):
        return f"its entry {text(entry, 'name')} calls somebody else than its first one"
    return ""


def _creates_pods(rule: Json) -> bool:
    """Kubernetes, admission/plugin/webhook/predicates/rules/rules.go."""

    def covers(name: str, *wanted: str) -> bool:
        return not {"*", *wanted}.isdisjoint(texts(rule, name))

    scope = rule.get("scope") in (None, "*", "Namespaced")
    found = covers("operations", "CREATE") and covers("apiGroups", "") and covers("apiVersions", "v1")
    return scope and found and covers("resources", "pods", "pods/*", "*/*")


def readable(item: t.Any) -> Selector | None:
    """None for what has another form than Kubernetes gives it today."""
    try:
        return selector({} if item is None else item)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def selector(item: dict[str, t.Any]) -> Selector:
    """Raises ValueError and the like for another form: left out, a condition would make it match more."""
    expressions, equal = item.get("matchExpressions") or [], item.get("matchLabels") or {}
    found = Selector(
        tuple(Requirement(e["key"], Operator(e["operator"]), tuple(e.get("values") or ())) for e in expressions),
        tuple(equal.items()),
    )
    said = (*(word for pair in found.equal for word in pair), *(word for r in found.requirements for word in (r.key, *r.values)))
    if not all(isinstance(one, str) for one in said) or any(isinstance(e.get("values"), str) for e in expressions):
        raise ValueError("a selector is made of texts")
    return found


def rendered(one: Selector) -> Json:
    """What ``selector`` reads, byte for byte."""
    expressions = [{"key": r.key, "operator": str(r.operator)} | ({"values": list(r.values)} if r.values else {}) for r in one.requirements]
    return ({"matchLabels": dict(one.equal)} if one.equal else {}) | ({"matchExpressions": expressions} if expressions else {})
