# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands at a path of an object's JSON, as the type that is meant. The one rule for reading it:

a field that is missing, null, or of another type than Kubernetes gives it is absent; so is a member of a list or mapping.
"""

from __future__ import annotations

import typing as t

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

_Json = dict[str, t.Any]


class Unreadable(MeshError):
    """An object of which not even its name can be read: no API server gives such a thing, a proxy in front of it may."""

    kind = "unreadable"


def at(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def mapping(value: object, *path: str) -> _Json:
    """Empty where it is absent."""
    found = at(value, *path)
    return found if isinstance(found, dict) else {}


def mappings(value: object, *path: str) -> list[_Json]:
    """The members of a list that are mappings."""
    for name in path:  # not by ``at``: this and ``text`` are asked half a million times for 10,000 pods
        value = value.get(name) if isinstance(value, dict) else None
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def text(value: object, *path: str) -> str:
    """Empty where it is absent."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def texts(value: object, *path: str) -> tuple[str, ...]:
    """The members of a list that are texts."""
    found = at(value, *path)
    return tuple(one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def number(value: object, *path: str, default: int = 0) -> int:
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def strings(value: object, *path: str) -> dict[str, str]:
    """Labels or annotations."""
    found = mapping(value, *path)
    for one in found.values():
        if not isinstance(one, str):
            return {key: one for key, one in found.items() if isinstance(one, str)}
    return found


def name_of(item: object) -> str:
    """What every object has. Raises Unreadable."""
    return _given(item, "name")


def uid_of(item: object) -> str:
    return _given(item, "uid")


def namespace_of(item: object) -> str:
    """Of what lives in one."""
    return _given(item, "namespace")


def _given(item: object, field: str) -> str:
    found = text(item, "metadata", field)
    if not found:
        called = "/".join(filter(None, (text(item, "metadata", "namespace"), text(item, "metadata", "name")))) or "one without a name"
        raise Unreadable(
            "The API server gave an object that is none.",
            where=called,
            why=f"it has no metadata.{field}",
            do="look for a proxy between here and the API server, or a fault of an aggregated API; then run again",
        )
    return found
