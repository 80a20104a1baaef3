# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ports of an istiod, on loopback ports of their own: webhooks (TLS), monitoring, and the plain one that tells readiness."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

JSON, TEXT = "application/json", "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes = b""
    status: int = 200
    content_type: str = TEXT

    @classmethod
    def json(cls, value: object) -> Answer:
        return cls(json.dumps(value).encode(), content_type=JSON)


Route = Callable[[bytes], Answer]
SEVERAL = "/*"
"""At the end of a route: also what comes below it."""
UNAUTHORIZED = Answer(b"Authentication required\n", 401)


def serve(routes: Mapping[str, Route], context: ssl.SSLContext | None = None) -> int:
    """Starts serving and returns the port."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16
        timeout = 300

        def do_GET(self) -> None:
            self._answer(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self._answer(body, self.headers.get("Content-Type") or "")

        def _answer(self, body: bytes, content_type: str = "") -> None:
            answer = _answered(routes, urlsplit(self.path).path, body, content_type)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """The API server's log says enough."""

    server = _Server(("127.0.0.1", 0), Requests)
    if context:
        # Not in the accepting thread: a client that is slow to shake hands must not keep others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_address[1])


def _answered(routes: Mapping[str, Route], path: str, body: bytes, content_type: str) -> Answer:
    """Webhooks look at what they are sent first (pkg/kube/inject/webhook.go, serveInject)."""
    route = routes.get(path)
    if route is None:
        route = next((one for name, one in routes.items() if name.endswith(SEVERAL) and f"{path}/".startswith(name[:-1])), None)
        if route is None:
            return Answer(b"404 page not found\n", 404)
        if not body:
            return Answer(b"no body found\n", 400)
        if content_type != JSON:
            return Answer(b"invalid Content-Type, want `application/json`\n", 415)
    return route(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of ours."""
