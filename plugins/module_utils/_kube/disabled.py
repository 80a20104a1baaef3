# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An injector that matches nothing, and remembers what it did match: so that exactly that can be given back, whatever its version wrote."""

from __future__ import annotations

import copy
import json

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import rendered, selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import PRIOR_SELECTORS as PRIOR
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Entry
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import NEVER

_SELECTORS = ("namespaceSelector", "objectSelector")


def disabled(found: Json | None) -> Json:
    item = copy.deepcopy(there(found))
    never = rendered(NEVER)
    if any(entry.get(name) != never for entry in item["webhooks"] for name in _SELECTORS):
        before = {entry["name"]: {name: entry.get(name) or {} for name in _SELECTORS} for entry in item["webhooks"]}
        item["metadata"].setdefault("annotations", {})[PRIOR] = json.dumps(before, sort_keys=True)
    for entry in item["webhooks"]:
        entry |= dict.fromkeys(_SELECTORS, never)
    return item


def given_back(found: Json | None) -> Json:
    """As it was before; what is not disabled by us stays as it is."""
    item = copy.deepcopy(there(found))
    before = prior(item)
    if before is None:
        return item
    for entry in item["webhooks"]:
        entry |= before.get(entry["name"]) or {}
    del item["metadata"]["annotations"][PRIOR]
    if not item["metadata"]["annotations"]:
        del item["metadata"]["annotations"]
    return item


def prior(item: Json) -> dict[str, Json] | None:
    """What is remembered; None where nothing is, MeshError where it cannot be read."""
    text = (item["metadata"].get("annotations") or {}).get(PRIOR)
    if text is None:
        return None
    try:
        found = read_json(text)
        return {str(name): {key: one[key] for key in _SELECTORS} for name, one in found.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise MeshError(
            "What an injector matched before it was disabled cannot be read.",
            where=f"MutatingWebhookConfiguration {item['metadata']['name']}, annotation {PRIOR}",
            why=str(problem),
            do="write the annotation again as it was, or remove it and let the injector be rendered anew",
        ) from problem


def entries(item: Json) -> tuple[Entry, ...]:
    """As they are, or as they would be when given back."""
    now = given_back(item)
    return tuple(Entry(e["name"], selector(e["namespaceSelector"]), selector(e["objectSelector"]), has_ca=True) for e in now["webhooks"])


def there(found: Json | None) -> Json:
    if found is None:
        raise MeshError("An injector was removed meanwhile.", do="run again")
    return found
