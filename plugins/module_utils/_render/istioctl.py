# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""istioctl as a subprocess: it renders an IstioOperator, without any cluster, and does nothing else.

``istioctl install`` and ``uninstall`` are never called: they move the default tag, and remove what others still need.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, version_of_image
from ansible_collections.meshops.istio.plugins.module_utils._render.program import Program
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Json, Rendering, parsed

OPTION = "istio_operator (mesh_istio_operator)"
API_VERSION, KIND = "install.istio.io/v1alpha1", "IstioOperator"


class IstioctlError(MeshError):
    """istioctl ran and said no."""

    kind = "istioctl"


@dataclass(frozen=True, slots=True)
class Operator:
    """What istioctl renders: an IstioOperator, and by which binary."""

    istioctl: str
    given: Mapping[str, t.Any] | str | None
    """As the user has it: the operator itself, the path of a file, or none, where it is made from the rest."""
    revision: str
    istio_namespace: str
    version: str | None
    hub: str
    profile: str

    def rendered(self) -> Rendering:
        """Raises MeshError where the operator is none, is about something else, or istioctl is not of its version."""
        program = _program(self.istioctl)
        operator = self._complete(_read(self.given), _version(program))
        ran = program.run("manifest", "generate", "-f", "-", given=json.dumps(operator))
        if ran.code:
            raise IstioctlError("The IstioOperator cannot be rendered.", where=self._where, why=ran.why, do=f"correct {OPTION}")
        return Rendering(parsed(ran.out, "what istioctl manifest generate prints"), ran.lines)

    @property
    def _where(self) -> str:
        return self.given if isinstance(self.given, str) else OPTION

    def _complete(self, operator: Json, istioctl: str) -> Json:
        """With revision, namespace, hub and tag in it: without them it would render whatever the binary was built with."""
        spec = _mapping(operator, "spec")
        values = _mapping(spec, "values")
        shared = _mapping(values, "global")
        self._agree("spec.revision", spec.get("revision"), self.revision, "revision (mesh_revision)")
        self._agree("spec.values.revision", values.get("revision"), self.revision, "revision (mesh_revision)")
        self._agree("spec.namespace", spec.get("namespace"), self.istio_namespace, "istio_namespace (mesh_istio_namespace)")
        namespace = shared.get("istioNamespace")
        self._agree("spec.values.global.istioNamespace", namespace, self.istio_namespace, "istio_namespace (mesh_istio_namespace)")
        tag = str(spec.get("tag") or shared.get("tag") or self.version or istioctl)
        version = version_of_image(f":{tag}")
        if self.version and version:
            self._agree("spec.tag", version, self.version, "version (mesh_version)")
        wanted = self.version or version
        if wanted and istioctl != wanted:
            raise MeshError(
                f"istioctl is of version {istioctl}, and {wanted} is to be rendered.",
                where=self.istioctl,
                why="each istioctl carries the charts of its own version, whatever tag it is given",
                do=f"name the istioctl of {wanted}: istioctl (mesh_istioctl)",
            )
        filled = {"hub": spec.get("hub") or shared.get("hub") or self.hub, "profile": spec.get("profile") or self.profile}
        ours = {"revision": self.revision, "tag": tag, **filled}
        given = {**values, "global": {**shared, "istioNamespace": self.istio_namespace}}
        return {**operator, "spec": {**spec, **ours, "values": given}}

    def _agree(self, field: str, found: object, wanted: str, option: str) -> None:
        if found is not None and str(found) != wanted and not (found == "" and wanted == DEFAULT):
            raise MeshError(
                "The IstioOperator is for something else.",
                where=f"{self._where}: {field} is {found}",
                why=f"{option} says {wanted}",
                do="correct one of the two",
            )


def check(operator: Operator) -> None:
    """Raises MeshError where istioctl or the operator's file is not there."""
    _program(operator.istioctl).check()
    if isinstance(operator.given, str) and not os.path.isfile(operator.given):
        raise MeshError("The IstioOperator does not exist.", where=operator.given, do=f"correct {OPTION}: a file, or the operator itself")


def _read(given: Mapping[str, t.Any] | str | None) -> Json:
    if given is None:
        return {"apiVersion": API_VERSION, "kind": KIND}
    if not isinstance(given, str):
        return _checked(dict(given), OPTION)
    try:
        with open(given, encoding="utf-8") as file:
            documents = [one for one in yaml.safe_load_all(file) if one is not None]
    except (OSError, ValueError, yaml.YAMLError) as problem:
        why = " ".join(str(problem).split())
        raise MeshError("The IstioOperator cannot be read.", where=given, why=why, do="correct the file") from problem
    if len(documents) != 1:
        why = f"there are {len(documents)} YAML documents in it"
        raise MeshError("The IstioOperator is not one document.", where=given, why=why, do="put into the file just the one that is meant")
    return _checked(documents[0], given)


def _checked(found: object, where: str) -> Json:
    if not isinstance(found, dict) or (found.get("apiVersion"), found.get("kind")) != (API_VERSION, KIND):
        kind = f"{found.get('apiVersion')} {found.get('kind')}" if isinstance(found, dict) else f"{str(found)[:60]!r}"
        raise MeshError("That is no IstioOperator.", where=where, why=f"it is {kind}, not {API_VERSION} {KIND}", do=f"correct {OPTION}")
    return found


def _mapping(inside: Mapping[str, t.Any], name: str) -> Json:
    found = inside.get(name)
    if found is not None and not isinstance(found, Mapping):
        raise MeshError("The IstioOperator is wrong.", where=f"{name}: {found}", why="it must be a mapping", do=f"correct {OPTION}")
    return dict(found or {})


def _version(program: Program) -> str:
    """Of the binary; MeshError where it tells none, since what it would render can't be known then."""
    ran = program.run("version", "--remote=false", "--output", "json")
    try:
        version = str(json.loads(ran.out)["clientVersion"]["version"]) if not ran.code else ""
    except (ValueError, KeyError, TypeError):
        version = ""
    if not version_of_image(f":{version}"):
        why = f"istioctl version says {version!r}" if version else ran.why
        do = "name a released istioctl: istioctl (mesh_istioctl)"
        raise IstioctlError("The version of istioctl cannot be told.", where=program.path, why=why, do=do)
    return version


def _program(path: str) -> Program:
    return Program(path, "istioctl", "install istioctl of the version that is wanted, or name it: istioctl (mesh_istioctl)")
