# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A way to the lab's API server that turns requests away with 429, as an overloaded one does.

The lab's own cannot: its administrators are exempt, and priority and fairness lets a request through wherever no other is being worked on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import urllib3
import yaml

from tests.lab.api import Api
from tests.lab.cluster import Cluster

NOT_PASSED = ("host", "connection", "transfer-encoding", "content-length", "accept-encoding")


class Throttle:
    """How many of the next requests are turned away, and how many have been."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.next = 0
        self.refused: list[str] = []
        self._lock = threading.Lock()

    def turns_away(self, request: str) -> bool:
        with self._lock:
            if not self.next:
                return False
            self.next -= 1
            self.refused.append(request)
            return True


@contextlib.contextmanager
def throttled(lab: Cluster, folder: Path) -> Iterator[Throttle]:
    api = Api(lab.kubeconfig)
    throttle = Throttle(folder / "throttled")

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if throttle.turns_away(f"{self.command} {self.path}"):
                self._turn_away()
                return
            headers = urllib3.HTTPHeaderDict((name, value) for name, value in self.headers.items() if name.lower() not in NOT_PASSED)
            with contextlib.closing(api.pass_on(self.command, self.path, body, headers)) as answer:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    if name.lower() not in NOT_PASSED:
                        self.send_header(name, value)
                if answer.status == HTTPStatus.NOT_MODIFIED:  # has no body, not even an empty one
                    self.end_headers()
                    return
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while data := answer.read1():
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                self.wfile.write(b"0\r\n\r\n")

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass_on

        def _turn_away(self) -> None:
            text = b"Too many requests, please try again later.\n"
            self.send_response(429)
            self.send_header("Retry-After", "1")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """What went through stands in the API server's audit log."""

    with _Server(("127.0.0.1", 0), Requests) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        throttle.kubeconfig.write_text(yaml.safe_dump(_kubeconfig(f"http://127.0.0.1:{server.server_address[1]}")))
        try:
            yield throttle
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away, from a watch for example."""


def _kubeconfig(server: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "lab", "user": {}}],
    }
