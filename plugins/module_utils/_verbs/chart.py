# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say what a control plane is installed from, shared by the verb that installs it and the one that plans it."""

from __future__ import annotations

import os
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import service_of
from ansible_collections.meshops.istio.plugins.module_utils._render.helm import Chart, check

CHART: dict[str, t.Any] = {
    "provider": {"type": "str", "choices": ["helm"], "default": "helm"},
    "chart": {"type": "str"},
    "values": {"type": "dict", "default": {}},
    "helm": {"type": "str", "default": "helm"},
}


def chart_of(params: Mapping[str, t.Any]) -> Chart:
    """The chart with the user's values and with what the revision itself says, by the official chart's names."""
    given = params["values"].get("global") or {}
    if not isinstance(given, dict):
        do = "correct values (mesh_values)"
        raise MeshError("The values for the chart are wrong.", where=f"global: {given}", why="it must be a mapping", do=do)
    shared = {"istioNamespace": params["istio_namespace"], **given}
    values = {**params["values"], "revision": params["revision"], "global": shared}
    return Chart(os.path.expanduser(params["helm"]), os.path.expanduser(params["chart"] or ""), params["version"], values)


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


def check_chart(chart: Chart) -> None:
    """Asks the disk and helm. Raises MeshError where the chart is not given, or it or helm is not there."""
    if not chart.name:
        do = "chart (mesh_chart): the istiod chart, as a path or as a name that helm takes"
        raise MeshError("No chart is given.", where="provider helm", why="helm installs the control plane from a chart", do=do)
    check(chart)


def release_of(revision: str) -> str:
    """Also the name of its Deployment and its Service."""
    return service_of(revision)
