# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm 3 or 4 as a subprocess: it owns its releases, we only tell it what to do."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._render.program import RENDERING, WRITING, Program, Ran
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Json, Rendering, parsed


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
        ran = self._run("status", name, "--output", "json", may_fail=True)
        if ran.code:
            if ran.why == "release: not found":
                return None
            raise self._error(f"helm status {name} failed.", ran)
        found = json.loads(ran.out)
        return Release(int(found["version"]), found["info"]["status"], found.get("config") or {}, str(found.get("manifest") or ""))

    def rendered(self, name: str, chart: Chart, release: Release | None) -> Rendering:
        """What installing (or upgrading) would apply, with the cluster's own versions in view; nothing is written.

        The first installation stays the measure for a release that was never upgraded: charts may render an upgrade otherwise.
        """
        upgrade = ["--is-upgrade"] if release and release.number > 1 else []
        return _rendering(self._with_values("template", name, chart, "--no-hooks", "--dry-run=server", *upgrade))

    def apply(self, name: str, chart: Chart, labels: Mapping[str, str], *, again: bool = False) -> tuple[str, ...]:
        """Installs or upgrades; helm's record of it has the labels from its first moment on. ``again`` is an installation over
        what a killed one left behind. Returns what helm said beside it.

        Helm 4 applies on the server's side, where istiod by now owns a field that only an installation renders (the validator's
        ``failurePolicy``): it is taken back, and istiod sets it once more.
        """
        force = ["--force-conflicts"] if again and not self._client_side() else []
        marks = ",".join(f"{key}={value}" for key, value in labels.items())
        words = ["--install", "--reset-values", "--labels", marks, *force]
        return self._with_values("upgrade", name, chart, *words, seconds=WRITING).lines

    def _client_side(self) -> bool:
        return _program(self.binary).run("version", "--short").out.startswith("v3.")

    def uninstall(self, name: str) -> tuple[str, ...]:
        return self._run("uninstall", name, seconds=WRITING).lines

    def _with_values(self, verb: str, name: str, chart: Chart, *more: str, seconds: float = RENDERING) -> Ran:
        return self._run(verb, name, *chart.words(), "--values", "-", *more, given=json.dumps(chart.values), seconds=seconds)

    def _run(self, *words: str, may_fail: bool = False, given: str = "", seconds: float = RENDERING) -> Ran:
        login = ("--kubeconfig", self.kubeconfig, "--namespace", self.namespace)
        ran = _program(self.binary).run(*words, *login, given=given, seconds=seconds)
        if ran.code and not may_fail:
            raise self._error(f"helm {words[0]} {words[1]} failed.", ran)
        return ran

    def _error(self, what: str, ran: Ran) -> HelmError:
        return HelmError(what, where=f"namespace {self.namespace}", why=ran.why, do="correct what helm says, and run again")


def check(chart: Chart) -> None:
    """Raises MeshError where helm or the chart is missing, before anything is written."""
    helm = _program(chart.helm)
    helm.check()
    if _is_path(chart.name) and not os.path.isfile(chart.name) and not os.path.isfile(os.path.join(chart.name, "Chart.yaml")):
        do = "correct chart (mesh_chart): a folder with Chart.yaml, a .tgz, or a name as helm takes it"
        raise MeshError("The chart does not exist.", where=chart.name, do=do)
    ran = helm.run("show", "chart", *chart.words())
    if ran.code:
        raise MeshError("The chart cannot be read.", where=" ".join(chart.words()), why=ran.why, do="correct chart (mesh_chart)")


def offline(name: str, namespace: str, chart: Chart) -> Rendering:
    """What the chart renders without any cluster: enough to see which version it brings. Raises HelmError where it can't."""
    words = [*chart.words(), "--namespace", namespace, "--values", "-", "--no-hooks"]
    ran = _program(chart.helm).run("template", name, *words, given=json.dumps(chart.values))
    if ran.code:
        do = "correct chart (mesh_chart) or values (mesh_values)"
        raise HelmError("The chart cannot be rendered.", where=chart.name, why=ran.why, do=do)
    return _rendering(ran)


def manifest_of(release: Release) -> tuple[Json, ...]:
    """The objects that a release consists of."""
    return parsed(release.manifest, "the release as helm has it on record")


def _rendering(ran: Ran) -> Rendering:
    return Rendering(parsed(ran.out, "what helm template prints"), ran.lines)


def _program(path: str) -> Program:
    return Program(path, "helm", "install helm 3.13 or newer, or name it: helm (mesh_helm)")


def _is_path(chart: str) -> bool:
    """What has ``://`` in it is an address, which helm fetches itself."""
    return "://" not in chart and (chart.startswith((".", "/", "~")) or chart.endswith(".tgz"))
