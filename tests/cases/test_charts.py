# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the lab's charts render, held against what real control planes consist of."""

from __future__ import annotations

import typing as t
from pathlib import Path

from tests.lab import mesh
from tests.lab.api import Json
from tests.unit.figures.table import Figures

from .rendered import generated

TAG = "istio.io/tag"
OF_HELM = ("app.kubernetes.io/", "helm.sh/")
"""What a helm installation adds, in the name of chart and release."""
NEWER = {("CustomResourceDefinition", "trafficextensions.extensions.istio.io")}
"""Not in 1.29 yet; the lab's base is one for all versions."""


def test_a_control_plane_consists_of_what_real_ones_consist_of(figures: Figures) -> None:
    wrong = []
    for name, real in figures.objects.items():
        version, _eq, given = name.partition(" revision=")
        revision = "" if given == "(none)" else given
        ours = mesh.rendered("istiod", values={"revision": revision, "global": {"tag": version}})
        ours += mesh.rendered("base", values={"defaultRevision": ""})
        rendered = {_key(item): _labels(item["metadata"].get("labels") or {}) for item in ours}
        wanted = {(item["kind"], item["name"]): _labels(item["labels"]) for item in real}
        wrong += [f"{name}: {key} is missing" for key in wanted.keys() - rendered.keys()]
        wrong += [f"{name}: {key} is too much" for key in rendered.keys() - wanted.keys() - NEWER]
        wrong += [
            f"{name}: {key} has {rendered[key]}, not {wanted[key]}"
            for key in wanted.keys() & rendered.keys()
            if rendered[key] != wanted[key]
        ]
    assert not wrong, "\n".join(wrong)


def test_the_stand_in_of_istioctl_renders_what_real_ones_render(figures: Figures, tmp_path: Path) -> None:
    for name, real in figures.objects.items():
        version, _eq, given = name.partition(" revision=")
        ours = generated(tmp_path, "" if given == "(none)" else given, version)
        assert {_key(item) for item in ours} - NEWER == {(item["kind"], item["name"]) for item in real} - NEWER, name
        (istiod,) = [item for item in ours if item["kind"] == "Deployment"]
        assert istiod["spec"]["template"]["spec"]["containers"][0]["image"] == f"docker.io/istio/pilot:{version}"


def test_the_injectors_select_as_real_ones_do(figures: Figures) -> None:
    wrong = []
    for state, real in figures.webhooks.items():
        by_default = "by default" in state
        for item in real:
            labels = item["metadata"]["labels"]
            revision, tag = labels["istio.io/rev"], labels.get(TAG)
            values = {
                "revision": "" if revision == "default" else revision,
                "revisionTags": [tag] if tag else [],
                "sidecarInjectorWebhook": {"enableNamespacesByDefault": by_default and revision == "default"},
            }
            kind = [one for one in mesh.rendered("istiod", values=values) if one["kind"] == "MutatingWebhookConfiguration"]
            (ours,) = [one for one in kind if one["metadata"]["labels"].get(TAG) == tag]
            if (ours["metadata"]["name"], _entries(ours)) != (item["metadata"]["name"], _entries(item)):
                wrong.append(f"{state}, {item['metadata']['name']}:\n  real {_entries(item)}\n  ours {_entries(ours)}")
    assert not wrong, "\n".join(wrong)


def _key(item: Json) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _labels(labels: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if not name.startswith(OF_HELM)}


def _entries(item: Json) -> list[t.Any]:
    return [
        (entry["name"], entry["clientConfig"]["service"], _selector(entry, "namespaceSelector"), _selector(entry, "objectSelector"))
        for entry in item["webhooks"]
    ]


def _selector(entry: Json, name: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """In an order of its own: all requirements must hold."""
    found = entry.get(name) or {}
    equal = [(key, "In", (value,)) for key, value in (found.get("matchLabels") or {}).items()]
    return sorted(equal + [(one["key"], one["operator"], tuple(one.get("values") or ())) for one in found.get("matchExpressions") or ()])
