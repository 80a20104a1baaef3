# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster that is waited for costs in memory: plays over one host and over 21, all waiting, and the difference by 20."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time

from tests.bench import environment, proc
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
        return sum(proc.memory(pid, proc.PROPORTIONAL) for pid in (process.pid, *proc.children(process.pid)))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
