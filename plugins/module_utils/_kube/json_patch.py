# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applies a JSON patch (RFC 6902), as an API server does with the answer of a webhook. Nothing that we depend on can."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Iterable, Mapping


def apply(document: t.Any, operations: Iterable[Mapping[str, t.Any]]) -> t.Any:
    """The document with all operations done in their order; the one given stays as it is. Raises ValueError for what cannot be done."""
    patched = copy.deepcopy(document)
    for operation in operations:
        try:
            patched = _applied(patched, operation)
        except (KeyError, IndexError, TypeError, AttributeError) as problem:
            raise ValueError(f"{operation.get('op')} {operation.get('path')}: {problem!r}") from problem
    return patched


def _applied(document: t.Any, operation: Mapping[str, t.Any]) -> t.Any:
    path = _keys(operation["path"])
    match operation["op"]:
        case "add" | "replace" as op:
            return _put(document, path, copy.deepcopy(operation["value"]), new=op == "add")
        case "remove":
            return _without(document, path)
        case "move" | "copy" as op:
            source = _keys(operation["from"])
            value = copy.deepcopy(_at(document, source))
            return _put(_without(document, source) if op == "move" else document, path, value, new=True)
        case "test":
            if _at(document, path) != operation["value"]:
                raise ValueError(f"test {operation['path']}: it has another value")
            return document
    raise ValueError(f"there is no operation {operation['op']!r}")


def _keys(pointer: str) -> list[str]:
    """Of a JSON pointer (RFC 6901)."""
    if pointer and not pointer.startswith("/"):
        raise ValueError(f"{pointer!r} is no JSON pointer")
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.split("/")[1:]]


def _at(document: t.Any, path: list[str]) -> t.Any:
    for key in path:
        document = document[_index(document, key)]
    return document


def _index(parent: t.Any, key: str, *, end: bool = False) -> t.Any:
    """Where a key leads in an object, or in a list; ``-`` is the place behind its end."""
    if not isinstance(parent, list):
        return key
    if end and key == "-":
        return len(parent)
    if not key.isdigit() or int(key) >= len(parent) + end:
        raise IndexError(key)
    return int(key)


def _put(document: t.Any, path: list[str], value: t.Any, *, new: bool) -> t.Any:
    if not path:
        return value
    parent = _at(document, path[:-1])
    key = _index(parent, path[-1], end=new)
    if isinstance(parent, list) and new:
        parent.insert(key, value)
    elif new or key in parent or isinstance(parent, list):
        parent[key] = value
    else:
        raise KeyError(key)
    return document


def _without(document: t.Any, path: list[str]) -> t.Any:
    parent = _at(document, path[:-1])
    del parent[_index(parent, path[-1])]
    return document
