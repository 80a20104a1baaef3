# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the program istioctl: ``version`` and ``manifest generate`` as 1.29.6 and 1.30.3 answer them, from the lab's own charts.

Where ``LAB_ISTIO_BIN`` names a folder with real ones (``VERSION/istioctl``), those are taken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import typing as t
from collections.abc import Mapping
from pathlib import Path

import yaml

from .api import Json
from .cluster import CHECKOUT
from .mesh import NAMESPACE, rendered

GATEWAYS = ("default", "demo", "preview")
"""Profiles that bring a gateway."""
GATEWAY_PORTS = [{"name": "status-port", "port": 15021}, {"name": "http2", "port": 80}, {"name": "https", "port": 443}]


def executable(folder: Path, version: str) -> Path:
    """A program ``istioctl`` of that version."""
    real = Path(os.environ.get("LAB_ISTIO_BIN", ""), version, "istioctl")
    if os.environ.get("LAB_ISTIO_BIN") and os.access(real, os.X_OK):
        return real.absolute()
    program = folder / f"istioctl-{version}"
    program.write_text(f'#!/bin/sh\ncd {CHECKOUT} && exec {sys.executable} -m tests.lab.standin_istioctl {version} "$@"\n')
    program.chmod(0o755)
    return program


def main(words: list[str]) -> None:
    version, *rest = words
    parser = argparse.ArgumentParser("istioctl", exit_on_error=False)
    commands = parser.add_subparsers(dest="command", required=True)
    told = commands.add_parser("version")
    told.add_argument("--remote", default="true")
    told.add_argument("--output", "-o", default="")
    generate = commands.add_parser("manifest").add_subparsers(required=True).add_parser("generate")
    generate.add_argument("--filename", "-f", default="-")
    given = parser.parse_args(rest)
    if given.command == "version":
        print(json.dumps({"clientVersion": {"version": version, "revision": "stand-in", "status": "Clean", "tag": version}}))
        return
    text = sys.stdin.read() if given.filename == "-" else Path(given.filename).read_text()
    print(yaml.safe_dump_all(generated(yaml.safe_load(text), version), sort_keys=False))


def generated(operator: Json, version: str) -> list[Json]:
    spec = operator.get("spec") or {}
    if spec.get("profile", "default") == "empty":
        return []
    asked: Json = spec.get("values") or {}
    shared = {"hub": spec.get("hub", "unknown"), "tag": spec.get("tag", "unknown"), **(asked.get("global") or {})}
    values: dict[str, t.Any] = {**asked, "revision": spec.get("revision", ""), "global": shared}
    if spec.get("revision") == "default":
        values["revision"] = ""
    if "meshConfig" in spec:
        values["meshConfig"] = spec["meshConfig"]
    objects = rendered("base", values={"defaultRevision": ""}) + rendered("istiod", values=values)
    return objects + (_gateway(values["revision"], version) if spec.get("profile", "default") in GATEWAYS else [])


def _gateway(revision: str, version: str) -> list[Json]:
    """Of the default profile: its name is the same whatever the revision is."""
    name, account = "istio-ingressgateway", "istio-ingressgateway-service-account"
    selector = {"app": name, "istio": "ingressgateway"}
    component = {"istio.io/rev": revision or "default", "operator.istio.io/component": "IngressGateways"}
    component["install.operator.istio.io/owning-resource"] = "unknown"
    labels = selector | component
    container = {"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}"}
    template = {"metadata": {"labels": labels}, "spec": {"serviceAccountName": account, "containers": [container]}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": f"{name}-sds"}
    secrets = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch", "list"]}
    return [
        _object("v1", "ServiceAccount", account, labels),
        _object(
            "apps/v1",
            "Deployment",
            name,
            labels | {"istio.io/dataplane-mode": "none"},
            spec={"selector": {"matchLabels": selector}, "template": template},
        ),
        _object("rbac.authorization.k8s.io/v1", "Role", f"{name}-sds", component, rules=[secrets]),
        _object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            f"{name}-sds",
            component,
            roleRef=role,
            subjects=[{"kind": "ServiceAccount", "name": account}],
        ),
        _object(
            "autoscaling/v2", "HorizontalPodAutoscaler", name, labels, spec={"minReplicas": 1, "maxReplicas": 5, "scaleTargetRef": target}
        ),
        _object("v1", "Service", name, labels, spec={"selector": selector, "ports": GATEWAY_PORTS}),
    ]


def _object(version: str, kind: str, name: str, labels: Mapping[str, str], **content: t.Any) -> Json:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": dict(labels)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **content}


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (argparse.ArgumentError, ValueError, yaml.YAMLError) as problem:
        sys.exit(f"Error: {problem}")
