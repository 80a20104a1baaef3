# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster that is waited for costs in memory: plays over one host and over 21, all waiting, and the difference by 20."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.bench import environment
from tests.bench.figures import Figures
from tests.lab import samples
from tests.lab.cluster import Cluster
from tests.lab.stages import NEVER_READY

MORE, SECONDS = 20, 120
NAMESPACE = "bench-waiting"


def measure(lab: Cluster) -> Figures:
    """Proportional set size of all processes of the play (smaps_rollup), when every host has said what it waits for."""
    lab.api.post("/api/v1/namespaces", samples.namespace(NAMESPACE, samples.INJECTED))
    sick = samples.deployment("never", fault=NEVER_READY)
    lab.api.post(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", sick)
    one, many = (_waiting(lab, number) for number in (1, 1 + MORE))
    return Figures(
        "Waiting",
        (
            ("a play that waits for one cluster", f"{one / 2**20:.0f} MiB", ""),
            (f"a play that waits for {1 + MORE} clusters", f"{many / 2**20:.0f} MiB", ""),
            ("each further cluster", f"{(many - one) / MORE / 2**20:.1f} MiB", "at most 15 MiB"),
        ),
    )


def _waiting(lab: Cluster, hosts: int) -> int:
    options = {"kubeconfig": str(lab.kubeconfig), "namespaces": [NAMESPACE], "wait_timeout": SECONDS, "grace_time": SECONDS}
    names: dict[str, object] = {f"eu-{number}": {} for number in range(hosts)}
    path = environment.play(lab, f"waiting-{hosts}", names, [{"meshops.istio.proxy_check": options}])
    process = subprocess.Popen(
        environment.command(path, "--forks", str(hosts)),
        env=environment.variables(lab),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        said: set[str] = set()
        for line in process.stdout or ():
            if "proof:" in line:
                said.add(line.partition("]")[0])
            if len(said) == hosts:
                break
        else:
            raise SystemExit("the play ended before every host waited")
        time.sleep(2)  # until the last has settled; no test hangs on it
        return sum(_pss(pid) for pid in (process.pid, *_children(process.pid)))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _children(parent: int) -> list[int]:
    """Ansible's workers: one a host, each in a session of its own."""
    return [int(one.name) for one in Path("/proc").glob("[0-9]*") if _parent(one) == parent]


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _pss(pid: int) -> int:
    """In bytes."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
