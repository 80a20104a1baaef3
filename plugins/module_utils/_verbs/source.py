# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane is installed from: the options of the verb that installs it and of the one that plans it."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import service_of
from ansible_collections.meshops.istio.plugins.module_utils._render import helm, istioctl, manifests
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart
from ansible_collections.meshops.istio.plugins.module_utils._render.istioctl import Operator
from ansible_collections.meshops.istio.plugins.module_utils._render.manifests import Manifests
from ansible_collections.meshops.istio.plugins.module_utils._render.rendering import Rendering, check_once, check_rendering

HELM, ISTIOCTL, MANIFESTS = PROVIDERS = ("helm", "istioctl", "manifests")
Source: t.TypeAlias = "Chart | Operator | Manifests"

SOURCE: dict[str, t.Any] = {
    "provider": {"type": "str", "choices": list(PROVIDERS), "default": HELM},
    "chart": {"type": "str"},
    "values": {"type": "dict", "default": {}},
    "helm": {"type": "str", "default": "helm"},
    "istio_operator": {"type": "raw"},
    "hub": {"type": "str", "default": "docker.io/istio"},
    "profile": {"type": "str", "default": "minimal"},
    "istioctl": {"type": "str", "default": "istioctl"},
    "manifests": {"type": "list", "elements": "str", "default": []},
    "apply_shared": {"type": "bool", "default": False},
}


def source_of(params: Mapping[str, t.Any]) -> Source:
    """Raises MeshError where the options make no sense; whether what they name is there is asked by ``check_source``."""
    match params["provider"]:
        case "istioctl":
            return _operator(params)
        case "manifests":
            return Manifests(tuple(os.path.expanduser(path) for path in params["manifests"]))
    return chart_of(params)


def chart_of(params: Mapping[str, t.Any]) -> Chart:
    """The chart with the user's values and with what the revision itself says, by the official chart's names."""
    given = params["values"].get("global") or {}
    if not isinstance(given, dict):
        do = "correct values (mesh_values)"
        raise MeshError("The values for the chart are wrong.", where=f"global: {given}", why="it must be a mapping", do=do)
    shared = {"istioNamespace": params["istio_namespace"], **given}
    values = {**params["values"], "revision": params["revision"], "global": shared}
    return Chart(os.path.expanduser(params["helm"]), os.path.expanduser(params["chart"] or ""), params["version"], values)


def _operator(params: Mapping[str, t.Any]) -> Operator:
    given = params["istio_operator"] or None
    if given is not None and not isinstance(given, str | Mapping):
        do = f"correct {istioctl.OPTION}: the path of a file, or the operator itself"
        raise MeshError("The IstioOperator is neither a file nor a mapping.", where=str(given)[:80], do=do)
    return Operator(
        istioctl=os.path.expanduser(params["istioctl"]),
        given=os.path.expanduser(given) if isinstance(given, str) else given,
        revision=params["revision"],
        istio_namespace=params["istio_namespace"],
        version=params["version"],
        hub=params["hub"],
        profile=params["profile"],
    )


def check_source(source: Source) -> None:
    """Asks the disk and the programs. Raises MeshError where the source is not given, or it or its program is not there."""
    match source:
        case Chart():
            if not source.name:
                do = "chart (mesh_chart): the istiod chart, as a path or as a name that helm takes"
                raise MeshError("No chart is given.", where="provider helm", why="helm installs the control plane from a chart", do=do)
            helm.check(source)
        case Operator():
            istioctl.check(source)
        case Manifests():
            if not source.paths:
                do = "manifests (mesh_manifests): the files of the control plane, or folders with them"
                raise MeshError("No manifests are given.", where="provider manifests", do=do)
            manifests.check(source)


def offline(source: Source, revision: str, istio_namespace: str) -> Rendering:
    """What it renders without any cluster."""
    if isinstance(source, Chart):
        return helm.offline(release_of(revision), istio_namespace, source)
    found = source.rendered()
    check_once(found.objects)
    return found


def rendered_version(source: Source, rendering: Rendering, revision: str, version: str | None) -> str | None:
    """The version that it brings; MeshError where it is another than expected, or it brings no control plane of that revision."""
    named = {"Chart": "The chart", "Operator": "The IstioOperator", "Manifests": "What is in the manifests"}[type(source).__name__]
    return check_rendering(rendering.objects, revision, version, named)


_SECRET = re.compile(r"password|passwd|passphrase|secret|token|credential|keys?$", re.IGNORECASE)
_HIDDEN, _CHANGED = "(a secret)", "(a secret, another one)"


def shown(values: t.Any, beside: t.Any = None, name: str = "") -> t.Any:
    """Values as a diff may show them: without what looks like a secret by its name, but still with whether that is another one.

    ``beside`` are the values that they stand against.
    """
    if _SECRET.search(name) and values is not None and not isinstance(values, bool):
        return _HIDDEN if beside is None or beside == values else _CHANGED
    if isinstance(values, Mapping):
        others = beside if isinstance(beside, Mapping) else {}
        called = str(values.get("name", ""))  # of a variable as containers have it: name, value
        return {key: shown(value, others.get(key), called if key == "value" else str(key)) for key, value in values.items()}
    if isinstance(values, list | tuple):
        listed = dict(enumerate(beside)) if isinstance(beside, list | tuple) else {}
        return [shown(value, listed.get(at)) for at, value in enumerate(values)]
    return values


def release_of(revision: str) -> str:
    """The helm release, which has the name that the chart gives to Deployment, Service and the like."""
    return service_of(revision)
