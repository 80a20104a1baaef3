# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is upgraded to, from where, and which namespaces move together. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Sequence
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    DATAPLANE_MODE,
    INJECTION,
    SCRATCH,
    Asks,
    Namespace,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot

Wave: t.TypeAlias = "Sequence[str] | str"
"""Namespaces by name, or a label selector as ``kubectl -l`` takes it."""


@dataclass(frozen=True, slots=True)
class Target:
    revision: str
    version: str | None
    come_from: str | None
    """The old revision, where the user says it."""
    waves: tuple[Wave, ...]
    exclude: frozenset[str]
    istio_namespace: str
    brings: tuple[Injector, ...] | None = None
    """The injectors that installing it would make, as they are rendered; None where nothing is installed."""
    release: str | None = None
    """The helm release that it is installed as."""
    choices: Choices = field(default_factory=Choices)
    settings: Settings | None = None
    """Of its injector, as they are rendered; None for those of Istio's chart."""


def old_revision(before: Snapshot, target: Target, named: Sequence[str]) -> tuple[str | None, Finding | None]:
    """The revision that is left: the one that the user names, or the only one besides the target that injects.

    Where the waves name namespaces, only what these get counts.
    """
    found = sorted({i.revision for i in before.injectors if not i.disabled} - {target.revision})
    if target.come_from:
        if target.come_from in found:
            return target.come_from, None
        there = ", ".join(found) or "none"
        return None, blocker(
            Topic.WAVES,
            f'There is no control plane "{target.come_from}" to come from.',
            where=f"there are: {there}",
            do="correct mesh_from",
        )
    known = [name for name in named if name in before.namespace]
    serving = sorted({r for r in found if (set(before.may_need(r)) & set(known) if known else before.may_need(r))}) or found
    if len(serving) == 1:
        return serving[0], None
    if not serving and any(i.revision == target.revision for i in before.injectors):
        return None, None  # the old one is gone already: nothing is left to come from
    if not serving:
        return None, blocker(
            Topic.WAVES,
            "There is no control plane to upgrade from.",
            why="no MutatingWebhookConfiguration of another revision injects anything here",
            do="check that this is the cluster that was meant; a first installation needs no canary upgrade",
        )
    return None, blocker(
        Topic.WAVES, "Several revisions could be the old one.", where=", ".join(serving), do=f"name it: mesh_from={serving[0]}"
    )


def named_waves(before: Snapshot, target: Target) -> tuple[tuple[tuple[str, ...], ...], list[Finding]]:
    """The waves as the user names them, by names or selectors, and what is wrong with them, or with what is left out of them."""
    blockers: list[Finding] = []
    unknown = sorted(target.exclude - before.namespace.keys())
    if unknown:
        blockers.append(
            blocker(
                Topic.WAVES,
                "Some namespaces that are to be left out do not exist.",
                where=f"mesh_exclude: {', '.join(unknown)}",
                why="under another name they would move with the rest",
                do="correct the names, or take them out of mesh_exclude, which each host of the inventory may have for itself",
            )
        )
    waves = tuple(_wave(before, wave, number, target, blockers) for number, wave in enumerate(target.waves, start=1))
    names = [name for wave in waves for name in wave]
    for name in sorted({name for name in names if names.count(name) > 1}):
        numbers = " and ".join(str(number) for number, wave in enumerate(waves, start=1) if name in wave)
        blockers.append(
            blocker(Topic.WAVES, f'Namespace "{name}" is in two waves.', where=f"mesh_waves: {numbers}", do="leave it in one of them")
        )
    return waves, blockers


def default_waves(before: Snapshot, target: Target, old: str | None) -> tuple[tuple[str, ...], ...]:
    """One wave with all that the old control plane injects by its own name; followers of a tag are moved only when they are named."""
    wave = tuple(sorted(n.name for n in before.namespaces if old and _belongs(before, n, old) and _allowed(n, target)))
    return (wave,) if wave else ()


def _belongs(before: Snapshot, namespace: Namespace, old: str) -> bool:
    if not before.gets(namespace.name).may_get(old):
        return False
    asks = namespace.asks
    return asks.injection is not None or asks.revision in (old, DEFAULT)


def _allowed(namespace: Namespace, target: Target) -> bool:
    """Whether a wave that names no namespaces may take it: never what opts out, nor what belongs to the cluster itself."""
    own = namespace.name == target.istio_namespace or namespace.name.startswith("kube-") or SCRATCH in namespace.labels
    return not (own or namespace.name in target.exclude or namespace.deleting or refuses(namespace))


def refuses(namespace: Namespace) -> str:
    """The label by which a namespace keeps sidecars out, empty where there is none."""
    if namespace.asks.injection not in (None, "enabled"):
        return f"{INJECTION}={namespace.asks.injection}"
    return f"{DATAPLANE_MODE}=ambient" if namespace.labels.get(DATAPLANE_MODE) == "ambient" else ""


def _wave(before: Snapshot, wave: Wave, number: int, target: Target, blockers: list[Finding]) -> tuple[str, ...]:
    where = f"mesh_waves, wave {number}"
    if isinstance(wave, str):
        selector = parse(wave)
        asking = (n for n in before.namespaces if selector.matches(n.labels) and n.asks != Asks() and _allowed(n, target))
        names = tuple(sorted(namespace.name for namespace in asking))
        why = f'no namespace here that asks for a sidecar matches "{wave}"'
    else:
        names, why = tuple(name for name in wave if name not in target.exclude), "it names no namespace"
    missing = [name for name in names if name not in before.namespace]
    if missing:
        blockers.append(
            blocker(
                Topic.WAVES,
                "Some namespaces do not exist.",
                where=f"{where}: {', '.join(missing)}",
                do="correct the names, or create them first",
            )
        )
    refusing = {name: refuses(before.namespace[name]) for name in names if name in before.namespace}
    blockers += [_refusing(name, label, where) for name, label in refusing.items() if label]
    if not names:
        blockers.append(blocker(Topic.WAVES, "A wave is empty.", where=where, why=why, do="correct the wave, or leave it out"))
    return names


def _refusing(name: str, label: str, where: str) -> Finding:
    return blocker(
        Topic.WAVES,
        f'Namespace "{name}" keeps sidecars out.',
        where=f"{where}: label {label}",
        why="the move would give its pods sidecars against that",
        do=f"take it out of the wave, or remove the label first: kubectl label namespace {name} {label.split('=')[0]}-",
    )
