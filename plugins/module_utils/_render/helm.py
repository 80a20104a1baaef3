# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm as a subprocess: it owns its releases, we only tell it what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError


class HelmError(MeshError):
    """Helm ran and said no."""

    kind = "helm"


@dataclass(frozen=True, slots=True)
class Helm:
    binary: str
    kubeconfig: str
    context: str | None
    namespace: str

    def _run(self, *words: str, may_fail: bool = False) -> subprocess.CompletedProcess[str]:
        where = ["--kubeconfig", self.kubeconfig, "--namespace", self.namespace] + (
            ["--kube-context", self.context] if self.context else []
        )
        done = subprocess.run([self.binary, *words, *where], capture_output=True, text=True, check=False)
        if done.returncode and not may_fail:
            raise HelmError(
                f"helm {words[0]} {words[1]} failed.",
                where=f"namespace {self.namespace}",
                why=_last(done.stderr),
                do="correct it, and run again",
            )
        return done

    def release(self, name: str) -> Release | None:
        """The newest release of that name, None where there is none."""
        status = self._run("status", name, "--output", "json", may_fail=True)
        if status.returncode:
            if "not found" in status.stderr:
                return None
            raise HelmError(f"helm status {name} failed.", where=f"namespace {self.namespace}", why=_last(status.stderr))
        found = json.loads(status.stdout)
        return Release(found["info"]["status"], found.get("config") or {}, str(found.get("manifest") or ""))

    def manifest(self, name: str, chart: str, values: Mapping[str, t.Any]) -> str:
        """What an installation would apply, rendered against the cluster, with nothing written."""
        done = self._with_values("upgrade", name, chart, values, "--install", "--dry-run=server", "--output", "json")
        return str(json.loads(done.stdout).get("manifest") or "")

    def apply(self, name: str, chart: str, values: Mapping[str, t.Any]) -> None:
        self._with_values("upgrade", name, chart, values, "--install", "--reset-values")

    def uninstall(self, name: str) -> None:
        self._run("uninstall", name)

    def _with_values(self, verb: str, name: str, chart: str, values: Mapping[str, t.Any], *more: str) -> subprocess.CompletedProcess[str]:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(values, file)
            file.flush()
            return self._run(verb, name, chart, "--values", file.name, *more)


@dataclass(frozen=True, slots=True)
class Release:
    status: str
    values: Mapping[str, t.Any]
    manifest: str


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line]
    return lines[-1] if lines else "it said nothing"


def check(binary: str, chart: str) -> None:
    """Raises MeshError where helm or the chart is missing, before anything is written."""
    if shutil.which(binary) is None:
        raise MeshError(
            "helm is not there.", where=f'"{binary}"', why="not found in PATH", do="install helm 3 or 4, or name it with mesh_helm"
        )
    if _is_path(chart) and not os.path.isfile(os.path.join(chart, "Chart.yaml")) and not os.path.isfile(chart):
        raise MeshError(
            "The chart does not exist.", where=chart, do="correct mesh_chart: a folder with Chart.yaml, a .tgz, or a name as helm takes it"
        )
    shown = subprocess.run([binary, "show", "chart", chart], capture_output=True, text=True, check=False)
    if shown.returncode:
        raise MeshError("The chart cannot be read.", where=chart, why=_last(shown.stderr), do="correct mesh_chart")


def _is_path(chart: str) -> bool:
    return chart.startswith((".", "/", "~")) or chart.endswith(".tgz")
