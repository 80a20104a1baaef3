# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Contexts of kubeconfigs as hosts: what each is called, which are meant, and which are one cluster. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count

_TAKEN = frozenset({"all", "ungrouped", "localhost", "127.0.0.1", "::1"})
"""What means something else in an inventory: two groups, and the controller itself."""
_LONGEST = 100
"""Characters; a host's name becomes the name of a file (host_vars, fact caches)."""


@dataclass(frozen=True, slots=True)
class KubeContext:
    """A context as far as it says which cluster it leads to. Never with what logs in there."""

    name: str
    file: str
    cluster: str
    server: str
    via: tuple[str, ...] = ()
    """Proxy and TLS name: behind one address they can tell clusters apart."""
    ca: str | None = None
    """A digest of its CA; None where the kubeconfig names none."""
    fault: str = ""
    """Why it cannot be used."""

    @property
    def text(self) -> str:
        return f'"{self.name}" of {self.file}'


def host_name(context: str) -> str:
    """The context's own name where a host can be called so; else the nearest one, with a part of its digest.

    It depends on nothing but the context's name, so that it stays when other contexts come and go, and two names that
    would look the same stay apart. Ansible's host patterns give a meaning to ``: , & ! ~ * ? [ ]`` and blanks, and a slash would
    lead host_vars into another folder.
    """
    name = re.sub(r"[^\w.@-]+", "-", context).strip("-.@")[:_LONGEST]
    if name == context and name.lower() not in _TAKEN:
        return name
    return f"{name or 'context'}-{hashlib.sha256(context.encode(errors='surrogatepass')).hexdigest()[:6]}"


def chosen(contexts: Sequence[KubeContext], include: Sequence[str], exclude: Sequence[str]) -> tuple[KubeContext, ...]:
    """Those that a pattern of ``include`` matches and none of ``exclude``, in the kubeconfig's order. Each of them can be used."""
    found = tuple(c for c in contexts if _matches(c.name, include) and not _matches(c.name, exclude))
    if not found:
        names = ", ".join(c.name for c in contexts) or "none"
        raise MeshError("No context is left.", why=f"the kubeconfig has: {names}", do="correct include and exclude, or kubeconfig")
    faults = [f"{c.text}: {c.fault}" for c in found if c.fault]
    if faults:
        raise MeshError(
            f"{count(len(faults), 'context')} cannot be used.",
            where="; ".join(faults),
            do="correct the kubeconfig, or leave the context out with exclude",
        )
    return found


def idle(patterns: Iterable[str], contexts: Sequence[KubeContext]) -> tuple[str, ...]:
    """Patterns that match no context at all: most likely a typing error."""
    return tuple(pattern for pattern in patterns if not any(_matches(c.name, [pattern]) for c in contexts))


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """A shell's pattern, or exactly the name: ``[1:3]`` as a name is no set of characters."""
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def named(contexts: Sequence[KubeContext], prefix: str) -> dict[str, KubeContext]:
    """Each by the name of its host."""
    hosts: dict[str, KubeContext] = {}
    for context in contexts:
        other = hosts.setdefault(prefix + host_name(context.name), context)
        if other is not context:
            raise MeshError(
                "Two contexts would be the same host.",
                where=f"{other.text} and {context.text}",
                do="rename one of them with `kubectl config rename-context`, or leave it out with exclude",
            )
    return hosts


def check_apart(contexts: Sequence[KubeContext], uids: Mapping[str, str]) -> None:
    """Two hosts that are one cluster would upgrade it twice at the same time. ``uids`` are those that were asked for, by context."""
    found = twins(contexts, uids)
    if found:
        raise MeshError(
            "Several contexts are the same cluster.",
            where="; ".join(" and ".join(f'"{c.name}"' for c in group) for group in found),
            why="; ".join(_why(group, uids) for group in found),
            do="leave all but one out with exclude; if they are clusters of their own, set same_cluster to warn",
        )


def twins(contexts: Sequence[KubeContext], uids: Mapping[str, str]) -> tuple[tuple[KubeContext, ...], ...]:
    """Contexts that lead to one cluster, by UID where it is known, else by address and CA."""
    asked = _groups((c for c in contexts if c.name in uids), lambda c: uids[c.name])
    told = (_by_ca(group) for group in _groups(contexts, lambda c: (c.server, c.via)))
    unasked = [group for groups in told for group in groups if any(c.name not in uids for c in group)]
    return (*asked, *unasked)


def _by_ca(group: tuple[KubeContext, ...]) -> tuple[tuple[KubeContext, ...], ...]:
    """At one address, another CA is another cluster (a tunnel, one at a time); where none is named it may be any."""
    cas = sorted({c.ca for c in group if c.ca})
    if len(cas) < 2:
        return (group,)
    parts = (tuple(c for c in group if c.ca in (ca, None)) for ca in cas)
    return tuple(part for part in parts if len(part) > 1)


def _groups(contexts: Iterable[KubeContext], key: Callable[[KubeContext], object]) -> tuple[tuple[KubeContext, ...], ...]:
    found: dict[object, list[KubeContext]] = defaultdict(list)
    for context in contexts:
        found[key(context)].append(context)
    return tuple(tuple(group) for group in found.values() if len(group) > 1)


def _why(group: Sequence[KubeContext], uids: Mapping[str, str]) -> str:
    first = group[0]
    if all(c.name in uids for c in group):
        return f"the UID of namespace kube-system is {uids[first.name]} there"
    return f"they lead to {first.server}"
