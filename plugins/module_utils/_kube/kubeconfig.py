# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login for programs beside us (helm): a kubeconfig of the connection that we use ourselves, for as long as it is needed.

So it reaches the same cluster as the same user, however the options named it: by a token alone, by a context, impersonating.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import signal
import tempfile
import threading
import time
import typing as t
from collections.abc import Iterator, Mapping

if t.TYPE_CHECKING:
    from kubernetes.client import Configuration


_PREFIX, _SUFFIX = "meshops-", ".kubeconfig"
_OLD_SECONDS = 24 * 3600.0


@contextlib.contextmanager
def kubeconfig_file(settings: Configuration, user: str | None, groups: tuple[str, ...]) -> Iterator[str]:
    """The path of a file that only this user can read, gone at the end. ``user`` and ``groups`` are impersonated.

    Where the system can, it is in memory only, and goes with this process however that ends.
    """
    content = json.dumps(_content(settings, user, groups))
    with (_in_memory if _memory_files() else _on_disk)(content) as path:
        yield path


def _memory_files() -> bool:
    return hasattr(os, "memfd_create") and os.path.isdir(f"/proc/{os.getpid()}/fd")


@contextlib.contextmanager
def _in_memory(content: str) -> Iterator[str]:
    with os.fdopen(os.memfd_create("kubeconfig"), "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


@contextlib.contextmanager
def _on_disk(content: str) -> Iterator[str]:
    """Removed at SIGTERM as well; what a SIGKILL left behind goes a day later."""
    _sweep()
    handle, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)  # mode 0600
    try:
        with _exit_on_sigterm(), os.fdopen(handle, "w") as file:
            file.write(content)
            file.flush()
            yield path
    finally:
        os.unlink(path)


def _sweep() -> None:
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*{_SUFFIX}")):
        with contextlib.suppress(OSError):  # another run sweeps as well
            found = os.lstat(path)
            if found.st_uid == os.getuid() and time.time() - found.st_mtime > _OLD_SECONDS:
                os.unlink(path)


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Only the main thread may say what a signal does; elsewhere it stays as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_ignored: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _content(settings: Configuration, user: str | None, groups: tuple[str, ...]) -> dict[str, object]:
    cluster = {
        "server": settings.host,
        "certificate-authority": _absolute(settings.ssl_ca_cert) if settings.verify_ssl else None,
        "insecure-skip-tls-verify": None if settings.verify_ssl else True,
        "tls-server-name": settings.tls_server_name,
        "proxy-url": settings.proxy,
    }
    login = {
        "client-certificate": _absolute(settings.cert_file),
        "client-key": _absolute(settings.key_file),
        "token": _token(settings),
        "username": settings.username or None,
        "password": settings.password or None,
        "as": user,
        "as-groups": list(groups) or None,
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": _given(cluster)}],
        "users": [{"name": "user", "user": _given(login)}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }


def _given(values: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in values.items() if value is not None}


def _absolute(path: str | None) -> str | None:
    """A kubeconfig's own relative paths are relative to itself."""
    return os.path.abspath(path) if path else None


def _token(settings: Configuration) -> str | None:
    setting: Mapping[str, t.Any] = settings.auth_settings().get("BearerToken") or {}
    value = str(setting.get("value") or "")
    return value.removeprefix("Bearer ").strip() or None
