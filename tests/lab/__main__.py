# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tests.lab up | down | status``: a mesh to try the collection on, without Docker and without rights."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

from . import fleet, mesh, samples
from .api import ApiProblem
from .build import BuildError, binaries
from .cluster import CHECKOUT, Cluster, ClusterError, clusters


def up(name: str, count: int, small: bool) -> int:
    """All or nothing: what fails or is interrupted takes with it every cluster that this call started."""
    labs = _named(name, count)
    starting: list[Cluster] = []
    try:
        for cluster in labs:
            if cluster.running():
                print(f"{cluster.name}: already running, {_summary(cluster)}")
            else:
                starting.append(cluster)
                _start(cluster, small)
    except BaseException:
        for cluster in starting:
            cluster.stop()
        raise
    waves = [samples.NAMES[:1], samples.NAMES[1:2]] if small else [samples.NAMES[:2], samples.NAMES[2:]]
    _next_steps(labs, fleet.write(labs, waves))
    return 0


def down(name: str | None) -> int:
    names = [name] if name else list(clusters())
    for one in names:
        cluster = Cluster(one)
        there = cluster.folder.exists()
        cluster.stop()
        print(f"{one}: stopped, nothing of it is left" if there else f"{one}: not running")
    if not names:
        print("no lab is running")
    return 0


def status(name: str | None) -> int:
    names = [name] if name else list(clusters())
    running = [Cluster(one) for one in names if Cluster(one).running()]
    for cluster in running:
        print(f"{cluster.name}: running, {_summary(cluster)}")
        print(f"  KUBECONFIG={cluster.kubeconfig}")
    for one in sorted(set(names) - {cluster.name for cluster in running}):
        print(f"{one}: not running")
    if not names:
        print("no lab is running")
    return 0 if running else 1


def _start(cluster: Cluster, small: bool) -> None:
    began = time.monotonic()
    cluster.start()
    print(f"{cluster.name}: Kubernetes answers after {time.monotonic() - began:.1f} s", flush=True)
    mesh.install_base(cluster)
    mesh.install_istiod(cluster)
    mesh.wait_ready(cluster)
    print(f"{cluster.name}: istiod {mesh.VERSION} is ready after {time.monotonic() - began:.1f} s", flush=True)
    namespaces = samples.create(cluster.api, 2, 4) if small else samples.create(cluster.api)
    samples.wait_ready(cluster.api, namespaces)
    print(f"{cluster.name}: ready after {time.monotonic() - began:.1f} s, {_summary(cluster)}", flush=True)


def _summary(cluster: Cluster) -> str:
    try:
        injected = cluster.api.get("/api/v1/namespaces", labelSelector="istio-injection=enabled")["items"]
        pods = cluster.api.get("/api/v1/pods")["items"]
        planes = cluster.api.get(f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}/deployments", labelSelector="app=istiod")["items"]
    except ApiProblem as problem:
        return f"but its API server does not answer ({problem.message}): stop it with `make lab-down`"
    with_proxy = sum("sidecar.istio.io/status" in (pod["metadata"].get("annotations") or {}) for pod in pods)
    names = ", ".join(plane["metadata"]["name"] for plane in planes) or "none"
    asking = f"{len(injected)} namespaces with istio-injection=enabled"
    return f"control planes: {names}; {asking}; {with_proxy} of {len(pods)} pods have a sidecar"


def _next_steps(labs: list[Cluster], inventory: Path) -> None:
    print()
    print(f"export KUBECONFIG={os.pathsep.join(str(cluster.kubeconfig) for cluster in labs)}")
    print(f"export PATH={CHECKOUT}/.venv/bin:{binaries()}:$PATH ANSIBLE_COLLECTIONS_PATH={CHECKOUT}/.venv/collections")
    print("\nThree things to try, after these lines:")
    print("  kubectl get ns -L istio-injection,istio.io/rev" if len(labs) == 1 else f"  ansible-inventory -i {inventory} --graph")
    print(f"  ansible-playbook -i {inventory} meshops.istio.status")
    print(f"  ansible-playbook -i {inventory} meshops.istio.canary_upgrade --check --diff")
    print("\nmake lab-down ends it.")


def _named(name: str, count: int) -> list[Cluster]:
    return [Cluster(name if count == 1 else f"{name}-{number}") for number in range(1, count + 1)]


def _interrupt(_number: int, _frame: types.FrameType | None) -> None:
    """Once: a second Ctrl-C must not stop the cleaning up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("up", help="start a lab, or say what runs")
    start.add_argument("--name", default="lab")
    start.add_argument("--clusters", type=int, default=1, metavar="N", help="N labs, called NAME-1 to NAME-N")
    start.add_argument("--small", action="store_true", help="2 namespaces with 4 Deployments, instead of 6 with 24")
    for verb, text in (("down", "stop what `up` started"), ("status", "what runs; fails where nothing does")):
        verbs.add_parser(verb, help=text).add_argument("--name", help="one lab; without it, all of this checkout")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        match options.verb:
            case "up":
                return up(options.name, options.clusters, options.small)
            case "down":
                return down(options.name)
            case _:
                return status(options.name)
    except KeyboardInterrupt:
        print("interrupted: what was started has been stopped", file=sys.stderr)
        return 130
    except (ApiProblem, BuildError, ClusterError, mesh.HelmError, TimeoutError, subprocess.CalledProcessError) as problem:
        print(problem, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
