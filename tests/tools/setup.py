# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets the checkout up: Python tools into ``.venv/``, the lab's programs into the cache folder, both at the same time.

What is there and still fits is reused. Needs Python 3.11 to 3.13 with ``venv``; any Python 3 may start it.

    setup.py            all of it
    setup.py python     the Python tools only: enough for ``make lint`` and ``make unit``
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
FLOOR_VENV = VENV / "floor"
LINK = VENV / "collections" / "ansible_collections" / "meshops" / "istio"
LOCK = ROOT / "tests" / "tools" / "requirements.lock"
FLOOR_LOCK = ROOT / "tests" / "tools" / "floor.lock"
VERSIONS = ((3, 13), (3, 12), (3, 11))
FLOOR = (3, 11)
EVERY = 10.0

PROBE = """
import os, sys
import ensurepip, ssl, venv
base = getattr(sys, "_base_executable", None) or sys.executable
print(sys.version_info[0], sys.version_info[1], sys.version_info[2], os.path.realpath(base))
"""


class SetupError(Exception):
    """Something that has to be put right before anything can run; the message says what."""


# Which Python


def pythons() -> dict[tuple[int, int], Path]:
    """Per version a Python that was run just now and can make virtual environments.

    Names on PATH do not suffice: pyenv puts a ``python3.13`` there that only says which versions it knows, and Debian's
    own may lack ``venv``.
    """
    found: dict[tuple[int, int], Path] = {}
    seen: set[Path] = set()
    for candidate in _candidates():
        real = Path(os.path.realpath(candidate))
        if real in seen or len(found) == len(VERSIONS):
            continue
        seen.add(real)
        if answer := _probe(candidate):
            version, path = answer
            if version in VERSIONS:
                found.setdefault(version, path)
    return found


def _candidates() -> Iterator[Path]:
    names = [*(f"python{major}.{minor}" for major, minor in VERSIONS), "python3", "python"]
    for folder in _folders():
        for name in names:
            if os.access(folder / name, os.X_OK):
                yield folder / name


def _folders() -> Iterator[Path]:
    for entry in os.environ.get("PATH", "").split(os.pathsep):
        if entry:
            yield Path(entry)
    homes = [Path(os.environ[name]) for name in ("PYENV_ROOT",) if os.environ.get(name)]
    homes += [Path.home() / ".pyenv", Path.home() / ".local" / "share" / "uv" / "python"]
    if shutil.which("pyenv"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True, timeout=20)
            homes.append(Path(answer.stdout.strip()))
    for home in homes:
        newest_first = sorted((*home.glob("versions/3.*/bin"), *home.glob("cpython-3.*/bin")), key=_numbers, reverse=True)
        yield from newest_first
    yield from (Path("/usr/local/bin"), Path("/usr/bin"), Path("/opt/homebrew/bin"))


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.parent.name))


def _probe(python: Path | str) -> tuple[tuple[int, int], Path] | None:
    """None for what does not run, or has no ``venv``."""
    try:
        answer = subprocess.run([str(python), "-c", PROBE], capture_output=True, text=True, check=False, timeout=30, cwd="/")
    except (OSError, subprocess.SubprocessError):
        return None
    words = answer.stdout.split(maxsplit=3)
    if answer.returncode or len(words) != 4:
        return None
    return (int(words[0]), int(words[1])), Path(words[3].strip())


def _chosen() -> tuple[tuple[int, int], Path, Path | None]:
    """The newest Python, or the one that MESHOPS_PYTHON names (a version or a path), and one for the floor."""
    wanted = os.environ.get("MESHOPS_PYTHON", "")
    found = pythons()
    floor = found.get(FLOOR)
    if not wanted:
        if not found:
            raise SetupError(
                "No Python from 3.11 to 3.13 that can make virtual environments was found on PATH, in pyenv, /usr/local/bin or /usr/bin.\n"
                "  do:   install one (on Debian and Ubuntu with its -venv package), or give its path: MESHOPS_PYTHON=/path/to/python3.13"
            )
        version = max(found)
        return version, found[version], floor
    if re.fullmatch(r"3\.\d+", wanted):
        version = (3, int(wanted.split(".")[1]))
        if version not in found:
            raise SetupError(f"MESHOPS_PYTHON={wanted}: no such Python here; there are: {', '.join(map(_dotted, found)) or 'none'}")
        return version, found[version], floor
    answer = _probe(wanted)
    if not answer or answer[0] not in VERSIONS:
        raise SetupError(f"MESHOPS_PYTHON={wanted} is no Python from 3.11 to 3.13 that can make virtual environments")
    return answer[0], answer[1], answer[1] if answer[0] == FLOOR else floor


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


# The Python side


