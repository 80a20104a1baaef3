# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way from the API server into the cluster: an HTTP CONNECT proxy that knows Services and ready endpoints as kube-proxy does."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from .api import Api, Json

Address = tuple[str, int]
SERVICE_OF = "kubernetes.io/service-name"


class Services:
    """Services and their endpoints, kept up to date by two watches."""

    def __init__(self, api: Api) -> None:
        self._services: dict[str, Json] = {}
        self._slices: dict[str, Json] = {}
        self._lock = threading.Lock()
        for path, mirror in (("/api/v1/services", self._services), ("/apis/discovery.k8s.io/v1/endpointslices", self._slices)):
            threading.Thread(target=self._follow, args=(api, path, mirror), daemon=True).start()

    def endpoint(self, host: str, port: int) -> Address | None:
        """Where a connection goes: one of the ready pods of a ClusterIP, None if it has none; other addresses are taken as they are."""
        with self._lock:
            service = next((one for one in self._services.values() if one["spec"].get("clusterIP") == host), None)
            if service is None:
                return host, port
            return _choose(service, port, list(self._slices.values()))

    def _follow(self, api: Api, path: str, mirror: dict[str, Json]) -> None:
        for event in api.watch(path):
            metadata = event["object"]["metadata"]
            with self._lock:
                if event["type"] == "DELETED":
                    mirror.pop(metadata["uid"], None)
                else:
                    mirror[metadata["uid"]] = event["object"]


def _choose(service: Json, port: int, slices: list[Json]) -> Address | None:
    metadata = service["metadata"]
    name = next((one.get("name", "") for one in service["spec"].get("ports", []) if one["port"] == port), None)
    ready = [
        (address, target["port"])
        for one in slices
        if one["metadata"]["namespace"] == metadata["namespace"] and one["metadata"].get("labels", {}).get(SERVICE_OF) == metadata["name"]
        for target in one.get("ports") or ()
        if (target.get("name") or "") == name
        for endpoint in one.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready", True)
        for address in endpoint["addresses"]
    ]
    return random.choice(ready) if ready else None


async def serve(socket: Path, services: Services, local_port: Callable[[str, int], int | None]) -> asyncio.Server:
    """``local_port`` tells the loopback port at which a pod's stand-in serves what the pod would at its IP and port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError, asyncio.IncompleteReadError):
            await _connect(reader, writer, services, local_port)
        writer.close()

    return await asyncio.start_unix_server(answer, socket)


async def _connect(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, services: Services, local_port: Callable[[str, int], int | None]
) -> None:
    request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    method, target, _version = request.split("\r\n", 1)[0].split(" ")
    host, _colon, port = target.rpartition(":")
    endpoint = services.endpoint(host.strip("[]"), int(port)) if method == "CONNECT" else None
    local = local_port(*endpoint) if endpoint else None
    try:
        if local is None:
            raise ConnectionRefusedError(f"no ready endpoint for {target}")
        remote_reader, remote_writer = await asyncio.open_connection("127.0.0.1", local)
    except OSError as problem:
        print(f"egress: {target} refused: {problem}", file=sys.stderr, flush=True)
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    await _join(reader, writer, remote_reader, remote_writer)


async def _join(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamReader, far_writer: asyncio.StreamWriter
) -> None:
    """Until either side ends: a stand-in that went must be seen by the API server at once."""
    directions = [asyncio.create_task(_copy(reader, far_writer)), asyncio.create_task(_copy(far, writer))]
    try:
        await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in directions:
            one.cancel()
        far_writer.close()


async def _copy(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            to.write(data)
            await to.drain()
