# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kubeconfig files as their contexts, merged as kubectl merges them. Nothing that logs in leaves this file."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import os
import typing as t
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

with contextlib.suppress(ImportError):  # a dependency of kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._mesh.contexts import KubeContext
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

_KINDS = {"contexts": "context", "clusters": "cluster", "users": "user"}
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Merged:
    """What several files say together."""

    files: tuple[str, ...]
    contexts: tuple[KubeContext, ...]
    hidden: tuple[str, ...]
    """Each entry that an earlier file hides, as a sentence."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One item of a kubeconfig's lists, and the file that it is from: relative paths in it are relative to that."""

    file: str
    body: Mapping[str, t.Any]


_Entries = dict[str, dict[str, _Entry]]


def read(paths: Sequence[str]) -> Merged:
    """The first that names a context, a cluster or a user wins; files that are not there do not count, as long as one is."""
    files = tuple(path for path in paths if Path(path).is_file())
    if not files:
        where = os.pathsep.join(paths)
        raise MeshError("The kubeconfig does not exist.", where=where, do="correct kubeconfig (or KUBECONFIG, K8S_AUTH_KUBECONFIG)")
    entries: _Entries = {kind: {} for kind in _KINDS}
    hidden = []
    for file in files:
        for kind, name, entry in _entries(file):
            first = entries[kind].setdefault(name, entry)
            if first is not entry and first.body != entry.body:
                hidden.append(f'{_KINDS[kind].capitalize()} "{name}" of {file} does not count: {first.file} has another one of that name.')
    contexts = tuple(_context(name, entry, entries) for name, entry in entries["contexts"].items())
    return Merged(files, contexts, tuple(hidden))


def _entries(file: str) -> Iterator[tuple[str, str, _Entry]]:
    try:
        found = yaml.safe_load(Path(file).read_text())
    except (OSError, ValueError, yaml.YAMLError) as problem:  # its text could hold credentials
        raise _unreadable(file, f"it is no readable kubeconfig ({type(problem).__name__})") from None
    if not isinstance(found, dict):
        raise _unreadable(file, "it holds no kubeconfig")
    for kind, noun in _KINDS.items():
        seen = set()
        for item in found.get(kind) or ():
            name = item.get("name") if isinstance(item, dict) else None
            body = item.get(noun) if isinstance(item, dict) else None
            if not isinstance(name, str) or not name:
                raise _unreadable(file, f"the name of a {noun} is no text: {name!r}; quote it" if name else f"a {noun} has no name")
            if name in seen:
                raise _unreadable(file, f'it has two of {kind} called "{name}"')
            seen.add(name)
            yield kind, name, _Entry(file, body if isinstance(body, dict) else {})


def _unreadable(file: str, why: str) -> MeshError:
    return MeshError("The kubeconfig cannot be used.", where=file, why=why, do="correct it, or leave it out of kubeconfig")


def _context(name: str, entry: _Entry, entries: _Entries) -> KubeContext:
    cluster_name, user = (str(entry.body.get(noun) or "") for noun in ("cluster", "user"))
    cluster = entries["clusters"].get(cluster_name)
    fault = ""
    if cluster is None:
        fault = f'there is no cluster "{cluster_name}"'
    elif user and user not in entries["users"]:
        fault = f'there is no user "{user}"'
    body = cluster.body if cluster else {}
    server = _address(str(body.get("server") or ""))
    if not fault and not server:
        fault = f'cluster "{cluster_name}" has no server that can be read'
    return KubeContext(
        name=name,
        file=entry.file,
        cluster=cluster_name,
        server=server,
        via=tuple(str(body.get(key) or "") for key in ("proxy-url", "tls-server-name")),
        ca=_ca(cluster) if cluster else None,
        fault=fault,
    )


def _address(server: str) -> str:
    """One form for what means the same, and without a user and password that may stand in it. Empty for what is no URL."""
    try:
        url = urlsplit(server)
        port = url.port or _PORTS[url.scheme]
    except (ValueError, KeyError):
        return ""
    host = url.hostname or ""
    return f"{url.scheme}://{f'[{host}]' if ':' in host else host}:{port}{url.path.rstrip('/')}" if host else ""


def _ca(cluster: _Entry) -> str | None:
    body = cluster.body
    if body.get("insecure-skip-tls-verify"):
        return None
    with contextlib.suppress(OSError, ValueError, TypeError, binascii.Error):
        if body.get("certificate-authority-data"):
            return _digest(base64.b64decode(body["certificate-authority-data"]))
        if body.get("certificate-authority"):
            return _digest((Path(cluster.file).parent / body["certificate-authority"]).read_bytes())
    return None


def _digest(certificates: bytes) -> str:
    return hashlib.sha256(certificates.strip()).hexdigest()
