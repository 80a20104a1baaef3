# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for the providers that render: an istioctl of the version, or the same as files."""

from __future__ import annotations

import contextlib
import json
import subprocess
import typing as t
from pathlib import Path

import yaml

from tests.lab import mesh, real, standin_istioctl
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

HUB = "docker.io/istio"
KINDS = {
    "mutatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations": "/apis/admissionregistration.k8s.io/v1",
    "clusterroles": "/apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "/apis/rbac.authorization.k8s.io/v1",
    "deployments": f"/apis/apps/v1/namespaces/{mesh.NAMESPACE}",
    "services": f"/api/v1/namespaces/{mesh.NAMESPACE}",
    "configmaps": f"/api/v1/namespaces/{mesh.NAMESPACE}",
    "serviceaccounts": f"/api/v1/namespaces/{mesh.NAMESPACE}",
    "roles": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{mesh.NAMESPACE}",
    "rolebindings": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{mesh.NAMESPACE}",
    "horizontalpodautoscalers": f"/apis/autoscaling/v2/namespaces/{mesh.NAMESPACE}",
    "poddisruptionbudgets": f"/apis/policy/v1/namespaces/{mesh.NAMESPACE}",
}


def istioctl(folder: Path, version: str) -> str:
    return str(real.program("istioctl", version) if real.wanted() else standin_istioctl.executable(folder, version))


def by_istioctl(folder: Path, revision: str, version: str, **spec: object) -> dict[str, object]:
    """Options of ``control_plane`` that make it of an IstioOperator, with more in its ``spec``."""
    operator = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": spec}
    asked = {"istio_operator": operator} if spec else {}
    return {"provider": "istioctl", "revision": revision, "version": version, "istioctl": istioctl(folder, version), **asked}


def by_manifests(folder: Path, revision: str, version: str, objects: t.Iterable[Json] | None = None) -> dict[str, object]:
    """The same from a folder with files; ``objects`` are others than istioctl would render."""
    rendered = generated(folder, revision, version) if objects is None else list(objects)
    path = folder / f"manifests-{revision}"
    path.mkdir(exist_ok=True)
    half = len(rendered) // 2
    (path / "one.yaml").write_text(yaml.safe_dump_all(rendered[:half]))
    (path / "two.yml").write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": rendered[half:]}))
    return {"provider": "manifests", "revision": revision, "version": version, "manifests": [str(path)]}


def generated(folder: Path, revision: str, version: str, **spec: object) -> list[Json]:
    """What istioctl makes of an IstioOperator."""
    full = {"profile": "minimal", "hub": HUB, "tag": version, "revision": revision, **spec}
    operator = {"apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "spec": full}
    command = [istioctl(folder, version), "manifest", "generate", "-f", "-"]
    done = subprocess.run(command, input=json.dumps(operator), capture_output=True, text=True, check=True)
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def variables(asked: t.Mapping[str, object], **more: object) -> dict[str, object]:
    """Options of ``control_plane`` as variables of role ``mesh``."""
    return {f"mesh_{name}": value for name, value in {**asked, **more}.items()}


PROVIDERS = {"istioctl": by_istioctl, "manifests": by_manifests}


def of_revision(lab: Cluster, revision: str) -> set[str]:
    """All objects of a control plane that are there, by kind and name; what our record of it is is among them."""
    found = set()
    for kind, path in KINDS.items():
        names = (item["metadata"]["name"] for item in lab.api.get(f"{path}/{kind}")["items"])
        found |= {f"{kind}/{name}" for name in names if name.endswith((f"-{revision}", f"-{revision}-{mesh.NAMESPACE}"))}
    return found


def clear(lab: Cluster, revision: str) -> None:
    """All of a control plane, whoever made it; helm's record of it does not go."""
    for one in of_revision(lab, revision):
        kind, _slash, name = one.partition("/")
        with contextlib.suppress(ApiProblem):
            lab.api.delete(f"{KINDS[kind]}/{kind}/{name}")


def stock(lab: Cluster, revision: str) -> Json | None:
    """The record of what a control plane consists of."""
    try:
        found = lab.api.get(f"/api/v1/namespaces/{mesh.NAMESPACE}/configmaps/meshops-objects-{revision}")
    except ApiProblem as problem:
        if problem.status == 404:
            return None
        raise
    return t.cast("Json", json.loads(found["data"]["objects"]))
