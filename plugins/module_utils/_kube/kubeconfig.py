# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A login for programs beside us (helm): a kubeconfig of the connection that we use ourselves, for as long as it is needed.

So it reaches the same cluster as the same user, however the options named it: by a token alone, by a context, impersonating.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import typing as t
from collections.abc import Iterator, Mapping

if t.TYPE_CHECKING:
    from kubernetes.client import Configuration


@contextlib.contextmanager
def kubeconfig_file(settings: Configuration, user: str | None, groups: tuple[str, ...]) -> Iterator[str]:
    """The path of a file that only this user can read, removed at the end. ``user`` and ``groups`` are impersonated."""
    handle, path = tempfile.mkstemp(prefix="meshops-", suffix=".kubeconfig")  # mode 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump(_content(settings, user, groups), file)
        yield path
    finally:
        os.unlink(path)


def _content(settings: Configuration, user: str | None, groups: tuple[str, ...]) -> dict[str, object]:
    cluster = {
        "server": settings.host,
        "certificate-authority": settings.ssl_ca_cert if settings.verify_ssl else None,
        "insecure-skip-tls-verify": None if settings.verify_ssl else True,
        "tls-server-name": settings.tls_server_name,
        "proxy-url": settings.proxy,
    }
    login = {
        "client-certificate": settings.cert_file,
        "client-key": settings.key_file,
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


def _token(settings: Configuration) -> str | None:
    setting: Mapping[str, t.Any] = settings.auth_settings().get("BearerToken") or {}
    value = str(setting.get("value") or "")
    return value.removeprefix("Bearer ") or None
