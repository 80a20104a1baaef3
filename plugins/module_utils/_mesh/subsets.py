# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts of the truth are asked for, by ``gather_subset`` as Ansible's own ``setup`` reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError


class Subset(StrEnum):
    """A part, by what it costs; what each holds and needs is in the documentation of mesh_info."""

    MIN = "min"
    WORKLOADS = "workloads"
    MESH_CONFIG = "mesh_config"
    OBJECTS = "objects"
    VERSIONS = "versions"
    CONNECTIONS = "connections"


_ALL, _NOT = "all", "!"


def chosen(asked: Iterable[str]) -> frozenset[Subset]:
    """As ``setup`` has it: ``min`` is always there but for ``!min``, ``!all`` leaves out all but ``min``, and a name beats its ``!``.

    Raises MeshError for a name that is none.
    """
    wanted, left_out, named = {Subset.MIN}, set[Subset](), set[Subset]()
    for name in asked:
        bare = name.removeprefix(_NOT)
        found = set(Subset) if bare == _ALL else {_of(bare)}
        if name == bare:
            wanted |= found
            named |= found if bare != _ALL else set()
        else:
            left_out |= found - ({Subset.MIN} if bare == _ALL else set())
    return frozenset(wanted - (left_out - named))


def _of(name: str) -> Subset:
    if name not in set(Subset):
        raise MeshError(
            f'"{name}" is nothing that can be gathered.',
            where="gather_subset",
            do=f"choose from {', '.join((_ALL, *Subset))}; {_NOT} in front of a name leaves it out",
        )
    return Subset(name)
