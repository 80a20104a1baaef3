# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of the workloads that mesh_info has found, those that a play is about: of a wave, stale, with the sidecars of a revision. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Standing

Fact = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Choice:
    """None is everything."""

    standing: frozenset[str] | None = None
    namespaces: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    revision: str | None = None
    """One of its pods runs a proxy of it."""
    gets: str | None = None
    """A new pod would get it."""

    def takes(self, one: Fact) -> bool:
        proxies = one["proxies"]
        return (
            _in(one["standing"], self.standing)
            and _in(one["namespace"], self.namespaces)
            and _in(one["kind"], self.kinds)
            and (self.revision is None or (isinstance(proxies, Mapping) and self.revision in proxies))
            and self.gets in (None, one["gets"])
        )


def _in(value: object, wanted: frozenset[str] | None) -> bool:
    return wanted is None or value in wanted


def workloads(found: object, choice: Choice) -> list[Fact]:
    """Sorted by path. Raises MeshError where the answer would not be true: what was not read, or what is not there, is not none."""
    if not isinstance(found, Mapping) or not isinstance(found.get("workloads"), Sequence):
        raise MeshError(
            "There are no workloads in this.",
            why="it is not what mesh_info has returned, or its gather_subset did not hold workloads",
            do="register mesh_info with gather_subset: [workloads], and give the whole of it to the filter",
        )
    unknown = sorted((choice.standing or frozenset()) - set(Standing))
    if unknown:
        raise MeshError(f'"{unknown[0]}" is no standing of a workload.', do=f"choose from {listed(list(Standing), len(Standing))}")
    _check_known(found.get("namespaces"), choice.namespaces or ())
    if (choice.standing or choice.revision) and any(one.get("pods", 0) is None for one in found["workloads"]):
        raise MeshError(
            "What the workloads run is not known.",
            why="the user of mesh_info may not list pods, so that none is not known to be none",
            do="let that user list pods, or ask without standing and revision",
        )
    return sorted((one for one in found["workloads"] if choice.takes(one)), key=lambda one: str(one["path"]))


def _check_known(there: object, asked: Iterable[str]) -> None:
    if not isinstance(there, Sequence):
        return
    unknown = sorted(set(asked) - {one["name"] for one in there})
    if unknown:
        raise MeshError("Some namespaces do not exist.", where=listed(unknown), do="correct the names")
