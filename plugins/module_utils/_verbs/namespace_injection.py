# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Move namespaces from one injector to another, each in one patch that records the way back; or take that way back."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import all_namespaces, relabel
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import all_injectors
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Move, Namespace, move_to, restore
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import check_revision
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context, Difference, Result, Verb

SPEC: dict[str, t.Any] = {
    "state": {"type": "str", "choices": ["present", "restored"], "default": "present"},
    "namespaces": {"type": "list", "elements": "str"},
    "revision": {"type": "str"},
}


@dataclass(frozen=True, slots=True)
class Options:
    restored: bool
    namespaces: tuple[str, ...] | None
    revision: str

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Options:
        restored = params["state"] == "restored"
        names = params["namespaces"]
        if not restored and not (names and params["revision"]):
            raise MeshError("namespaces and revision are needed.", where="state present", do="say which namespaces move, and where to")
        if not restored:
            check_revision(params["revision"])
        return cls(restored, None if names is None else tuple(names), params["revision"] or "")


def run(options: Options, context: Context) -> Result:
    known = {namespace.name: namespace for namespace in all_namespaces(context.cluster)}
    names = options.namespaces if options.namespaces is not None else tuple(sorted(n.name for n in known.values() if n.prior))
    unknown = [name for name in names if name not in known]
    if unknown and not options.restored:
        raise MeshError("Some namespaces do not exist.", where=", ".join(unknown), do="correct the names, or create the namespaces first")
    if not options.restored and not context.check_mode:
        _served(options.revision, context)
    decide: Callable[[Namespace], Move] = restore if options.restored else lambda namespace: move_to(namespace, options.revision)
    here = [known[name] for name in names if name in known]
    moves = [relabel(context.cluster, namespace, decide) for namespace in here if decide(namespace).needed]
    return Result(
        msg=_sentence(options, moves, here),
        differences=tuple(Difference(f"namespace/{m.namespace.name}", _labels(m.namespace.asks), _labels(m.then)) for m in moves),
        facts={"namespaces": [n.name for n in here if n.prior or not options.restored]},
        warnings=tuple(f'Namespace "{name}" is gone; it is left out.' for name in unknown),
    )


def _served(revision: str, context: Context) -> None:
    """A label that no injector serves takes the sidecars away, silently: pods are created without one."""
    served = sorted({injector.alias for injector in all_injectors(context.cluster) if not injector.disabled})
    if revision not in served:
        raise MeshError(
            f'No injector here serves revision "{revision}".',
            where=f"there are: {', '.join(served) or 'none'}",
            why="new pods in these namespaces would get no sidecar",
            do="install the control plane first, or correct the revision",
        )


def _labels(asks: Asks) -> dict[str, str]:
    return {key: value for key, value in asks.labels().items() if value is not None}


def _sentence(options: Options, moves: list[Move], here: Iterable[Namespace]) -> str:
    verb = "get their former labels back" if options.restored else f"move to {options.revision}"
    return f"{len(moves)} of {len(tuple(here))} namespaces {verb}"


VERB = Verb("namespace_injection", SPEC, Options.of, run)
