# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a CustomResourceDefinition would lose something: CRDs serve all revisions, so they only ever go up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster, Json

_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def served(cluster: Cluster, group: str) -> frozenset[str]:
    """The versions of an API group that there are."""
    found = cluster.get(f"/apis/{group}") or {}
    return frozenset(one["version"] for one in found.get("versions") or [])


def would_be_lowered(cluster: Cluster, rendered: Iterable[Json]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """By name, what each CRD would lose if it were replaced by the rendered one."""
    for item in rendered:
        if item["kind"] == "CustomResourceDefinition":
            name = item["metadata"]["name"]
            live = cluster.get(f"{_PATH}/{name}")
            gone = lowered(live, item) if live else ()
            if gone:
                yield name, gone


def lowered(before: Json, after: Json) -> tuple[str, ...]:
    """What is there and would not be any more: versions, and fields of versions."""
    return tuple(_gone(_versions(before), _versions(after)))


def _gone(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    for name, version in before.items():
        if name not in after or (version.get("served") and not after[name].get("served")):
            yield f"version {name}"
        else:
            yield from (f"{name} field {field}" for field in _fields(_schema(version)) - _fields(_schema(after[name])))


def _versions(crd: Json) -> dict[str, Json]:
    return {version["name"]: version for version in (crd.get("spec") or {}).get("versions") or []}


def _schema(version: Json) -> Json:
    found: Json = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    return found


def _fields(schema: Json, at: str = "") -> set[str]:
    """Paths of all properties, of the items of lists and the values of maps too."""
    found: set[str] = set()
    for name, inside in (schema.get("properties") or {}).items():
        found |= {f"{at}{name}"} | _fields(inside, f"{at}{name}.")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            found |= _fields(schema[name], at)
    return found
