# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks, two at a time: a line for each that passes, its whole output where one fails.

python -m tests.tools.lint                 all of them
python -m tests.tools.lint mypy sanity     these
python -m tests.tools.lint --pythons sanity    sanity for each Python that ansible-test knows and the machine has
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.lab.build import cache
from tests.tools import artefact, tree
from tests.tools.setup import pythons
from tests.tools.tree import ROOT

BIN = Path(sys.executable).parent
COLLECTION = Path(".venv", "collections", "ansible_collections", "meshops", "istio")
WIDTH = 24
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    passed: bool
    output: str


Check = Callable[[], Outcome]


def _run(program: str, *arguments: str, cwd: Path = ROOT, environment: Mapping[str, str] | None = None) -> Outcome:
    done = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=cwd,
        env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(done.returncode == 0, done.stdout)


def _plain(program: str, *arguments: str) -> Check:
    return lambda: _run(program, *arguments)


def mypy() -> Outcome:
    """Through the link in ``.venv``: on the flat tree a module and its action would both be called ``mesh_info``."""
    tests = [name for name in ("tests/lab", "tests/bench", "tests/tools", "tests/unit", "tests/demo.py") if (ROOT / name).exists()]
    outcome = _run("mypy", "--no-color-output", str(COLLECTION / "plugins"), *tests)
    return Outcome(outcome.passed, outcome.output.replace(f"{COLLECTION}/", ""))


def sanity(every_python: bool = False) -> Outcome:
    """``ansible-test sanity`` without Docker, on a copy: it refuses a link, and wants ``ansible_collections`` in the path."""
    folder = cache() / "sanity"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        copy = folder / "ansible_collections" / "meshops" / "istio"
        tree.copy(copy, _without_templates())
        if ignored := [path.name for path in copy.glob("tests/sanity/ignore-*.txt")]:
            return Outcome(False, f"tests/sanity has {', '.join(ignored)}: no finding of ansible-test is ignored here\n")
        home = folder / "home"
        _pip_stand_in(home)
        environment = {"HOME": str(home), "ANSIBLE_HOME": str(home / ".ansible"), "ANSIBLE_COLLECTIONS_PATH": str(folder)}
        choice = ["--python", f"{sys.version_info[0]}.{sys.version_info[1]}"]
        if every_python:
            # pyenv's stand-ins for Pythons that are not chosen do not run: the real folders go first
            real = [str(path.parent) for path in pythons().values()]
            environment["PATH"] = os.pathsep.join([str(BIN), *real, os.environ["PATH"]])
            choice = []
        return _run(
            "ansible-test", "sanity", "--requirements", "--color", "no", "--truncate", "0", *choice, cwd=copy, environment=environment
        )


def _without_templates() -> list[str]:
    return [name for name in tree.files() if not re.fullmatch(tree.NO_YAML, name)]


def yamllint() -> Outcome:
    return _run("yamllint", "--strict", *(name for name in _without_templates() if name.endswith((".yml", ".yaml"))))


def _pip_stand_in(home: Path) -> None:
    """ansible-test fetches get-pip from a host of its own; a file in its cache folder takes precedence, as it says itself."""
    package = importlib.util.find_spec("ansible_test")
    if package is None or package.origin is None:
        raise RuntimeError("ansible_test is not installed")
    source = Path(package.origin).with_name("_internal") / "python_requirements.py"
    for version in re.findall(r"pip='([0-9.]+)'", source.read_text()):
        path = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            "import subprocess, sys\n"
            'subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])\n'
            f'subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", "pip=={version}"])\n'
        )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def ansible_lint() -> Outcome:
    return _run(
        "ansible-lint",
        "--profile",
        "production",
        "--offline",
        "--nocolor",
        "-q",
        environment={"ANSIBLE_COLLECTIONS_PATH": str(BIN.parent / "collections")},
    )


def galaxy_importer() -> Outcome:
    """What Galaxy says of the archive. Its warnings fail as well: they are what a user of Galaxy would see."""
    with tempfile.TemporaryDirectory() as folder:
        archive = artefact.build(Path(folder))
        environment = {"GALAXY_IMPORTER_CONFIG": str(ROOT / "tests" / "tools" / "galaxy-importer.cfg")}
        outcome = _run("python", "-m", "galaxy_importer.main", str(archive), cwd=Path(folder), environment=environment)
    warned = re.search(r"^\s*(WARNING|ERROR)", outcome.output, re.MULTILINE)
    return Outcome(outcome.passed and not warned, outcome.output)


def checks(every_python: bool) -> dict[str, Check]:
    """The slow ones first, so that the short ones fill the gaps."""
    return {
        "sanity": lambda: sanity(every_python),
        "ansible-lint": ansible_lint,
        "mypy": mypy,
        "galaxy-importer": galaxy_importer,
        "docs": _plain("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", "."),
        "reuse": _plain("reuse", "lint", "--lines"),
        "yamllint": yamllint,
        "changelog": _plain("antsibull-changelog", "lint"),
        "ruff": _plain("ruff", "check", "--quiet", "."),
        "format": _plain("ruff", "format", "--check", "--quiet", "."),
    }


def _timed(check: Check) -> tuple[Outcome, float]:
    started = time.monotonic()
    try:
        outcome = check()
    except (OSError, subprocess.SubprocessError, RuntimeError, SystemExit) as problem:
        outcome = Outcome(False, f"{problem}\n")
    return outcome, time.monotonic() - started


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="lint", description="All checks, or those that are named.")
    parser.add_argument("names", nargs="*", metavar="CHECK", help=f"one of {', '.join(checks(False))}")
    parser.add_argument("--pythons", action="store_true", help="sanity for every Python that ansible-test supports and that is here")
    options = parser.parse_args(arguments)
    known = checks(options.pythons)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"no check is called {', '.join(unknown)}; there are: {', '.join(known)}")
    chosen = {name: check for name, check in known.items() if not options.names or name in options.names}
    started = time.monotonic()
    failed = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(_timed, check): name for name, check in chosen.items()}
        for future in as_completed(running):
            outcome, seconds = future.result()
            print(f"{running[future]:<{WIDTH}} {'ok' if outcome.passed else 'FAILED':<6} {seconds:5.1f} s", flush=True)
            if not outcome.passed:
                failed.append(running[future])
                print(outcome.output.rstrip() + "\n", flush=True)
    total = f"{time.monotonic() - started:.0f} s"
    print(
        f"lint: {len(failed)} of {len(chosen)} failed ({', '.join(failed)}), {total}" if failed else f"lint: {len(chosen)} passed, {total}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
