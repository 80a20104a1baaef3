# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real Istio in place of the stand-in, where ``LAB_ISTIO_BIN`` names a folder with ``VERSION/{istioctl,pilot-discovery}``."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import typing as t
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path

from .api import Json

VARIABLE = "LAB_ISTIO_BIN"
PROGRAMS = ("istioctl", "pilot-discovery")
READY_SECONDS = 120
PORTS = {"--httpsAddr": 15017, "--monitoringAddr": 15014, "--httpAddr": 8080, "--grpcAddr": 15010, "--secureGRPCAddr": 15012}
"""The flag for each port that a pod of istiod has. Its debugging port, ``--ctrlz_port``, is nobody's business."""
ELSEWHERE = ("KUBECONFIG",)
"""What the chart says for the inside of a container only."""


class RealError(Exception):
    """The folder is not as it should be; the message says what is missing."""


def wanted() -> bool:
    return bool(os.environ.get(VARIABLE))


def program(name: str, version: str) -> Path:
    """One of a version. There is no falling back to the stand-in: what was judged must be what was named."""
    path = Path(os.environ[VARIABLE], version, name).absolute()
    if not os.access(path, os.X_OK):
        raise RealError(f"{VARIABLE}: there is no {path}; put {' and '.join(PROGRAMS)} of {version} there, or unset the variable")
    return path


def istioctl(version: str, arguments: Iterable[str], kubeconfig: Path | None = None, text: str | None = None) -> str:
    login = ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    command = [str(program("istioctl", version)), *arguments, *login]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RealError(f"istioctl {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Pilot:
    """The ``pilot-discovery`` behind one pod, on loopback ports of its own."""

    def __init__(self, pod: Json, version: str, kubeconfig: Path) -> None:
        self._name: str = pod["metadata"]["name"]
        self._program = program("pilot-discovery", version)
        self._kubeconfig = kubeconfig
        self._folder = kubeconfig.parent / "istiod" / self._name
        self._environment = environment(pod)
        self._ports: dict[int, int] = {}

    @property
    def loopback(self) -> int:
        return self._ports[15014]

    def start(self) -> subprocess.Popen[str]:
        self._folder.mkdir(parents=True, exist_ok=True)  # its files are looked for in the working directory: there are none
        *served, debugging = _free(len(PORTS) + 1)
        self._ports = dict(zip(PORTS.values(), served, strict=True))
        flags = [f"{flag}=127.0.0.1:{self._ports[port]}" for flag, port in PORTS.items()]
        command = [str(self._program), "discovery", "--kubeconfig", str(self._kubeconfig), *flags, f"--ctrlz_port={debugging}"]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
            )

    def ports(self, process: subprocess.Popen[str]) -> dict[int, int] | None:
        """By the port of the pod, as soon as it is ready; None where it ended before."""
        deadline = time.monotonic() + READY_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self._ports[8080]}/ready", timeout=2).close()
                return self._ports
            time.sleep(0.1)
        return None


def environment(pod: Json) -> dict[str, str]:
    """What the container is given, as far as it makes sense outside of one."""
    metadata = pod["metadata"]
    container = next(one for one in pod["spec"]["containers"] if one["name"] == "discovery")
    given: Mapping[str, str] = {one["name"]: one["value"] for one in container.get("env") or () if one.get("value")}
    named = {
        "POD_NAME": metadata["name"],
        "POD_NAMESPACE": metadata["namespace"],
        "SERVICE_ACCOUNT": pod["spec"].get("serviceAccountName", ""),
    }
    ours = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**ours, **{name: value for name, value in given.items() if name not in ELSEWHERE}, **named}


def _free(number: int) -> list[int]:
    """Ports that nobody has now; whoever is faster makes the program end, and it is started again with others."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _number in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(t.cast("tuple[str, int]", one.getsockname())[1]) for one in sockets]
