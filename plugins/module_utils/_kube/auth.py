# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a cluster is reached: the options of kubernetes.core, by the same names, without its guesses."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import typing as t
import urllib.request
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

try:
    import urllib3
    import yaml
    from kubernetes import config as kube_config
    from kubernetes.client import ApiClient, Configuration

    MISSING = ""
except ImportError as problem:  # told when a verb runs, not when Ansible loads the file
    MISSING = str(problem)

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError


def connection(params: Mapping[str, t.Any]) -> ApiClient:
    """A client for the cluster that the options name.

    Nothing named is an error: a ``~/.kube/config`` that nobody asked for, or the cluster that a pod of AWX runs in, is
    never meant. Credentials (exec plugins, OIDC, tokens) are left to ``kubernetes.config``.
    """
    if MISSING:
        raise MeshError("The Python library kubernetes is missing.", why=MISSING, do="pip install 'kubernetes>=33.1' for Ansible's Python")
    settings = Configuration()
    settings.proxy = None
    if params["kubeconfig"] and not _complete(params):
        _load(params["kubeconfig"], params["context"], settings, persist=bool(params["persist_config"]))
    elif not params["host"]:
        raise MeshError(
            "No cluster is given.",
            why="neither host nor kubeconfig is set, and a ~/.kube/config that nobody named does not count",
            do="set kubeconfig (or KUBECONFIG, K8S_AUTH_KUBECONFIG), and context where it holds several",
        )
    _override(params, settings)
    _use_proxy_of_environment(settings)
    return ApiClient(settings)


def _complete(params: Mapping[str, t.Any]) -> bool:
    """Host and login both stand in the options, so that a kubeconfig beside them does not count, as in kubernetes.core."""
    logins = (("api_key",), ("username", "password"), ("client_cert", "client_key"))
    return bool(params["host"]) and any(all(params[name] for name in login) for login in logins)


def sendable(value: str, where: str) -> str:
    """The value, where a header can carry it; the error does not show it, since it may be a secret."""
    if value.isprintable() and value.isascii():
        return value
    raise MeshError(
        "A credential holds characters that cannot be sent.",
        where=where,
        why="a control character (a line break in the middle?) or one beyond ASCII",
        do="correct it: what is printed beside the credential often gets into it",
    )


def _load(kubeconfig: str | dict[str, t.Any], context: str | None, settings: Configuration, *, persist: bool) -> None:
    """``persist`` writes renewed OIDC tokens back into the file; by default nothing of the user's is changed."""
    at = "kubeconfig given as a dictionary" if isinstance(kubeconfig, dict) else str(kubeconfig)
    place = at + (f", context {context}" if context else "")
    try:
        with _failures() as failures:
            if isinstance(kubeconfig, dict):
                kube_config.load_kube_config_from_dict(kubeconfig, context=context, client_configuration=settings)
            else:
                path = os.path.expanduser(kubeconfig)
                if not any(os.path.isfile(part) for part in path.split(os.pathsep)):
                    do = "correct kubeconfig (or KUBECONFIG, K8S_AUTH_KUBECONFIG)"
                    raise MeshError("The kubeconfig does not exist.", where=path, do=do)
                kube_config.load_kube_config(config_file=path, context=context, client_configuration=settings, persist_config=persist)
    except kube_config.ConfigException as problem:
        raise MeshError("The kubeconfig cannot be used.", where=place, why=str(problem), do="correct kubeconfig or context") from problem
    except (yaml.YAMLError, OSError, TypeError, ValueError, AttributeError) as problem:  # its text could hold credentials
        why = f"it is no readable kubeconfig ({type(problem).__name__})"
        raise MeshError("The kubeconfig cannot be used.", where=at, why=why, do="correct kubeconfig") from None
    if failures:
        raise MeshError(
            "The program that logs in to the cluster failed.",
            where=f"{place}, its user's exec",
            why="; ".join(failures),
            do="log in by hand until `kubectl get ns` works with that context, then start the same command again: it goes on where it was",
        )


@contextlib.contextmanager
def _failures() -> Iterator[list[str]]:
    """What the client only logs: it goes on without a login where an exec plugin fails, and every request is refused then."""
    found: list[str] = []
    here = threading.get_ident()

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == here:
                found.append(record.getMessage())

    root, kept = logging.getLogger(), Kept(logging.ERROR)
    root.addHandler(kept)
    try:
        yield found
    finally:
        root.removeHandler(kept)


def _override(params: Mapping[str, t.Any], settings: Configuration) -> None:
    """Options that stand beside a kubeconfig win over it, as in kubernetes.core."""
    if params["host"]:
        settings.host = params["host"].rstrip("/")
    for option, attribute in _ATTRIBUTES.items():
        if params[option] is not None:
            setattr(settings, attribute, params[option])
    token = (params["api_key"] or "").strip()  # of a file, it ends in a line break
    if token:
        settings.api_key = {"authorization": f"Bearer {token}", "BearerToken": f"Bearer {token}"}
        settings.refresh_api_key_hook = None
    headers = {name: value for name, value in (params["proxy_headers"] or {}).items() if value is not None}
    if headers:
        settings.proxy_headers = urllib3.make_headers(**headers)


_ATTRIBUTES = {
    "username": "username",
    "password": "password",
    "ca_cert": "ssl_ca_cert",
    "client_cert": "cert_file",
    "client_key": "key_file",
    "validate_certs": "verify_ssl",
    "proxy": "proxy",
    "no_proxy": "no_proxy",
}


def _use_proxy_of_environment(settings: Configuration) -> None:
    """Where neither option nor kubeconfig says one. Clients up to 33 ignore it, 34 and 35 ignore NO_PROXY (client issue 2460)."""
    address = urlsplit(settings.host)
    if settings.proxy is None and not urllib.request.proxy_bypass(address.hostname or ""):
        settings.proxy = urllib.request.getproxies().get(address.scheme)
