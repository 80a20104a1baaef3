# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark's own environment, ``.venv/bench``: PyPI's package ansible, for its collection kubernetes.core, from bench.lock."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from tests.lab.cluster import CHECKOUT, Cluster

VENV = CHECKOUT / ".venv" / "bench"
LOCK = CHECKOUT / "tests" / "tools" / "bench.lock"
Play = list[dict[str, object]]


def install() -> None:
    """Makes it where it is not there, or is of another lock file."""
    stamp, wanted = VENV / "stamp", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing PyPI's package ansible into .venv/bench ...", flush=True)
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run([uv, "--quiet", "venv", "--clear", "--python", sys.executable, str(VENV)], check=True)
    python = str(VENV / "bin" / "python")
    subprocess.run([uv, "--quiet", "pip", "install", "--python", python, "--require-hashes", "-r", str(LOCK)], check=True)
    stamp.write_text(wanted)


def versions() -> dict[str, str]:
    code = (
        "import importlib.metadata as m, json, platform; names = ('ansible-core', 'ansible', 'kubernetes'); "
        "print(json.dumps({'Python': platform.python_version(), **{name: m.version(name) for name in names}}))"
    )
    done = subprocess.run([str(VENV / "bin" / "python"), "-c", code], capture_output=True, text=True, check=True)
    return t.cast("dict[str, str]", json.loads(done.stdout))


def play(lab: Cluster, name: str, hosts: dict[str, object], tasks: Play) -> Path:
    """A playbook and its inventory in the lab's folder; its hosts are local."""
    inventory = lab.folder / f"{name}-hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": {"ansible_connection": "local"}}}))
    path = lab.folder / f"{name}.yml"
    path.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}], sort_keys=False))
    return path


def command(path: Path, *words: str) -> list[str]:
    return [str(VENV / "bin" / "ansible-playbook"), "-i", str(path.with_name(f"{path.stem}-hosts.yml")), str(path), *words]


def variables(lab: Cluster) -> dict[str, str]:
    """The environment of a process: the same for both that are compared."""
    ours = {name: value for name, value in lab.environment().items() if name != "PYTHONPATH"}  # which is for this process
    return ours | {
        "PATH": f"{VENV / 'bin'}:{os.environ.get('PATH', '')}",
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".venv" / "collections"),
        "ANSIBLE_HOME": str(lab.folder / "ansible"),
        "ANSIBLE_PYTHON_INTERPRETER": str(VENV / "bin" / "python"),
        "ANSIBLE_NOCOWS": "1",
    }


def run(lab: Cluster, words: list[str]) -> None:
    done = subprocess.run(words, env=variables(lab), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words[:3])} failed:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
