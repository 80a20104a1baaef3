# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validators of Istio, by the names of their entries; those of other products are left out."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, mappings, name_of, number, strings, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import VALIDATORS
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, TAG
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import ENTRY_SUFFIX, FAIL, Validator


def all_validators(cluster: Cluster) -> tuple[Validator, ...]:
    return tuple(found for item in cluster.items(VALIDATORS) if (found := parse(item)))


def parse(item: Json) -> Validator | None:
    """None for one that is not Istio's."""
    entries = [entry for entry in mappings(item, "webhooks") if text(entry, "name").endswith(ENTRY_SUFFIX)]
    if not entries:
        return None
    labels = strings(item, "metadata", "labels")
    clients = [mapping(entry, "clientConfig") for entry in entries]
    service = mapping(clients[0], "service")
    policies = {text(entry, "failurePolicy") or FAIL for entry in entries}  # Fail is what is meant where none is given
    return Validator(
        name=name_of(item),
        revision=labels.get(REVISION) or DEFAULT,
        tag=labels.get(TAG),
        failure_policy=FAIL if FAIL in policies else "Ignore",
        service=text(service, "name") or None,
        namespace=text(service, "namespace"),
        port=number(service, "port") or 443,
        path=text(service, "path"),
        url=text(clients[0], "url") or None,
        has_ca=all(client.get("caBundle") or client.get("url") for client in clients),
    )