def python_side() -> None:
    """``.venv/`` from requirements.lock, ``.venv/floor/`` from floor.lock, and the checkout as a collection."""
    if not _is_current():
        version, python, floor = _chosen()
        _say("python", f"Python {_dotted(version)} ({python}) into .venv")
        _install(python, VENV, LOCK)
        if floor:
            _say("python", f"the floor: Python {_dotted(FLOOR)}, ansible-core 2.19, kubernetes 33.1 into .venv/floor")
            _install(floor, FLOOR_VENV, FLOOR_LOCK)
        (VENV / "stamp").write_text(_stamp())
    if not LINK.is_symlink() or LINK.resolve() != ROOT:
        LINK.unlink(missing_ok=True)
        LINK.parent.mkdir(parents=True, exist_ok=True)
        LINK.symlink_to(os.path.relpath(ROOT, LINK.parent))
    if not FLOOR_VENV.exists():
        _say("python", "no Python 3.11 here: the unit tests run on the newest only, not on the floor")


def _is_current() -> bool:
    try:
        if (VENV / "stamp").read_text() != _stamp():
            return False
    except OSError:
        return False
    venvs = [VENV, *([FLOOR_VENV] if FLOOR_VENV.exists() else [])]
    return all(_runs(venv / "bin" / "python") for venv in venvs)


def _stamp() -> str:
    contents = b"".join(path.read_bytes() for path in (LOCK, FLOOR_LOCK)) + str(VENV).encode()
    return f"{hashlib.sha256(contents).hexdigest()} {os.environ.get('MESHOPS_PYTHON') or 'newest'}\n"


def _runs(python: Path) -> bool:
    """False too where the Python that an environment was made from has gone."""
    try:
        return subprocess.run([str(python), "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _install(python: Path, venv: Path, lock: Path) -> None:
    started = time.monotonic()
    _quietly([str(python), "-m", "venv", "--clear", str(venv)])
    total = sum(1 for line in lock.read_text().splitlines() if re.match(r"[A-Za-z0-9]", line))
    pip = [str(venv / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--progress-bar", "off"]
    process = subprocess.Popen(
        [*pip, "--require-hashes", "-r", str(lock)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    last: deque[str] = deque(maxlen=25)
    count, told = 0, started
    try:
        for line in process.stdout or ():
            last.append(line.rstrip())
            count += line.startswith("Collecting ")
            installing = line.startswith("Installing collected")
            if installing or time.monotonic() - told >= EVERY:
                told = time.monotonic()
                what = "installing them" if installing else f"{count} of at most {total} packages fetched"
                _say("python", f"  {what}, {told - started:.0f} s")
    except BaseException:
        process.terminate()
        raise
    if process.wait():
        raise SetupError(f"pip could not install {lock.relative_to(ROOT)}:\n" + "\n".join(f"  {line}" for line in last))
    _say("python", f"  ready after {time.monotonic() - started:.0f} s")


def _quietly(command: Sequence[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SetupError(f"{' '.join(command)} failed:\n{answer.stdout}{answer.stderr}")


# The lab's side


class LabSide:
    """``python -m tests.lab.build`` in a process group of its own, so that all of it ends when we do."""

    def __init__(self, python: Path) -> None:
        self.process = subprocess.Popen(
            [str(python), "-m", "tests.lab.build"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.last: deque[str] = deque(maxlen=25)
        self._stopped = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            text = line.rstrip()
            self.last.append(text)
            if not text.startswith("/") and not self._stopped:  # the folder is for programs that ask
                _say("lab", text)

    def wait(self) -> None:
        if self.process.wait():
            self._thread.join(5)
            raise SetupError("The lab's programs could not be built:\n" + "\n".join(f"  {line}" for line in self.last))

    def stop(self) -> None:
        """As Ctrl-C would, so that it can tidy up; then the hard way."""
        self._stopped = True
        for what in (signal.SIGINT, signal.SIGKILL):
            if self.process.poll() is not None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, what)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)


def _say(side: str, text: str) -> None:
    print(f"[{side}] {text}", flush=True)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One set-up of a checkout at a time; the lock goes with the process, however that ends."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("setup", "another set-up of this checkout is running, waiting for it")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> None:
    if list(arguments) not in ([], ["python"]):
        raise SetupError("usage: setup.py [python]")
    with _alone():
        if arguments:
            python_side()
            return
        # any real Python will do for the lab's side, which needs the standard library only
        python = VENV / "bin" / "python" if _is_current() else None
        lab = LabSide(Path(os.path.realpath(python)) if python else _chosen()[1])
        try:
            python_side()
            if lab.process.poll() is None and python is None:
                _say("setup", "the Python side is ready; waiting for the lab's programs")
            lab.wait()
        finally:
            lab.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        main(sys.argv[1:])
    except SetupError as error:
        sys.exit(f"set-up failed: {error}")
    except KeyboardInterrupt:
        sys.exit("set-up interrupted")
