# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One cluster of the lab: real Kubernetes programs on loopback, simulated nodes, and a folder that holds everything it made."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import yaml

from .api import Api, Json
from .build import NAMES, binaries, kubernetes_version
from .commands import EXEC, commands
from .processes import Process, end, in_folder
from .stages import stages

CHECKOUT = Path(__file__).resolve().parents[2]
NODES = 3
LONGEST_SOCKET = 100  # the kernel takes 107 bytes
NODE = "node-"
NODE_IP = "192.0.2."  # of the range for documentation: nothing real answers there
MODULES = ("tests.lab.node", "tests.lab.istiod")
# kwokctl runs kwok under another name. Not kubectl and helm: those with our kubeconfig are the user's.
PROGRAMS = (*(name for name in NAMES if name not in ("kubectl", "helm")), "kwok-controller", "pilot-discovery", *MODULES)


class ClusterError(Exception):
    """The cluster did not start; the message ends with what its programs said."""


class Cluster:
    """A cluster by name. It lives in its folder and its processes, not in this object: any program may come back to it by name."""

    def __init__(self, name: str = "lab") -> None:
        self.name = name
        self.folder = Path(os.environ.get("MESHOPS_LAB_DIR") or CHECKOUT / ".lab").absolute() / name
        self.kubeconfig = self.folder / "kubeconfig"
        self._children: list[subprocess.Popen[bytes]] = []

    @cached_property
    def api(self) -> Api:
        return Api(self.kubeconfig)

    @property
    def node_pid(self) -> Path:
        """The node process ends when this file goes."""
        return self.folder / "node.pid"

    @property
    def audit_log(self) -> Path:
        """What was written to the API server: one JSON event a line, there before the answer is."""
        return self.folder / "kwok" / "clusters" / self.name / "logs" / "audit.log"

    @property
    def _record(self) -> Path:
        return self.folder / "processes.json"

    def processes(self) -> tuple[Process, ...]:
        """What ``start`` recorded, whether it still lives or not. Empty for a cluster that is not there."""
        try:
            return tuple(Process(**item) for item in json.loads(self._record.read_text())["processes"])
        except (OSError, ValueError):
            return ()

    def running(self) -> bool:
        recorded = self.processes()
        return bool(recorded) and all(one.alive for one in recorded)

    def start(self, *, owned: bool = False) -> None:
        """Up and with ready nodes on return; nothing is left of it where that fails or is interrupted.

        An ``owned`` cluster goes by itself when the calling process has gone, however that ended.
        """
        if self.running():
            return
        self.stop()
        programs = binaries()
        self.folder.mkdir(parents=True)
        try:
            socket = self._socket(owned)
            self._write_configuration(socket)
            self._create(programs)
            self._create_nodes()
            self._start_node(socket, owned)
            found = {one.pid: one for one in in_folder(self.folder, PROGRAMS)}
            self._write_record(tuple(found.values()), socket, owned)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End what this cluster started, exactly that, and remove its folder. Nothing happens where there is nothing."""
        if not self.folder.exists():
            return
        self.node_pid.unlink(missing_ok=True)
        started = [one for one in (*self.processes(), *in_folder(self.folder, PROGRAMS)) if one.pid != os.getpid()]
        nodes = [child.pid for child in self._children]
        end((one for one in started if one.pid in nodes or one.name.startswith("python")), grace=3)
        end(started, grace=0)  # its state goes with it: there is nothing to shut down in order
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1)
        self._children.clear()
        end(in_folder(self.folder, PROGRAMS), grace=0)
        with contextlib.suppress(OSError, ValueError, KeyError):
            socket = Path(json.loads(self._record.read_text())["socket"])
            if socket.parent != self.folder:
                shutil.rmtree(socket.parent, ignore_errors=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.__dict__.pop("api", None)

    def environment(self) -> dict[str, str]:
        """For kubectl, helm and kwokctl: the lab's programs first, and every file that they write inside the folder."""
        return os.environ | {
            "PATH": f"{binaries()}:{os.environ.get('PATH', '')}",
            "KUBECONFIG": str(self.kubeconfig),
            "KWOK_WORKDIR": str(self.folder / "kwok"),
            "HELM_CACHE_HOME": str(self.folder / "helm" / "cache"),
            "HELM_CONFIG_HOME": str(self.folder / "helm" / "config"),
            "HELM_DATA_HOME": str(self.folder / "helm" / "data"),
        }

    def _socket(self, owned: bool) -> Path:
        path = self.folder / "egress.sock"
        if len(os.fsencode(path)) > LONGEST_SOCKET:
            path = Path(tempfile.mkdtemp(prefix="lab-")) / "egress.sock"
        self._write_record((), path, owned)
        return path

    def _write_record(self, processes: tuple[Process, ...], socket: Path, owned: bool) -> None:
        text = json.dumps({"socket": str(socket), "owned": owned, "processes": [asdict(one) for one in processes]})
        part = self._record.with_suffix(".part")
        part.write_text(text)
        part.rename(self._record)

    def _write_configuration(self, socket: Path) -> None:
        programs = binaries()
        egress = self.folder / "egress.yaml"
        egress.write_text(yaml.safe_dump(_egress(socket)))
        audit = self.folder / "audit.yaml"
        audit.write_text(yaml.safe_dump(_audit()))
        commands(self.folder / "bin")
        (self.folder / "kwok.yaml").write_text(yaml.safe_dump_all([_kwokctl(programs, egress, audit), *stages()], sort_keys=False))

    def _create(self, programs: Path) -> None:
        command = [str(programs / "kwokctl"), "--config", str(self.folder / "kwok.yaml"), "--name", self.name, "create", "cluster"]
        command += ["--runtime", "binary", "--kubeconfig", str(self.kubeconfig), "--disable-qps-limits", "--wait", "60s"]
        log = self.folder / "kwokctl.log"
        with log.open("wb") as out, alone():
            # A session of its own: Ctrl-C comes to us alone, and we clean up.
            environment = self.environment()
            environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"  # there kwok finds what is run in a pod
            child = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=self.folder, start_new_session=True)
            self._children.append(child)
            code = child.wait()
        if code or not self.kubeconfig.exists():
            raise ClusterError(f"kwokctl ended with {code}:\n{_tail(log)}")

    def _create_nodes(self) -> None:
        for number in range(NODES):
            self.api.post("/api/v1/nodes", _node(number, kubernetes_version()))

        def ready(nodes: list[Json]) -> bool:
            return len(nodes) >= NODES and all(condition(node, "Ready") for node in nodes)

        self.api.until("/api/v1/nodes", ready, timeout=60, what="the nodes to be ready")
        account = "/api/v1/namespaces/default/serviceaccounts"  # pods are refused until it is there
        self.api.until(account, bool, timeout=60, what="the first service account", fieldSelector="metadata.name=default")

    def _start_node(self, socket: Path, owned: bool) -> None:
        command = [sys.executable, "-m", "tests.lab.node", "--kubeconfig", str(self.kubeconfig), "--name", self.name]
        command += ["--socket", str(socket), *(["--owner", str(os.getpid())] if owned else [])]
        log = self.folder / "node.log"
        self.node_pid.touch()  # before it looks
        with log.open("wb") as out:
            child = subprocess.Popen(
                command, cwd=CHECKOUT, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self._children.append(child)
        self.node_pid.write_text(str(child.pid))
        _wait_for(lambda: socket.exists() or child.poll() is not None, 20)
        if not socket.exists():
            raise ClusterError(f"the node process did not start:\n{_tail(log)}")


@contextlib.contextmanager
def alone() -> t.Iterator[None]:
    """kwokctl looks for ports that are free now, and its programs take them later: two at a time would find the same."""
    with Path(tempfile.gettempdir(), f"meshops-lab-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def clusters() -> tuple[str, ...]:
    """Names of all clusters that stand for themselves; those of a test run or a demo go with their owner."""
    records = Cluster("x").folder.parent.glob("*/processes.json")
    return tuple(sorted(path.parent.name for path in records if not json.loads(path.read_text())["owned"]))


def condition(item: Json, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in item.get("status", {}).get("conditions", []))


def _egress(socket: Path) -> Json:
    """Every call from the API server into the cluster (webhooks, proxy requests) arrives on this socket."""
    transport = {"uds": {"udsName": str(socket)}}
    return {
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [{"name": "cluster", "connection": {"proxyProtocol": "HTTPConnect", "transport": transport}}],
    }


def _audit() -> Json:
    """Every write that is not the cluster's own, so that a test can count what the tool has written."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            {"level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"]},
            {"level": "None", "users": ["system:kube-controller-manager", "system:kube-scheduler", "system:apiserver"]},
            {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        ],
    }


def _kwokctl(programs: Path, egress: Path, audit: Path) -> Json:
    named = {
        "etcdBinary": "etcd",
        "kubeApiserverBinary": "kube-apiserver",
        "kubeControllerManagerBinary": "kube-controller-manager",
        "kubeSchedulerBinary": "kube-scheduler",
        "kwokControllerBinary": "kwok",
        "kubectlBinary": "kubectl",
    }
    extra = {
        "egress-selector-config-file": str(egress),
        "service-cluster-ip-range": "10.96.0.0/16",  # the default, 10.0.0.0/24, holds 254 Services
    }
    return {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokctlConfiguration",
        "options": {"bindAddress": "127.0.0.1", "runtime": "binary", "kubeAuditPolicy": str(audit), "enableCRDs": [EXEC]}
        | {option: str(programs / name) for option, name in named.items()},
        "componentsPatches": [{"name": "kube-apiserver", "extraArgs": [{"key": key, "value": value} for key, value in extra.items()]}],
    }


def _node(number: int, version: str) -> Json:
    """A /16 for each node: KWOK hands out addresses in order and past the end of a range, into that of the next node."""
    cidr = f"10.{100 + number}.0.0/16"
    room = {"cpu": "1000", "memory": "4Ti", "pods": "20000"}
    name = f"{NODE}{number}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "type": "kwok"}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"{NODE_IP}{number + 1}"}, {"type": "Hostname", "address": name}],
            "allocatable": room,
            "capacity": room,
            # istiod reads this to choose native sidecars; KWOK's own "kwok-v0.8.0" is no Kubernetes version.
            "nodeInfo": _node_facts(version),
        },
    }


def _node_facts(version: str) -> Mapping[str, str]:
    blank = dict.fromkeys(("bootID", "machineID", "systemUUID", "osImage", "kernelVersion", "containerRuntimeVersion"), "")
    return blank | {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": version, "kubeProxyVersion": version}


def _wait_for(met: Callable[[], t.Any], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not met() and time.monotonic() < deadline:
        time.sleep(0.02)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-20:]) if log.exists() else ""
