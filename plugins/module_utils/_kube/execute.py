# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command in a container, over a websocket of the API server: what it prints. The one thing that HTTP requests cannot do.

Source: Kubernetes' protocol ``v4.channel.k8s.io``: each message begins with the number of a stream, and the last one is a Status.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import websocket

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json

_PROTOCOL = "v4.channel.k8s.io"
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_CONNECT_SECONDS, _SILENT_SECONDS = 10, 30


def output(cluster: Cluster, namespace: str, pod: str, container: str, command: Sequence[str]) -> bytes:
    """Raises ApiError where the API server refuses it, or the command fails. It may be run once only: nothing is sent twice."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", word) for word in command)]
    address = urlsplit(cluster.host)
    scheme = "wss" if address.scheme == "https" else "ws"
    url = f"{scheme}://{address.netloc}{address.path.rstrip('/')}{path}?{urlencode(query)}"
    try:
        stream = websocket.create_connection(
            url,
            timeout=_CONNECT_SECONDS,
            header=cluster.login(),
            subprotocols=[_PROTOCOL],
            sslopt=_trust(cluster),
            enable_multithread=False,
            **_proxy(cluster),
        )
        with contextlib.closing(stream):
            stream.settimeout(_SILENT_SECONDS)
            return _read(stream, path)
    except websocket.WebSocketBadStatusException as problem:
        raise ApiError(problem.status_code, "", _message(problem), "GET", path) from problem
    except (websocket.WebSocketException, OSError, ValueError) as problem:
        raise ApiError(0, "", str(problem), "GET", path) from problem


def _read(stream: websocket.WebSocket, path: str) -> bytes:
    streams = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    while True:
        kind, message = stream.recv_data()
        if kind == websocket.ABNF.OPCODE_CLOSE:
            break
        if message and message[0] in streams:
            streams[message[0]] += message[1:]
    status = read_json(bytes(streams[_STATUS]) or b"{}")
    if status.get("status") != "Success":
        said = bytes(streams[_STDERR]).decode(errors="replace").strip() or status.get("message") or "it broke off"
        raise ApiError(500, "", f"the command failed: {said[:300]}", "GET", path)
    return bytes(streams[_STDOUT])


def _message(problem: websocket.WebSocketBadStatusException) -> str:
    """What the API server says, in its own words where it says any."""
    body = getattr(problem, "resp_body", None) or b""
    with contextlib.suppress(ValueError, AttributeError):
        return str(read_json(body).get("message") or problem)
    return str(problem)


def _trust(cluster: Cluster) -> dict[str, t.Any]:
    """As the client has it for its own requests."""
    settings = cluster.settings
    options: dict[str, t.Any] = {"cert_reqs": 2 if settings.verify_ssl else 0}  # ssl.CERT_REQUIRED, ssl.CERT_NONE
    named = {
        "ca_certs": settings.ssl_ca_cert,
        "certfile": settings.cert_file,
        "keyfile": settings.key_file,
        "server_hostname": getattr(settings, "tls_server_name", None),
    }
    if settings.verify_ssl and settings.assert_hostname is not None:
        options["check_hostname"] = bool(settings.assert_hostname)
    if not settings.verify_ssl:
        options["check_hostname"] = False
    return options | {name: value for name, value in named.items() if value}


def _proxy(cluster: Cluster) -> dict[str, t.Any]:
    settings = cluster.settings
    if not settings.proxy:
        return {"http_no_proxy": ["*"]}  # what the environment says has been asked already
    address = urlsplit(settings.proxy)
    login = (address.username, address.password or "") if address.username else None
    around = {"http_no_proxy": settings.no_proxy.split(",")} if settings.no_proxy else {}
    return {"http_proxy_host": address.hostname, "http_proxy_port": address.port or 80, "http_proxy_auth": login, **around}
