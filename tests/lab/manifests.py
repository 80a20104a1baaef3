# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real ``istioctl manifest generate`` renders, as charts: so that helm installs it where it would install the lab's own charts."""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
import typing as t
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import yaml

from . import real
from .api import Json

PILOT = ("autoscaleEnabled", "autoscaleMin", "autoscaleMax", "replicaCount", "env", "podAnnotations", "podLabels", "nodeSelector")
"""Values that stand at the top of Istio's charts for helm, and under ``pilot`` for istioctl."""

OF_RELEASE = ("release", "app.kubernetes.io/instance")
RELEASE = "name-of-the-release"
"""Stands where helm puts it, so that what helm has installed differs from what istioctl renders just as it does of Istio's own charts."""


def base_chart(version: str, values: Mapping[str, t.Any]) -> Path:
    """Chart ``base``: its default validator is rendered by istioctl only where it is asked for."""
    return _chart(version, {"components": {"pilot": {"enabled": False}}, "values": {"defaultRevision": "default", **values}})


def istiod_chart(version: str, revision: str, tags: Sequence[str], values: Mapping[str, t.Any]) -> Path:
    asked = {"revision": revision} if revision else {}
    return _chart(version, {**asked, **operator(values, tags), "components": {"base": {"enabled": False}}})


def operator(values: Mapping[str, t.Any], tags: Sequence[str] = ()) -> Json:
    """Helm's values of a control plane as part of the ``spec`` of an IstioOperator."""
    pilot = {name: values[name] for name in PILOT if name in values} | dict(values.get("pilot") or {})
    others = {name: value for name, value in values.items() if name not in (*PILOT, "pilot", "revision", "meshConfig")}
    others["global"] = {name: value for name, value in (values.get("global") or {}).items() if name not in ("tag", "hub")}
    given = {**others, **({"pilot": pilot} if pilot else {}), **({"revisionTags": list(tags)} if tags else {})}
    return {"values": {name: value for name, value in given.items() if value != {}}} | (
        {"meshConfig": values["meshConfig"]} if "meshConfig" in values else {}
    )


def iop(version: str, spec: Mapping[str, t.Any]) -> Json:
    full = {"profile": "minimal", "hub": "docker.io/istio", "tag": version, **spec}
    return {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": full}


def generated(version: str, spec: Mapping[str, t.Any]) -> list[Json]:
    said = real.istioctl(version, ["manifest", "generate", "-f", "-"], text=json.dumps(iop(version, spec)))
    return [one for one in yaml.safe_load_all(said) if one]


def _chart(version: str, spec: Mapping[str, t.Any]) -> Path:
    """A folder with the objects as they are: nothing in them is a template of helm's. CRDs stay when it goes, as Istio's own do."""
    path = _folder() / hashlib.sha256(json.dumps([version, spec], sort_keys=True).encode()).hexdigest()[:16]
    if not path.exists():
        objects = generated(version, spec)
        for one in objects:
            labels = one["metadata"].get("labels") or {}
            labels |= {name: RELEASE for name in OF_RELEASE if name in labels}
            if one["kind"] == "CustomResourceDefinition":
                one["metadata"].setdefault("annotations", {})["helm.sh/resource-policy"] = "keep"
        (path / "templates").mkdir(parents=True)
        (path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "rendered", "version": version}))
        (path / "objects.yaml").write_text(yaml.safe_dump_all(objects))
        (path / "upgrade.yaml").write_text(yaml.safe_dump_all(map(_upgrading, objects)))
        (path / "templates" / "objects.yaml").write_text(
            '{{ .Files.Get (ternary "upgrade.yaml" "objects.yaml" .Release.IsUpgrade) | replace "' + RELEASE + '" .Release.Name }}'
        )
    return path


def _upgrading(item: Json) -> Json:
    """As an upgrade renders it: Istio's charts leave out the validator's ``failurePolicy`` then, which istiod has changed meanwhile."""
    if item["kind"] != "ValidatingWebhookConfiguration":
        return item
    return item | {"webhooks": [{key: value for key, value in entry.items() if key != "failurePolicy"} for entry in item["webhooks"]]}


@cache
def _folder() -> Path:
    folder = tempfile.mkdtemp(prefix="lab-charts-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
