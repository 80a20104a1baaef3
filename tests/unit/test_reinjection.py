# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says of injection: whose pods would come back other than they are."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.answer import TEMPLATES
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.new_sidecar import sidecar_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.plan import make_plan
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot, expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Proxy, Workload
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, unrevisioned

SHOP, PLAIN = namespace("shop", injection="enabled"), namespace("plain")
WEB = deployment("web", "shop")
TARGET = Target(NEW, "1.30.3", OLD, (("shop",),), frozenset(), "istio-system")


def one(labels: dict[str, str] | None = None, *, into: str = "shop", **more: t.Any) -> Workload:
    return replace(deployment("odd", into, labels=labels or {}), **more)


def there(*workloads: Workload, old: str = "1.29.6") -> Snapshot:
    found = mesh((SHOP, PLAIN), ((WEB, proxy()), *((workload, None) for workload in workloads)))
    return replace(found, control_planes=(plane(OLD, old),))


def down(snapshot: Snapshot, revision: str) -> Snapshot:
    """Its Service has no endpoint."""
    known = [one for one in snapshot.injectors if one.revision != revision]
    found = next((one for one in snapshot.injectors if one.revision == revision), expected_injector(revision))
    return replace(snapshot, injectors=(*known, replace(found, service=f"istiod-{revision}", namespace="istio-system", ready=False)))


def settled(snapshot: Snapshot, **settings: t.Any) -> Snapshot:
    """The old control plane's injector has these settings."""
    return replace(snapshot, control_planes=tuple(replace(one, settings=Settings(**settings)) for one in snapshot.control_planes))


@dataclass(frozen=True)
class Case:
    snapshot: Snapshot
    says: str
    """Empty: nothing at all."""
    weight: str = "blocker"
    target: Target = TARGET


AUTO: dict[str, t.Any] = {"auto_image": True}
CASES = {
    "nothing is odd": Case(there(), ""),
    "what has opted out stays out": Case(there(one({INJECT: "false"})), ""),
    "a word that kept it out up to 1.26": Case(there(one({INJECT: "off"}), old="1.26.8"), f"shop/deploy/odd ({INJECT}=off)"),
    "the same word where it has not kept it out": Case(there(one({INJECT: "off"}), old="1.28.0"), ""),
    "the same word as an annotation": Case(
        there(replace(one(), template=PodShape({}, {INJECT: "no"})), old="1.26.8"), "Workloads that have opted out would get a sidecar."
    ),
    "a word that let it in, and still does": Case(there(one({INJECT: "yes"}), old="1.26.8"), ""),
    "a namespace that joins": Case(
        there(one(into="plain")), "joins the mesh: 1 workload would get a sidecar", "warning", replace(TARGET, waves=(("shop", "plain"),))
    ),
    "a pod elsewhere that asks for the new one already": Case(
        there(one({"istio.io/rev": NEW}, into="plain")), "their next pods get its sidecar as soon as it is installed", "warning"
    ),
    "a namespace elsewhere that does": Case(
        replace(there(one(into="plain")), namespaces=(SHOP, namespace("plain", rev=NEW))), "Workloads in no wave ask", "warning"
    ),
    "a template with a revision of its own": Case(there(one({"istio.io/rev": OLD})), "shop/deploy/odd (istio.io/rev=default)", "warning"),
    "a template that names the new one": Case(there(one({"istio.io/rev": NEW})), ""),
    "an image that an injector fills in": Case(there(one(gateway=Gateway.INJECTED, **AUTO)), ""),
    "an image that nobody would fill in": Case(there(one({INJECT: "false"}, **AUTO)), "New pods would not start"),
    "a new control plane that cannot be called": Case(down(there(), NEW), "Service istiod-1-30-3, which istio-sidecar-injector-1-30-3"),
    "one that is about to be installed, and is half done": Case(
        down(there(), NEW), "", target=replace(TARGET, brings=(expected_injector(NEW),))
    ),
    "a template that the new one lacks": Case(
        settled(there(one(template=PodShape({}, {TEMPLATES: "sidecar,mine"}))), templates=frozenset({"sidecar", "mine"})),
        "sidecarInjectorWebhook.templates in what installs the new one",
        target=replace(TARGET, settings=Settings(templates=frozenset({"sidecar"}))),
    ),
    "a template that both have": Case(
        settled(there(one(template=PodShape({}, {TEMPLATES: "sidecar,mine"}))), templates=frozenset({"sidecar", "mine"})),
        "",
        target=replace(TARGET, settings=Settings(templates=frozenset({"sidecar", "mine"}))),
    ),
    "what only the old one's settings keep out": Case(
        settled(there(one({"app": "odd"})), never=(parse("app=odd"),)), "Workloads without a sidecar would get one."
    ),
    "an old one that cannot be called": Case(down(there(), OLD), "a rollback would not lead there", "warning"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_injection(case: Case) -> None:
    found = [f for f in make_plan(case.snapshot, case.target).findings if f.topic == "injection"]
    texts = [f"{finding.weight}: {finding.error().text()}" for finding in found]
    if case.says:
        assert any(text.startswith(f"{case.weight}: ") and case.says in text for text in texts), texts
    else:
        assert [text for text in texts if "is a gateway" not in text] == []


IMAGE = "docker.io/istio/proxyv2:1.26.8"


def of(hub: str | None = "docker.io/istio", kubernetes: str | None = "v1.36.3", old: str = "1.29.6", **of_proxy: t.Any) -> list[str]:
    running = Proxy(OLD, old, **{"native": False, "ready": True, "image": IMAGE, **of_proxy})
    snapshot = replace(mesh((SHOP,), ((WEB, running),), (unrevisioned(),)), control_planes=(plane(OLD, old),))
    return [finding.line() for finding in sidecar_findings(snapshot, TARGET, OLD, ["shop"], hub, kubernetes)]


SIDECARS = {
    "from the same place": (of(), ""),
    "from another place": (of("registry.istio.io/release"), "new ones: registry.istio.io/release"),
    "from a place that is not known": (of(None), ""),
    "crossing 1.27": (of(old="1.26.8"), "Sidecars may become native ones"),
    "crossing it where the nodes are too old for it": (of(old="1.26.8", kubernetes="v1.32.1"), ""),
    "crossing it where they are native already": (of(old="1.26.8", native=True), ""),
    "not crossing it": (of(old="1.27.0"), ""),
}


@pytest.mark.parametrize(("lines", "says"), SIDECARS.values(), ids=SIDECARS)
def test_the_new_sidecars(lines: list[str], says: str) -> None:
    assert any(says in line for line in lines) if says else lines == []
