# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's node: what the kubelet and kube-proxy do for control planes. One process per cluster, started by ``cluster.py``."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path

from .api import Api
from .cluster import NODE, NODE_IP, Cluster
from .egress import Services, serve
from .processes import Process, process
from .standins import StandIns

LOOK = 0.5  # seconds between two looks at whether the cluster is still wanted


async def run(cluster: Cluster, kubeconfig: Path, socket: Path, owner: Process | None) -> bool:
    """Until told to end. True where the owner has gone, and the cluster should go with it."""
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    api = Api(kubeconfig)
    standins = StandIns(api, kubeconfig)
    part = socket.with_suffix(".part")

    def local_port(address: str, port: int) -> int | None:
        """The kubelet's own port (logs, exec) is served by kwok on the same number of loopback; a node is called by name or address."""
        return port if address.startswith((NODE, NODE_IP)) else standins.local_port(address, port)

    server = await serve(part, Services(api), local_port)
    part.rename(socket)  # whoever sees the socket may use it
    try:
        while not over.is_set() and _wanted(cluster) and (owner is None or owner.alive):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), LOOK)
    finally:
        server.close()
        await asyncio.to_thread(standins.close)
    return owner is not None and not owner.alive


def _wanted(cluster: Cluster) -> bool:
    try:
        return cluster.node_pid.read_text() in ("", str(os.getpid()))
    except FileNotFoundError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--owner", type=int, help="end the whole cluster when this process has gone")
    options = parser.parse_args()
    cluster = Cluster(options.name)
    owner = process(options.owner) if options.owner else None
    if (options.owner and owner is None) or asyncio.run(run(cluster, options.kubeconfig, options.socket, owner)):
        cluster.stop()


if __name__ == "__main__":
    main()
