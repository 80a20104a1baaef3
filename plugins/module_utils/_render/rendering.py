# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rendering: the objects of a control plane as a program or a file gives them, and what they say of its revision and version."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.objects import Identity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, version_of_image

Json = dict[str, t.Any]


@dataclass(frozen=True, slots=True)
class Rendering:
    objects: tuple[Json, ...]
    warnings: tuple[str, ...] = ()
    """What the program said beside it."""


def parsed(text: str, where: str) -> tuple[Json, ...]:
    """The objects of a YAML text, those inside a ``List`` each by itself, in an order of their own, so that two can be compared.

    Raises MeshError that names what is no object; ``where`` says where the text is from.
    """
    try:
        documents = list(yaml.safe_load_all(text))
    except yaml.YAMLError as problem:
        do = "correct it, or see what the program really printed"
        raise MeshError("A rendering is no YAML.", where=where, why=" ".join(str(problem).split()), do=do) from problem
    found = [one for number, document in enumerate(documents, start=1) for one in _objects(document, f"{where}, document {number}")]
    return tuple(sorted(found, key=identity))


def _objects(document: object, where: str) -> Iterator[Json]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise MeshError("A rendering holds something that is no Kubernetes object.", where=where, why=f"it is {str(document)[:80]!r}")
    if str(document.get("kind")).endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from _objects(item, where)
        return
    metadata = document.get("metadata")
    named = isinstance(metadata, dict) and metadata.get("name")
    missing = [name for name in ("apiVersion", "kind") if not document.get(name)] + ([] if named else ["metadata.name"])
    if missing:
        raise MeshError("A rendering holds something that is no Kubernetes object.", where=where, why=f"it lacks {', '.join(missing)}")
    yield document


def identity(item: Mapping[str, t.Any]) -> Identity:
    """What it is, by what it says itself."""
    group = str(item["apiVersion"]).rpartition("/")[0]
    metadata = item["metadata"]
    return Identity(group, str(item["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))


def check_once(objects: Iterable[Mapping[str, t.Any]]) -> None:
    """Raises MeshError where two documents are the same object: which of them is meant, nobody can know."""
    seen: set[Identity] = set()
    for item in objects:
        one = identity(item)
        if one in seen:
            raise MeshError("A rendering has the same object twice.", where=one.text(), do="leave one of them in it")
        seen.add(one)


def check_rendering(objects: Iterable[Mapping[str, t.Any]], revision: str, version: str | None, source: str) -> str | None:
    """The version that is rendered; MeshError where it is another than expected, or there is no istiod of that revision at all.

    ``source`` is what renders, as a sentence begins with it.
    """
    rendered = tuple(objects)
    if not rendered:
        raise MeshError(
            f"{source} renders nothing.", where=f'for revision "{revision}"', do="give what renders the istiod of that revision"
        )
    istiods = [item for item in rendered if item.get("kind") == "Deployment" and _is_istiod(item)]
    istiod = next((item for item in istiods if _labels(item).get(REVISION) == revision), None)
    if istiod is None:
        others = ", ".join(sorted({str(_labels(item).get(REVISION) or "default") for item in istiods}))
        raise MeshError(
            f'{source} renders no istiod of revision "{revision}".',
            where=f"no Deployment has the labels app=istiod and {REVISION}={revision}" + (f"; there is one of {others}" if others else ""),
            do="give what renders the istiod of that revision, or correct revision (mesh_revision)",
        )
    containers = istiod["spec"]["template"]["spec"].get("containers") or []
    image = next((one.get("image", "") for one in containers if one["name"] == "discovery"), "")
    found = version_of_image(image)
    if version and found and found != version:
        raise MeshError(
            f'Revision "{revision}" would get another version than expected.',
            where=f"{source[0].lower()}{source[1:]} renders image {image}",
            why=f"version (mesh_version) says {version}",
            do="correct version (mesh_version), or take what renders that version",
        )
    return found or version


def _labels(item: Mapping[str, t.Any]) -> Mapping[str, t.Any]:
    return item["metadata"].get("labels") or {}


def _is_istiod(deployment: Mapping[str, t.Any]) -> bool:
    return _labels(deployment).get("app") == "istiod"
