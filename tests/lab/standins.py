# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one process for each pod of a control plane: the pod is Ready exactly while its process answers.

It is the stand-in, or a real istiod where one is given (``real.py``).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from . import real
from .api import STRATEGIC, Api, ApiProblem, Json
from .commands import APPLY, exec_for
from .istiod.versions import version_of
from .stages import CRASH, FAULT, IMAGE_PULL, ISTIOD, NEVER_READY, SLOW_SECONDS, SLOW_START

AGAIN = 0.5  # seconds between the death of a process and the next


class Program(t.Protocol):
    """What runs behind a pod."""

    def start(self) -> subprocess.Popen[str]: ...

    def ports(self, process: subprocess.Popen[str]) -> dict[int, int] | None:
        """Its local ports by those of the pod, when it is ready; None where it ended before."""

    @property
    def loopback(self) -> int:
        """The local port that answers as inside of the pod, when it is ready."""


class Simulated:
    def __init__(self, pod: Json, kubeconfig: Path) -> None:
        metadata = pod["metadata"]
        self._command = [sys.executable, "-m", "tests.lab.istiod", "--kubeconfig", str(kubeconfig)]
        self._command += ["--namespace", metadata["namespace"], "--pod", metadata["name"]]
        self.loopback = 0

    def start(self) -> subprocess.Popen[str]:
        # The pipe to stdin is the process's lifeline: it ends when this process does, whatever happened.
        return subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ports(self, process: subprocess.Popen[str]) -> dict[int, int] | None:
        line = process.stdout.readline() if process.stdout else ""
        said: dict[str, int] = json.loads(line or "{}")
        self.loopback = said.get("loopback", 0)
        return {int(port): local for port, local in said.items() if port.isdigit()} or None


def program(pod: Json, kubeconfig: Path) -> Program:
    image: str = next(one["image"] for one in pod["spec"]["containers"] if one["name"] == "discovery")
    return real.Pilot(pod, version_of(image), kubeconfig) if real.wanted() else Simulated(pod, kubeconfig)


class StandIns:
    """Follows the pods of all control planes and keeps their processes."""

    def __init__(self, api: Api, kubeconfig: Path) -> None:
        self._api, self._kubeconfig = api, kubeconfig
        self._running: dict[str, StandIn] = {}
        self._closed = False
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, daemon=True).start()

    def local_port(self, address: str, port: int) -> int | None:
        with self._lock:
            return next((one.ports[port] for one in self._running.values() if one.address == address and port in one.ports), None)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            running = list(self._running.values())
        for one in running:
            one.close()
        for one in running:
            one.join(3)

    def _follow(self) -> None:
        for event in self._api.watch("/api/v1/pods", labelSelector=f"app={ISTIOD}"):
            pod: Json = event["object"]
            uid = pod["metadata"]["uid"]
            with self._lock:
                if event["type"] == "DELETED" or "deletionTimestamp" in pod["metadata"]:
                    if gone := self._running.pop(uid, None):
                        gone.close()
                elif uid not in self._running and _wants_process(pod) and not self._closed:
                    self._running[uid] = StandIn(self._api, self._kubeconfig, pod)
                    self._running[uid].start()


class StandIn(threading.Thread):
    """One pod's process, started again when it dies, until the pod goes."""

    def __init__(self, api: Api, kubeconfig: Path, pod: Json) -> None:
        super().__init__(daemon=True)
        self._api, self._pod, self._kubeconfig = api, pod, kubeconfig
        metadata = pod["metadata"]
        self.address: str = pod["status"]["podIP"]
        self.ports: dict[int, int] = {}
        self._name = f"{metadata['namespace']}/{metadata['name']}"
        self._status = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        self._slow = _fault(pod) == SLOW_START
        self._over = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        self._over.set()
        self.ports = {}
        if self._process:
            with contextlib.suppress(OSError):
                self._process.terminate()

    def run(self) -> None:
        starts = 0
        if self._slow:
            self._over.wait(SLOW_SECONDS)
        try:
            chosen = program(self._pod, self._kubeconfig)
        except real.RealError as problem:
            _say(f"{self._name}: {problem}")
            return
        while not self._over.is_set():
            self._once(chosen, starts)
            starts += 1
            self._over.wait(AGAIN)

    def _once(self, chosen: Program, restarts: int) -> None:
        process = self._process = chosen.start()
        try:
            ports = chosen.ports(process)
            if ports and not self._over.is_set():
                self.ports = ports
                self._can_be_asked(chosen.loopback)
                self._report(ready=True, restarts=restarts)
                self._until_it_ends(process)
        except ValueError as problem:
            _say(f"{self._name}: it said something else than its ports: {problem}")
        finally:
            self.ports = {}
            process.terminate()
            try:
                process.wait(2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if not self._over.is_set():
            _say(f"{self._name}: its process ended with {process.returncode}, starting it again")
            self._report(ready=False, restarts=restarts)

    def _can_be_asked(self, port: int) -> None:
        """By a command inside of the pod."""
        path, body = exec_for(self._pod, port)
        try:
            self._api.patch(path, body, APPLY, fieldManager="lab", force=True)
        except ApiProblem as problem:
            _say(f"{self._name}: no command can be run in it: {problem}")

    def _until_it_ends(self, process: subprocess.Popen[str]) -> None:
        for _ignored in process.stdout or ():  # a full pipe would block it
            pass
        while not self._over.is_set() and process.poll() is None:
            self._over.wait(0.1)

    def _report(self, *, ready: bool, restarts: int) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        condition = {"status": str(ready), "lastTransitionTime": now, "reason": "" if ready else "ContainersNotReady"}
        state = {"running": {"startedAt": now}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}
        common = {"imageID": "", "ready": ready, "started": ready, "restartCount": restarts, "state": state}
        containers = [{"name": one["name"], "image": one["image"], **common} for one in self._pod["spec"]["containers"]]
        conditions = [{"type": kind, **condition} for kind in ("ContainersReady", "Ready")]
        # The uid: a StatefulSet's pod of the same name may be another one by now.
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": {"conditions": conditions, "containerStatuses": containers}}
        for _attempt in range(5):
            try:
                self._api.patch(self._status, body, STRATEGIC)
                return
            except ApiProblem as problem:
                if problem.status in (404, 409):
                    return
                _say(f"{self._name}: could not report: {problem}")
                self._over.wait(AGAIN)


def _wants_process(pod: Json) -> bool:
    status = pod.get("status", {})
    return status.get("phase") == "Running" and "podIP" in status and _fault(pod) not in (IMAGE_PULL, CRASH, NEVER_READY)


def _fault(pod: Json) -> str | None:
    fault: str | None = (pod["metadata"].get("annotations") or {}).get(FAULT)
    return fault


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
