# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which injectors the API server asks about a pod: Kubernetes' label selectors, without any code of the collection. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..api import Json

ENTRY_SUFFIX = "sidecar-injector.istio.io"
REVISION = "istio.io/rev"


def matches(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """An empty selector matches everything."""
    wanted = (selector or {}).get("matchLabels") or {}
    expressions = (selector or {}).get("matchExpressions") or ()
    return all(labels.get(key) == value for key, value in wanted.items()) and all(_holds(one, labels) for one in expressions)


def asked(configurations: Iterable[Json], namespace: Json, pod: Json) -> Iterator[str]:
    """Revisions of the injectors that match, one for each entry that does."""
    # The API server itself sets this label on every namespace.
    in_namespace = {"kubernetes.io/metadata.name": namespace["metadata"]["name"]} | (namespace["metadata"].get("labels") or {})
    on_pod = pod["metadata"].get("labels") or {}
    for configuration in configurations:
        for entry in configuration["webhooks"]:
            if matches(entry.get("namespaceSelector"), in_namespace) and matches(entry.get("objectSelector"), on_pod):
                yield configuration["metadata"]["labels"][REVISION]


def _holds(expression: Json, labels: Mapping[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case other:
            raise ValueError(f"no such operator: {other}")
