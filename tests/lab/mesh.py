# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control planes on a lab cluster, installed with helm as a user would, and the wait until they inject."""

from __future__ import annotations

import json
import subprocess
import typing as t
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from . import manifests, real
from .api import ApiProblem, Json
from .build import binaries
from .cluster import Cluster, condition

CHARTS = Path(__file__).parent / "charts"
NAMESPACE = "istio-system"
BASE = "istio-base"
VERSION, NEWEST = "1.29.6", "1.30.3"
WEBHOOKS = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")


class HelmError(Exception):
    """What helm said when it failed."""


def install_base(cluster: Cluster, values: Mapping[str, t.Any] | None = None) -> None:
    chart, given = base_chart(values or {})
    _helm(cluster, ["upgrade", "--install", BASE, chart, "--create-namespace"], given)


def install_istiod(
    cluster: Cluster, revision: str = "", version: str = VERSION, tags: Sequence[str] = (), values: Mapping[str, t.Any] | None = None
) -> None:
    """One control plane; an empty revision is the unrevisioned one, which answers to ``default``. Does not wait for it."""
    chart, given = istiod_chart(revision, version, tags, values or {})
    _helm(cluster, ["upgrade", "--install", release(revision), chart, "--create-namespace"], given)


def base_chart(values: Mapping[str, t.Any]) -> tuple[str, Mapping[str, t.Any]]:
    """The chart and its values; with a real Istio, one of what its istioctl renders of them."""
    if real.wanted():
        return str(manifests.base_chart(NEWEST, values)), {}
    return str(CHARTS / "base"), values


def istiod_chart(
    revision: str, version: str, tags: Sequence[str] = (), values: Mapping[str, t.Any] | None = None
) -> tuple[str, Mapping[str, t.Any]]:
    """The same for one control plane."""
    if real.wanted():
        return str(manifests.istiod_chart(version, revision, tags, values or {})), {}
    ours = {"revision": revision, "revisionTags": list(tags), "global": {"tag": version}}
    return str(CHARTS / "istiod"), merged(ours, values or {})


def rendered(chart: str, name: str = "istio", values: Mapping[str, t.Any] | None = None) -> list[Json]:
    """What ``helm template`` makes of a chart of the lab, ``base`` or ``istiod``: nothing is installed."""
    done = _run(["template", name, str(CHARTS / chart)], values or {}, None)
    return [one for one in yaml.safe_load_all(done) if one]


def uninstall(cluster: Cluster, revision: str = "") -> None:
    _helm(cluster, ["uninstall", release(revision), "--ignore-not-found", "--wait"], None)


def uninstall_base(cluster: Cluster) -> None:
    _helm(cluster, ["uninstall", BASE, "--ignore-not-found", "--wait"], None)


def release(revision: str) -> str:
    """Helm's release and the Deployment have the same name."""
    return f"istiod-{revision}" if revision else "istiod"


def wait_ready(cluster: Cluster, revision: str = "", timeout: float = 60) -> None:
    """Until the Deployment is rolled out and its own CA is in every webhook that carries its revision: then it injects."""
    name = release(revision)
    deployments = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    cluster.api.until(deployments, _all_rolled_out, timeout=timeout, what=f"deploy/{name}", fieldSelector=f"metadata.name={name}")
    for kind in WEBHOOKS:
        cluster.api.until(
            f"/apis/admissionregistration.k8s.io/v1/{kind}",
            _all_have_a_ca,
            timeout=timeout,
            what=f"the caBundles of {kind} of revision {revision or 'default'}",
            labelSelector=f"istio.io/rev={revision or 'default'}",
        )


def rolled_out(deployment: Json) -> bool:
    """As ``kubectl rollout status`` has it: the controller has seen it, every replica is new, available, and no old one is left."""
    wanted = deployment["spec"].get("replicas", 1)
    status = deployment.get("status", {})
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return seen and counts == [wanted] * 3 and (condition(deployment, "Available") or wanted == 0)


def scale(cluster: Cluster, revision: str, replicas: int) -> None:
    """Returns when the API server would see it in its next call."""
    name = release(revision)
    cluster.api.patch(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}", {"spec": {"replicas": replicas}})

    def as_many(slices: list[Json]) -> bool:
        return sum(bool(one["conditions"].get("ready")) for found in slices for one in found.get("endpoints") or ()) == replicas

    slices = f"/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices"
    cluster.api.until(slices, as_many, timeout=30, what=f"{name}'s endpoints", labelSelector=f"kubernetes.io/service-name={name}")


def installed(cluster: Cluster, revision: str = "") -> bool:
    try:
        cluster.api.get(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{release(revision)}")
    except ApiProblem as problem:
        if problem.status == 404:
            return False
        raise
    return True


def _all_rolled_out(deployments: list[Json]) -> bool:
    return bool(deployments) and all(map(rolled_out, deployments))


def _all_have_a_ca(configurations: list[Json]) -> bool:
    return all(hook["clientConfig"].get("caBundle") for one in configurations for hook in one.get("webhooks") or ())


def merged(one: Mapping[str, t.Any], two: Mapping[str, t.Any]) -> Json:
    """The second wins, except that mappings in both are merged."""
    both = {name: merged(one[name], two[name]) for name in one if isinstance(one[name], Mapping) and isinstance(two.get(name), Mapping)}
    return {**one, **two, **both}


def _helm(cluster: Cluster, arguments: list[str], values: Mapping[str, t.Any] | None) -> None:
    _run([*arguments, "--kubeconfig", str(cluster.kubeconfig)], values, cluster.environment())


def _run(arguments: list[str], values: Mapping[str, t.Any] | None, environment: Mapping[str, str] | None) -> str:
    command = [str(binaries() / "helm"), *arguments, "--namespace", NAMESPACE]
    text = None
    if values is not None:
        command += ["--values", "-"]
        text = json.dumps(values)
    done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HelmError(f"helm {' '.join(arguments[:3])}: {done.stderr.strip()}")
    return done.stdout
