# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""An API server that is away for a while: gone, or there and silent."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from .api import ApiProblem
from .cluster import Cluster, ClusterError, alone
from .processes import Process, end, in_folder

API_SERVER = "kube-apiserver"
CONTROLLERS = ("kube-controller-manager", "kube-scheduler")
BACK_SECONDS = 60


@contextlib.contextmanager
def gone(cluster: Cluster) -> Iterator[None]:
    """Every connection is refused. At the end of the block it is back and ready, and so is who could not live without it.

    No cluster is made meanwhile: it could be given the port of this one in the moment before the API server takes it again.
    """
    with alone():
        running = {one: one.arguments() for one in in_folder(cluster.folder, (API_SERVER, *CONTROLLERS))}
        address = urlsplit(cluster.api.server)
        try:
            with socket.socket() as holder:  # bound and not listening: nobody else gets its port meanwhile
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                end((one for one in running if one.name == API_SERVER), grace=0)
                _bind(holder, (address.hostname or "", address.port or 0))
                yield
        finally:
            _start_again(cluster, running, (API_SERVER,))
            _wait_ready(cluster)
            _start_again(cluster, running, CONTROLLERS)


@contextlib.contextmanager
def silent(cluster: Cluster) -> Iterator[None]:
    """Connections are taken, and nothing is answered; what was asked meanwhile is answered at the end of the block."""
    (server,) = in_folder(cluster.folder, (API_SERVER,))
    server.send(signal.SIGSTOP)
    try:
        yield
    finally:
        server.send(signal.SIGCONT)


def _start_again(cluster: Cluster, running: Mapping[Process, Sequence[str]], names: Sequence[str]) -> None:
    """As a kubelet would: controllers end when they cannot renew their lease."""
    for one, command in running.items():
        if one.name in names and not one.alive:
            with (cluster.folder / f"{one.name}.log").open("ab") as log:
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _bind(holder: socket.socket, address: tuple[str, int]) -> None:
    """A process that was killed still has its sockets until the last of its threads is gone."""
    deadline = time.monotonic() + BACK_SECONDS
    while True:
        try:
            holder.bind(address)
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.02)


def _wait_ready(cluster: Cluster) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(ApiProblem):
            cluster.api.get("/readyz")
            return
        time.sleep(0.05)
    raise ClusterError(f"the API server did not come back within {BACK_SECONDS} s; {cluster.folder}/{API_SERVER}.log says why")
