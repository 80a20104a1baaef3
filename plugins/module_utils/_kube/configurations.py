# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Webhook configurations as they are written. What others fill in stays: istiod's caBundle, the server's defaults, entries of others.

An entry never gets an empty caBundle, and one that is pointed elsewhere gets the new one's caBundle by the same write: so there is
no instant in which the API server could not verify whom it calls.
"""

from __future__ import annotations

import copy
import hashlib
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import helm_release_of, rendered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import ENTRY_SUFFIX, Entry
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import DEFAULT_VALIDATOR

_API = "admissionregistration.k8s.io/v1"
MANAGED_BY = {"app.kubernetes.io/managed-by": "meshops"}
OF_AN_INSTALLER = "operator.istio.io"
"""In labels by which ``istioctl`` knows what it may remove or write over."""
_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"], "scope": "*"}
_OF_ISTIO = {
    "apiGroups": ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["*"],
    "scope": "*",
}
_UNPINNED = rendered(Selector((Requirement(REVISION, Operator.DOES_NOT_EXIST),)))


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a webhook calls, and the CA that vouches for it (base64, as it is written)."""

    client: t.Mapping[str, object]
    """``service`` or ``url``."""
    bundle: str | None
    reinvocation: str = "Never"

    @property
    def service(self) -> Mapping[str, t.Any]:
        """Empty for a url."""
        return t.cast("Mapping[str, t.Any]", self.client.get("service") or {})


def target_of(injector: Json) -> Target:
    """As a control plane's own injector has it."""
    entry = next(one for one in injector["webhooks"] if one["name"].endswith(ENTRY_SUFFIX))
    client = entry["clientConfig"]
    return Target(_without_ca(client), client.get("caBundle"), entry.get("reinvocationPolicy") or "Never")


def injector(found: Json | None, name: str, labels: Mapping[str, str], entries: Iterable[Entry], target: Target) -> Json:
    item = _changed(found, "MutatingWebhookConfiguration", name, {"app": "sidecar-injector", **labels})
    there = {entry["name"]: entry for entry in item.get("webhooks") or []}
    others = [entry for entry in there.values() if not entry["name"].endswith(ENTRY_SUFFIX)]
    item["webhooks"] = [_injecting(there.get(entry.name) or {}, entry, target) for entry in entries] + others
    return item


def _injecting(there: Json, entry: Entry, target: Target) -> Json:
    return there | {
        "name": entry.name,
        "clientConfig": _client(there.get("clientConfig") or {}, target),
        "rules": [_PODS],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "reinvocationPolicy": target.reinvocation,
        "admissionReviewVersions": ["v1beta1", "v1"] if entry.name == ENTRY_SUFFIX else ["v1"],  # up to 1.9
        "namespaceSelector": rendered(entry.namespaces),
        "objectSelector": rendered(entry.objects),
    }


def trusted(item: Json, bundle: str | None) -> Json:
    """With this caBundle where there is none; for a url always, since no istiod fills that one in."""
    for entry in item["webhooks"] if bundle else ():
        client = entry["clientConfig"]
        if "url" in client or not client.get("caBundle"):
            client["caBundle"] = bundle
    return item


def _client(there: Json, target: Target) -> Json:
    """A url says nothing of who answers there; a Service's caBundle that is there is better than none, until istiod writes its own."""
    kept = there.get("caBundle")
    bundle = (kept if _without_ca(there) == target.client else None) or target.bundle or (kept if target.service else None)
    return {**target.client} | ({"caBundle": bundle} if bundle else {})


def _without_ca(client: Json) -> Json:
    return {name: value for name, value in client.items() if name != "caBundle"}


def default_validator(found: Json | None, revision: str, target: Target, *, tagged: bool) -> Json:
    """The cluster-wide validator, called from now on at this revision's Service.

    ``tagged`` makes it a part of the default tag, except one that a helm release owns. A new one is lenient, and istiod makes it strict
    when it works; one that is strict already stays so, since the caBundle comes along.
    """
    tag = {TAG: DEFAULT} if tagged and not (found and helm_release_of(found)) else {}
    item = _changed(
        found, "ValidatingWebhookConfiguration", DEFAULT_VALIDATOR, {"app": "istiod", "istio": "istiod", REVISION: revision, **tag}
    )
    service = {"name": target.service["name"], "namespace": target.service["namespace"], "path": "/validate", "port": 443}
    lenient = {"rules": [_OF_ISTIO], "failurePolicy": "Ignore", "objectSelector": _UNPINNED}
    new = {"name": "validation.istio.io", "sideEffects": "None", "admissionReviewVersions": ["v1"], **lenient}
    to = Target({"service": service}, target.bundle)
    item["webhooks"] = [entry | {"clientConfig": _client(entry.get("clientConfig") or {}, to)} for entry in item.get("webhooks") or [new]]
    return item


def service(found: Json | None, name: str, labels: Mapping[str, str], of: Json) -> Json:
    """A tag's Service, which leads to the pods of a control plane's own one."""
    item = _changed(found, "Service", name, {"app": "istiod", "istio": "pilot", **labels}, api="v1")
    ports = [{key: value for key, value in port.items() if key != "nodePort"} for port in of["spec"]["ports"]]
    item["spec"] = (item.get("spec") or {}) | {"ports": ports, "selector": of["spec"]["selector"]}
    return item


def _changed(found: Json | None, kind: str, name: str, labels: Mapping[str, str], api: str = _API) -> Json:
    """A copy with these labels, and without those of an installer, which else would write over it or remove it. Helm's stay."""
    new: Json = {"apiVersion": api, "kind": kind, "metadata": {"name": name}}
    item = copy.deepcopy(found) if found else new
    kept = item["metadata"].get("labels") or {}
    if not (found and helm_release_of(found)):
        kept = {key: value for key, value in kept.items() if OF_AN_INSTALLER not in key} | MANAGED_BY
    item["metadata"]["labels"] = kept | dict(labels)
    return item


def shown(item: Json | None) -> object:
    """For a diff: without what the API server keeps for itself, and a caBundle as short as it can be told from another."""
    if item is None:
        return None
    spec = {key: item["spec"][key] for key in ("ports", "selector")} if "spec" in item else {}
    entries = {entry["name"]: _shown(entry) for entry in item.get("webhooks") or []}
    labels = item["metadata"].get("labels") or {}
    return {"labels": dict(sorted(labels.items())), **spec, **({"webhooks": entries} if entries else {})}


def _shown(entry: Json) -> Json:
    client = entry.get("clientConfig") or {}
    bundle = client.get("caBundle")
    ca: Json = {"caBundle": f"sha256 {hashlib.sha256(bundle.encode()).hexdigest()[:12]}"} if bundle else {}
    kept: Json = {name: entry[name] for name in ("failurePolicy", "namespaceSelector", "objectSelector") if name in entry}
    return {"clientConfig": _without_ca(client) | ca, **kept}
