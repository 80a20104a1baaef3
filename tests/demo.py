# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job on real input: a mesh moves to a new control plane and back, on a real API server, and each step is shown.

Nothing here is the tool's own word alone: what was before and after the rollback is asked of the API server.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
import typing as t
from collections.abc import Iterator

from tests.lab import fleet, mesh, samples
from tests.lab.cluster import CHECKOUT, Cluster

WIDTH = 100

Metadata = dict[str, tuple[dict[str, str], dict[str, str]]]


class DemoError(Exception):
    """A step did not do what the demo promises."""


def run(cluster: Cluster) -> None:
    namespaces = _old_mesh(cluster)
    before = _metadata(cluster, namespaces)
    inventory = fleet.write([cluster], [namespaces[:2], namespaces[2:]])
    _say(f"\n$ cat fleet.yml\n{inventory.read_text().rstrip()}")
    upgrade = "meshops.istio.canary_upgrade"

    _title("1. How the mesh stands")
    _play(cluster, "meshops.istio.status")
    _title("2. What the upgrade would do; nothing is written")
    _play(cluster, upgrade, "--check", "--diff")
    _same(before, _metadata(cluster, namespaces), "after --check every namespace is untouched")
    _title("3. The upgrade, in two waves")
    _play(cluster, upgrade)
    _title("4. The same again changes nothing")
    _unchanged(_play(cluster, upgrade))
    _title("5. How the mesh stands now")
    _play(cluster, "meshops.istio.status")
    _title("6. The rollback")
    _play(cluster, "meshops.istio.rollback")
    _title("7. The proof, by what the API server gave before the upgrade and gives now")
    _same(before, _metadata(cluster, namespaces), "after the rollback every namespace has exactly its former labels and annotations")
    _title("8. The upgrade once more")
    _play(cluster, upgrade)
    _title("9. The end of the upgrade: nothing needs the old control plane, and it goes")
    _play(cluster, "meshops.istio.complete")
    _title("10. How the mesh stands at the end")
    _play(cluster, "meshops.istio.status")


def _old_mesh(cluster: Cluster) -> tuple[str, ...]:
    """An unrevisioned control plane with 6 namespaces and 24 Deployments that ask for it. Returns the namespaces."""
    began = time.monotonic()
    _title("0. A cluster with an old mesh")
    cluster.start(owned=True)
    _say(f"Kubernetes answers after {time.monotonic() - began:.1f} s")
    mesh.install_base(cluster)
    mesh.install_istiod(cluster)
    mesh.wait_ready(cluster)
    _say(f"istiod {mesh.VERSION} injects after {time.monotonic() - began:.1f} s")
    namespaces = samples.create(cluster.api)
    samples.wait_ready(cluster.api, namespaces)
    _say(f"{len(namespaces)} namespaces with 24 Deployments run after {time.monotonic() - began:.1f} s")
    return namespaces


def _play(cluster: Cluster, playbook: str, *more: str) -> str:
    """Runs a playbook as a user would, shows what it prints, and returns that. DemoError where it fails."""
    command = ["ansible-playbook", "-i", "fleet.yml", playbook, *more]
    _say(f"$ {' '.join(command)}")
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=cluster.folder, env=_environment(cluster), stdout=subprocess.PIPE, text=True)
    printed = []
    with _ended(process):
        for line in process.stdout or ():
            printed.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    if process.returncode:
        raise DemoError(f"{' '.join(command)} ended with {process.returncode}")
    _say(f"({time.monotonic() - began:.1f} s)")
    return "".join(printed)


def _environment(cluster: Cluster) -> dict[str, str]:
    """The collection of this checkout and the lab's helm; nothing of Ansible's is written outside the lab's folder."""
    environment = cluster.environment()
    programs = os.path.dirname(sys.executable)
    environment.pop("KUBECONFIG")  # the inventory says it
    return environment | {
        "PATH": f"{programs}:{environment['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".venv" / "collections"),
        "ANSIBLE_HOME": str(cluster.folder / "ansible"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_NOCOWS": "1",
        "COLUMNS": str(WIDTH),
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ctrl-C reaches the playbook too; it is waited for, so that nothing of it outlives the demo."""
    try:
        yield
    finally:
        try:
            process.wait(10 if sys.exc_info()[0] else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _unchanged(printed: str) -> None:
    changed = re.findall(r"changed=(\d+)", printed)
    if changed != ["0"]:
        raise DemoError(f"the second run changed something: changed={', '.join(changed) or 'nothing was counted'}")
    _say("As it should be: changed=0.")


def _metadata(cluster: Cluster, namespaces: t.Iterable[str]) -> Metadata:
    """Labels and annotations, as the API server itself gives them."""
    found = {item["metadata"]["name"]: item["metadata"] for item in cluster.api.get("/api/v1/namespaces")["items"]}
    return {name: (found[name].get("labels", {}), found[name].get("annotations", {})) for name in namespaces}


def _same(before: Metadata, after: Metadata, claim: str) -> None:
    for name, was in before.items():
        if after[name] != was:
            raise DemoError(f"namespace {name}: labels and annotations were {was}, and are {after[name]}")
    _say(f"Asked of the API server: {claim}.")
    for name, (labels, notes) in after.items():
        _say(f"  {name:<8} labels {labels}, annotations {notes}")


def _title(text: str) -> None:
    _say(f"\n{text} {'─' * max(WIDTH - len(text) - 1, 3)}\n")


def _say(text: str) -> None:
    print(text, flush=True)


def _interrupt(_number: int, _frame: types.FrameType | None) -> None:
    """Once: a second Ctrl-C must not stop the cleaning up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    cluster = Cluster("demo")
    if cluster.folder.exists() and not cluster.running():
        shutil.rmtree(cluster.folder, ignore_errors=True)
    try:
        run(cluster)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except DemoError as problem:
        print(f"\nThe demo failed: {problem}", file=sys.stderr)
        return 1
    finally:
        cluster.stop()
        _say("The cluster and all that ran on it have been ended.")
    _say(f"The whole demo took {time.monotonic() - began:.0f} s. To look around by yourself: make lab")
    return 0


if __name__ == "__main__":
    sys.exit(main())
