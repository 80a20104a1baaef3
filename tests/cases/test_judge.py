# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in before its judge: what a real istioctl renders, and a real istiod answers, is what ours would. Needs ``LAB_ISTIO_BIN``."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import Callable, Iterable

import pytest

from tests.lab import manifests, mesh, real, standin_istioctl
from tests.lab.api import Json
from tests.lab.cluster import Cluster
from tests.lab.istiod.patch import OVERRIDES, Injection, injected

from .conftest import REVISION, REVISION_VERSION, Namespaces

pytestmark = pytest.mark.skipif(not real.wanted(), reason=f"{real.VARIABLE} names no real Istio")

Record = Callable[[str, object], None]
FIELDS: dict[str, t.Any] = {
    "MutatingWebhookConfiguration": lambda one: [
        {key: hook.get(key) for key in ("name", "namespaceSelector", "objectSelector", "failurePolicy", "clientConfig", "rules")}
        for hook in one["webhooks"]
    ],
    "ValidatingWebhookConfiguration": lambda one: [
        {key: hook.get(key) for key in ("name", "objectSelector", "failurePolicy", "clientConfig")} for hook in one["webhooks"]
    ],
    "Service": lambda one: (one["spec"]["selector"], sorted((port["name"], port["port"]) for port in one["spec"]["ports"])),
    "Deployment": lambda one: (one["spec"]["selector"], one["spec"]["template"]["spec"]["containers"][0]["image"]),
    "HorizontalPodAutoscaler": lambda one: (one["spec"]["minReplicas"], one["spec"]["scaleTargetRef"]["name"]),
}
"""What of an object the collection looks at."""
PLANES: dict[str, tuple[str, str, list[str]]] = {
    "unrevisioned 1.29.6": ("", "1.29.6", []),
    "revision of 1.29.6": ("1-29-6", "1.29.6", []),
    "unrevisioned 1.30.3": ("", "1.30.3", []),
    "revision of 1.30.3": ("1-30-3", "1.30.3", []),
    "revision of 1.30.3 with tags": ("1-30-3", "1.30.3", ["prod", "default"]),
}


@pytest.mark.parametrize(("revision", "version", "tags"), PLANES.values(), ids=PLANES)
def test_a_control_plane_is_rendered_as_istioctl_renders_it(revision: str, version: str, tags: list[str], record_property: Record) -> None:
    spec = {**({"revision": revision} if revision else {}), **manifests.operator({}, tags), "components": {"base": {"enabled": False}}}
    theirs = _looked_at(manifests.generated(version, spec))
    ours = _looked_at(mesh.rendered("istiod", values={"revision": revision, "revisionTags": tags, "global": {"tag": version}}))
    differences = _differences(ours, theirs)
    for one in differences:
        record_property("differed", f"rendering of {version} {revision or 'unrevisioned'}: {one}")
    assert not differences


def test_the_gateway_of_a_profile_is_rendered_as_istioctl_renders_it(record_property: Record) -> None:
    """Its name is the same in all revisions, which is what matters of it."""
    spec = {"profile": "default", "revision": "1-30-3"}
    theirs, ours = (
        _looked_at(one for one in made if one["metadata"]["name"].startswith("istio-ingressgateway"))
        for made in (manifests.generated("1.30.3", spec), standin_istioctl.generated(manifests.iop("1.30.3", spec), "1.30.3"))
    )
    for one in _differences(ours, theirs):
        record_property("differed", f"gateway of profile default: {one}")
    assert not _differences(ours, theirs)


def _looked_at(objects: Iterable[Json]) -> Json:
    found = {}
    for one in objects:
        labels = {name: value for name, value in (one["metadata"].get("labels") or {}).items() if "istio.io/" in name or name == "app"}
        about = FIELDS.get(one["kind"], lambda _one: None)(one)
        found[f"{one['kind']}/{one['metadata']['name']}"] = {"labels": labels, "is": about}
    return found


PODS: dict[str, Json] = {
    "plain": {},
    "opted out": {"labels": {"sidecar.istio.io/inject": "false"}},
    "as a container": {"annotations": {"sidecar.istio.io/nativeSidecar": "false"}},
    "native": {"annotations": {"sidecar.istio.io/nativeSidecar": "true"}},
    "with an image of its own": {"annotations": {"sidecar.istio.io/proxyImage": "registry.example.com/proxy:7"}},
    "without metrics merged": {"annotations": {"prometheus.istio.io/merge-metrics": "false"}},
    "a gateway": {"annotations": {"inject.istio.io/templates": "gateway"}, "labels": {"sidecar.istio.io/inject": "true"}},
}
ASKED = {"default": ({"istio-injection": "enabled"}, mesh.VERSION), REVISION: ({"istio.io/rev": REVISION}, REVISION_VERSION)}


@pytest.mark.parametrize("revision", ASKED)
@pytest.mark.parametrize("metadata", PODS.values(), ids=PODS)
def test_a_pod_gets_what_a_real_one_gives_it(
    lab: Cluster, namespaces: Namespaces, revision: str, metadata: Json, record_property: Record
) -> None:
    labels, version = ASKED[revision]
    name = namespaces(labels)
    container = {"name": "app", "image": "registry.example.com/app:1"}
    if "inject.istio.io/templates" in metadata.get("annotations", {}):
        container = {"name": "istio-proxy", "image": "auto"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": name, **metadata}, "spec": {"containers": [container]}}
    theirs = lab.api.post(f"/api/v1/namespaces/{name}/pods", pod, dryRun="All")
    injection = Injection(revision, version, image=f"docker.io/istio/proxyv2:{version}")
    native = metadata.get("annotations", {}).get("sidecar.istio.io/nativeSidecar", "true") == "true"
    if metadata.get("labels", {}).get("sidecar.istio.io/inject") == "false":
        ours = pod
    else:
        ours = injected(copy.deepcopy(pod), injection, native=native)
    differences = _differences(_left_on(ours), _left_on(theirs))
    for one in differences:
        record_property("differed", f"{version} {revision}, pod {metadata}: {one}")
    assert not differences


def _left_on(pod: Json) -> Json:
    metadata, spec = pod["metadata"], pod["spec"]
    return {
        "labels": metadata.get("labels") or {},
        # An overriding container is told as it came: with the API server's defaults, which the stand-in's pod here lacks.
        "annotations": {**(metadata.get("annotations") or {}), OVERRIDES: OVERRIDES in (metadata.get("annotations") or {})},
        "containers": [(one["name"], one["image"]) for one in spec["containers"]],
        "init": [(one["name"], one["image"], one.get("restartPolicy")) for one in spec.get("initContainers") or ()],
        "volumes": [one["name"] for one in spec.get("volumes") or () if not one["name"].startswith("kube-api-access-")],
        "arguments": {one["name"]: (one.get("args") or [])[:2] for one in spec["containers"] if one["name"] == "istio-proxy"},
    }


def _differences(ours: t.Any, theirs: t.Any, path: str = "") -> list[str]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = sorted({*ours, *theirs})
        return [line for key in keys for line in _differences(ours.get(key), theirs.get(key), f"{path}/{key}")]
    return [] if ours == theirs else [f"{path}: ours {ours!r}, real {theirs!r}"]
