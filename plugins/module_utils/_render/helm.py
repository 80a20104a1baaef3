# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm 3 or 4 as a subprocess: it owns its releases, we only tell it what to do."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

Json = dict[str, t.Any]


class HelmError(MeshError):
    """Helm ran and said no."""

    kind = "helm"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its values, by a binary that is there. ``version`` picks one where the chart is named, not a path."""

    helm: str
    name: str
    version: str | None
    values: Mapping[str, t.Any]

    def words(self) -> list[str]:
        return [self.name, *(["--version", self.version] if self.version and not _is_path(self.name) else [])]


@dataclass(frozen=True, slots=True)
class Release:
    """What helm has on record. ``number`` counts installation and upgrades from 1."""

    number: int
    status: str
    values: Mapping[str, t.Any]
    manifest: str


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm on one namespace of one cluster."""

    binary: str
    kubeconfig: str
    namespace: str

    def release(self, name: str) -> Release | None:
        """The newest release of that name, None where there is none."""
        done = self._run("status", name, "--output", "json", may_fail=True)
        if done.returncode:
            if _short(done.stderr) == "release: not found":
                return None
            raise self._error(f"helm status {name} failed.", done.stderr)
        found = json.loads(done.stdout)
        return Release(int(found["version"]), found["info"]["status"], found.get("config") or {}, str(found.get("manifest") or ""))

    def rendered(self, name: str, chart: Chart, release: Release | None) -> tuple[Json, ...]:
        """What installing (or upgrading) would apply, with the cluster's own versions in view; nothing is written.

        The first installation stays the measure for a release that was never upgraded: charts may render an upgrade otherwise.
        """
        upgrade = ["--is-upgrade"] if release and release.number > 1 else []
        return objects(self._with_values("template", name, chart, "--no-hooks", "--dry-run=server", *upgrade).stdout)

    def apply(self, name: str, chart: Chart, labels: Mapping[str, str], *, again: bool = False) -> None:
        """Installs or upgrades; helm's record of it has the labels from its first moment on. ``again`` is an installation over
        what a killed one left behind.

        Helm 4 applies on the server's side, where istiod by now owns a field that only an installation renders (the validator's
        ``failurePolicy``): it is taken back, and istiod sets it once more.
        """
        force = ["--force-conflicts"] if again and not self._client_side() else []
        marks = ",".join(f"{key}={value}" for key, value in labels.items())
        self._with_values("upgrade", name, chart, "--install", "--reset-values", "--labels", marks, *force)

    def _client_side(self) -> bool:
        return _helm(self.binary, "version", "--short").stdout.startswith("v3.")

    def uninstall(self, name: str) -> None:
        self._run("uninstall", name)

    def _with_values(self, verb: str, name: str, chart: Chart, *more: str) -> subprocess.CompletedProcess[str]:
        return self._run(verb, name, *chart.words(), "--values", "-", *more, values=chart.values)

    def _run(self, *words: str, may_fail: bool = False, values: Mapping[str, t.Any] | None = None) -> subprocess.CompletedProcess[str]:
        done = _helm(self.binary, *words, "--kubeconfig", self.kubeconfig, "--namespace", self.namespace, values=values)
        if done.returncode and not may_fail:
            raise self._error(f"helm {words[0]} {words[1]} failed.", done.stderr)
        return done

    def _error(self, what: str, said: str) -> HelmError:
        return HelmError(what, where=f"namespace {self.namespace}", why=_short(said), do="correct what helm says, and run again")


def check(chart: Chart) -> None:
    """Raises MeshError where helm or the chart is missing, before anything is written."""
    if shutil.which(chart.helm) is None:
        raise _no_helm(chart.helm, "not found in PATH")
    if _is_path(chart.name) and not os.path.isfile(chart.name) and not os.path.isfile(os.path.join(chart.name, "Chart.yaml")):
        do = "correct chart (mesh_chart): a folder with Chart.yaml, a .tgz, or a name as helm takes it"
        raise MeshError("The chart does not exist.", where=chart.name, do=do)
    shown = _helm(chart.helm, "show", "chart", *chart.words())
    if shown.returncode:
        at, do = " ".join(chart.words()), "correct chart (mesh_chart)"
        raise MeshError("The chart cannot be read.", where=at, why=_short(shown.stderr), do=do)


def offline(name: str, namespace: str, chart: Chart) -> tuple[Json, ...]:
    """What the chart renders without any cluster: enough to see which version it brings. Raises HelmError where it can't."""
    words = [*chart.words(), "--namespace", namespace, "--values", "-", "--no-hooks"]
    done = _helm(chart.helm, "template", name, *words, values=chart.values)
    if done.returncode:
        do = "correct chart (mesh_chart) or values (mesh_values)"
        raise HelmError("The chart cannot be rendered.", where=chart.name, why=_short(done.stderr), do=do)
    return objects(done.stdout)


def objects(manifest: str) -> tuple[Json, ...]:
    """The objects of a manifest, in an order of their own, so that two can be compared."""
    found = [item for item in yaml.safe_load_all(manifest) if isinstance(item, dict)]
    return tuple(
        sorted(found, key=lambda item: (str(item.get("kind")), str(item["metadata"].get("namespace")), str(item["metadata"]["name"])))
    )


def _helm(binary: str, *words: str, values: Mapping[str, t.Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Values go through the pipe: they may hold secrets, and a file would outlive a kill."""
    given = "" if values is None else json.dumps(values)
    try:
        # run_command belongs to AnsibleModule, and a verb mostly runs without one
        return subprocess.run(  # pylint: disable=ansible-bad-function
            [binary, *words], capture_output=True, text=True, check=False, input=given, env=_environment()
        )
    except OSError as problem:
        raise _no_helm(binary, problem.strerror or "it cannot be run") from problem


def _no_helm(binary: str, why: str) -> MeshError:
    return MeshError("There is no helm.", where=f'"{binary}"', why=why, do="install helm 3.13 or newer, or name it: helm (mesh_helm)")


def _environment() -> dict[str, str]:
    """Without what would lead helm to another cluster, user, namespace or store than the one that we look at."""
    ours = ("KUBECONFIG", "HELM_NAMESPACE", "HELM_DRIVER")
    return {name: value for name, value in os.environ.items() if not name.startswith("HELM_KUBE") and name not in ours}


def _short(text: str) -> str:
    """Helm's own error, without the warnings and log lines around it."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error:")]
    return (errors or lines or ["it said nothing"])[-1]


def _is_path(chart: str) -> bool:
    return chart.startswith((".", "/", "~")) or chart.endswith(".tgz")
