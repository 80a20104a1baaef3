# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of an upgrade: nobody who needs the old control plane is forgotten, and nothing of it stays."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from tests.lab import istioctl, mesh, samples
from tests.lab.api import Json
from tests.lab.cluster import Cluster

from .conftest import REVISION, Namespaces, Planes
from .tool import Tool, control_plane

APPS = [samples.deployment("api")]
HELM = control_plane("any", "1.30.3")["helm"]
VALIDATORS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


@pytest.fixture
def old(lab: Cluster, planes: Planes) -> str:
    """A control plane that stands, and that nothing needs."""
    name = f"old{secrets.token_hex(3)}"
    planes.append((lab, name))
    mesh.install_istiod(lab, revision=name)
    mesh.wait_ready(lab, name)
    return name


def virtual_service(name: str, **labels: str) -> Json:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": name, "labels": labels},
        "spec": {"hosts": [name]},
    }


def test_nothing_that_needs_a_control_plane_is_forgotten(
    lab: Cluster, tool: Tool, namespaces: Namespaces, old: str, request: pytest.FixtureRequest
) -> None:
    """What ``istioctl uninstall`` goes over without a word (recorded: C), and more of that kind: each is named with its way out."""
    asking = namespaces({"istio.io/rev": old}, APPS)
    following = namespaces({"istio.io/rev": f"tag-{old}"}, wait=False)
    apart = namespaces({}, [samples.deployment("own", labels={"istio.io/rev": old})])
    rules = f"/apis/networking.istio.io/v1/namespaces/{apart}/virtualservices"
    lab.api.post(rules, virtual_service("web", **{"istio.io/rev": old}))
    tag_of(lab, old, request)
    caller(lab, old, request)

    told = " ".join(tool.fails("control_plane", revision=old, state="absent", helm=HELM).split())

    for words in (
        f'Control plane "{old}" is still needed.',
        f"namespaces {asking}",
        f"tag tag-{old}; namespaces {following} follow it",
        f"the pod templates of {apart}/deploy/own",
        f"{apart}/virtualservices.networking.istio.io/web",
        f"ValidatingWebhookConfiguration theirs-{old}",
        f"running proxies of {asking}/deploy/api, {apart}/deploy/own",
        f"kubectl -n {apart} patch deploy/own",
    ):
        assert words in told, told


def tag_of(lab: Cluster, old: str, request: pytest.FixtureRequest) -> None:
    name = f"tag-{old}"
    istioctl.tag_set(lab, name, old)
    for path in (istioctl.MUTATING, istioctl.PATHS["Service"]):
        request.addfinalizer(_deletion(lab, path, name))


def _deletion(lab: Cluster, path: str, tag: str) -> Callable[[], object]:
    return lambda: lab.api.delete(path, labelSelector=f"istio.io/tag={tag}")


def caller(lab: Cluster, old: str, request: pytest.FixtureRequest) -> None:
    """Somebody else's validator of something that never comes, at the old control plane's Service."""
    entry = {
        "name": "theirs.example.com",
        "clientConfig": {"service": {"name": f"istiod-{old}", "namespace": mesh.NAMESPACE, "path": "/validate"}},
        "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    lab.api.post(VALIDATORS, {"kind": "ValidatingWebhookConfiguration", "metadata": {"name": f"theirs-{old}"}, "webhooks": [entry]})
    request.addfinalizer(lambda: lab.api.delete(f"{VALIDATORS}/theirs-{old}"))


def test_one_that_nothing_needs_goes(lab: Cluster, tool: Tool, old: str) -> None:
    gone = tool.verb("control_plane", revision=old, state="absent", successor=REVISION, helm=HELM)
    assert gone["changed"], gone
    assert not mesh.installed(lab, old)
