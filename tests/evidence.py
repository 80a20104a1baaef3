# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pytest plugin that writes what a run has shown: ``pytest -p tests.evidence --evidence docs/evidence/NAME.json tests/cases``.

``differed`` is what a test says about real Istio and the stand-in (``record_property("differed", ...)``); a failure is in ``tests``.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shlex
import sys
import typing as t
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.lab import mesh, real
from tests.lab.build import kubernetes_version

LONGEST = 600
PACKAGES = ("ansible-core", "kubernetes", "pytest")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--evidence", type=Path, help="write the outcome of this run to this file")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--evidence")
    if path and not hasattr(config, "workerinput"):  # a worker of pytest-xdist tells its outcomes to the one that writes
        config.pluginmanager.register(Evidence(path))


class Evidence:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._began = datetime.now(UTC)
        self._tests: dict[str, dict[str, t.Any]] = {}
        self._differed: list[t.Any] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        one = self._tests.setdefault(report.nodeid, {"outcome": "passed", "seconds": 0.0})
        one["seconds"] = round(one["seconds"] + report.duration, 1)
        if report.outcome != "passed" and one["outcome"] != "failed":
            one["outcome"] = report.outcome if report.when == "call" or report.outcome == "skipped" else "error"
            one["why"] = _why(report)
        self._differed += [value for name, value in report.user_properties if name == "differed" and report.when == "teardown"]

    def pytest_sessionfinish(self) -> None:
        found = {
            "versions": {
                "istio": {version: _istio(version) for version in (mesh.VERSION, mesh.NEWEST)},
                "kubernetes": kubernetes_version(),
                "python": platform.python_version(),
                "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
            },
            "date": self._began.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "command": _command(),
            "summary": dict(sorted(Counter(one["outcome"] for one in self._tests.values()).items())),
            "differed": self._differed,
            "tests": self._tests,
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):  # of a skip: path, line and reason
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    text = str(getattr(report.longrepr, "reprcrash", None) or report.longrepr)
    return text.replace(str(Path.cwd()), ".")[:LONGEST]


def _istio(version: str) -> object:
    """What the program says of itself: a build of one's own is told from a released one."""
    if not real.wanted():
        return "the stand-in"
    return json.loads(real.istioctl(version, ["version", "--remote=false", "--output", "json"]))["clientVersion"]


def _command() -> str:
    variable = f"{real.VARIABLE}=FOLDER " if os.environ.get(real.VARIABLE) else ""
    return variable + shlex.join(["pytest", *(argument.replace(str(Path.cwd()), ".") for argument in sys.argv[1:])])
