# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a plan says of rights, versions and meaning: each topic is a table of cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
import yaml

from ansible_collections.meshops.istio.plugins.module_utils._kube.mesh_config import rendered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.agreement import config_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.configured import object_findings, outside_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Weight, in_order
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import MeshConfig
from ansible_collections.meshops.istio.plugins.module_utils._mesh.predict import predict
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, Declared, Recipe, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Pinned
from ansible_collections.meshops.istio.plugins.module_utils._mesh.rights import (
    Right,
    missing_findings,
    to_restart,
    to_restart_anything,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.versions import crd_findings, version_findings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, tag, unrevisioned

SHOP = namespace("shop", injection="enabled")
MESH = mesh((SHOP, namespace("cart", rev=OLD)), ((deployment("web", "shop"), proxy()),))
TARGET = Target(NEW, "1.30.3", None, (), frozenset(), "istio-system")


def told(findings: Iterable[Finding]) -> list[str]:
    return [f"{finding.weight}: {finding.error().text()}" for finding in in_order(findings)]


def found(findings: Iterable[Finding], weight: str, says: str) -> None:
    """Empty: nothing is found."""
    texts = told(findings)
    assert any(text.startswith(f"{weight}: ") and says in text for text in texts) if says else texts == [], texts


def of_versions(old: str, new: str | None, kubernetes: str | None = "v1.36.3", proxies: str = "1.29.6") -> Iterable[Finding]:
    there = mesh((SHOP,), ((deployment("web", "shop"), proxy(version=proxies)),))
    return version_findings(replace(there, control_planes=(plane(OLD, old),)), replace(TARGET, version=new), OLD, ["shop"], kubernetes)


VERSIONS: dict[str, tuple[Iterable[Finding], str, str]] = {
    "a minor further": (of_versions("1.29.6", "1.30.3"), "", ""),
    "two minors further": (of_versions("1.28.2", "1.30.3"), "", ""),
    "three minors further": (of_versions("1.27.9", "1.30.3"), "blocker", "From Istio 1.27.9 to 1.30.3 are more than two minor versions."),
    "by way of which": (of_versions("1.26.8", "1.30.3"), "blocker", "go by way of 1.28"),
    "a patch further": (of_versions("1.30.2", "1.30.3"), "", ""),
    "back": (of_versions("1.30.4", "1.30.3"), "warning", "This goes back, from Istio 1.30.4 to 1.30.3"),
    "an old one that tells no version": (of_versions("latest", "1.30.3"), "warning", 'Which Istio "default" runs is not known'),
    "a new one that tells none": (of_versions("1.29.6", None), "warning", "set mesh_version"),
    "a Kubernetes that is old enough to be too old": (of_versions("1.29.6", "1.30.3", "v1.31.4"), "warning", "it asks for 1.32 or newer"),
    "a Kubernetes that is just new enough": (of_versions("1.29.6", "1.30.3", "v1.32.0-eks"), "", ""),
    "a Kubernetes for 1.28.2": (of_versions("1.28.1", "1.28.2", "v1.29.0"), "warning", "it asks for 1.30 or newer"),
    "a Kubernetes for 1.28.1": (of_versions("1.28.0", "1.28.1", "v1.29.0", "1.28.0"), "", ""),
    "a Kubernetes that says nothing": (of_versions("1.29.6", "1.30.3", None), "warning", "The version of Kubernetes is not known"),
    "proxies that are newer": (of_versions("1.30.4", "1.30.3", proxies="1.31.0"), "warning", "shop/deploy/web (1.31.0)"),
    "CRDs that would lose": (
        crd_findings(TARGET, {"v1"}, {"virtualservices.networking.istio.io": ("version v1",)}),
        "blocker",
        "virtualservices.networking.istio.io: version v1",
    ),
    "CRDs that are too old": (crd_findings(TARGET, {"v1beta1", "v1alpha3"}, {}), "warning", "served as v1alpha3, v1beta1"),
    "CRDs that are not there": (crd_findings(TARGET, set(), {}), "warning", "nothing at all"),
    "CRDs as they should be": (crd_findings(TARGET, {"v1", "v1beta1"}, {}), "", ""),
}


@pytest.mark.parametrize(("findings", "weight", "says"), VERSIONS.values(), ids=VERSIONS)
def test_versions(findings: Iterable[Finding], weight: str, says: str) -> None:
    found(findings, weight, says)


def of_objects(
    *objects: tuple[str, str] | tuple[str, str, str], hidden: tuple[str, ...] = (), kind: str = "authorizationpolicies.security.istio.io"
) -> Iterable[Finding]:
    there = replace(MESH, injectors=(unrevisioned(), tag("prod", OLD)))
    pinned = [Pinned(kind, "shop", *one) for one in objects]
    return object_findings(pinned, hidden, there, NEW, OLD)


def of_config(old: MeshConfig | None, new: MeshConfig | None) -> Iterable[Finding]:
    return config_findings(old, new, (OLD, NEW), MESH, predict(MESH, NEW, "1.30.3", ["shop"]), ["shop"])


def outside(config: MeshConfig | None = None, remote: int | None = 0, *workloads: Workload, stands: bool = True) -> Iterable[Finding]:
    return outside_findings(config, remote, replace(MESH, workloads=workloads), NEW, "istio-system", stands=stands)


def seeing(selector: str) -> MeshConfig:
    return MeshConfig(discovery_selectors=(parse(selector),))


SAME = MeshConfig(trust_domain="td", trust_domain_aliases=("old-td",), network="n1", mesh_id="m", cluster_name="eu-1")
CSR = deployment("cert-manager-istio-csr", "cert-manager")
MEANING: dict[str, tuple[Iterable[Finding], str, str]] = {
    "a policy that only the old one reads": (
        of_objects(("deny", OLD)),
        "blocker",
        "1 authorizationpolicies.security.istio.io (shop/deny) would be lost to what moves.",
    ),
    "that it is a hole": (of_objects(("deny", OLD)), "blocker", "what they forbid would be allowed"),
    "how it is mended": (
        of_objects(("deny", OLD)),
        "blocker",
        "kubectl label authorizationpolicies.security.istio.io deny -n shop istio.io/rev-",
    ),
    "a policy that has its like for the new one": (
        of_objects(("deny", OLD), ("deny-new", NEW)),
        "warning",
        "which say the same",
    ),
    "a policy beside one for the new one that says something else": (
        of_objects(("deny", OLD, "one"), ("allow", NEW, "other")),
        "blocker",
        "what they forbid would be allowed",
    ),
    "an EnvoyFilter that is written anew for the new version": (
        of_objects(("tune", OLD, "one"), ("tune-new", NEW, "other"), kind="envoyfilters.networking.istio.io"),
        "warning",
        "which are taken for their like: compare them",
    ),
    "a policy that begins to count": (of_objects(("deny", NEW)), "warning", "begin to count"),
    "a policy by a tag, which nobody reads": (of_objects(("deny", "prod")), "warning", "istio.io/rev=prod is a tag"),
    "a policy of a third revision": (of_objects(("deny", "1-20-0")), "", ""),
    "a Gateway of the Gateway API": (of_objects(("gw", OLD), kind="gateways.gateway.networking.k8s.io"), "", ""),
    "kinds that are not to be seen": (of_objects(hidden=("telemetries.telemetry.istio.io",)), "warning", "is not known of telemetries"),
    "one mesh configuration": (of_config(SAME, SAME), "", ""),
    "one that is not known": (of_config(SAME, None), "warning", f'The mesh configuration of "{NEW}" is not known'),
    "another trust domain": (of_config(SAME, replace(SAME, trust_domain="other")), "blocker", "another trust domain"),
    "another trust domain, each an alias of the other": (
        of_config(replace(SAME, trust_domain_aliases=("other",)), replace(SAME, trust_domain="other", trust_domain_aliases=("td",))),
        "warning",
        "another trust domain",
    ),
    "an alias less": (of_config(SAME, replace(SAME, trust_domain_aliases=())), "blocker", "trustDomainAliases: [old-td]"),
    "another trust domain, each an alias of the other, and an alias less": (
        of_config(
            replace(SAME, trust_domain_aliases=("other", "old-td")), replace(SAME, trust_domain="other", trust_domain_aliases=("td",))
        ),
        "blocker",
        "policies and peers by old-td match no more",
    ),
    "an alias more": (of_config(replace(SAME, trust_domain_aliases=()), SAME), "", ""),
    "another network": (
        of_config(SAME, replace(SAME, network=None)),
        "blocker",
        "set global.network: n1 in what installs the new one (mesh_values, ",
    ),
    "another mesh": (of_config(SAME, replace(SAME, mesh_id="x")), "warning", "set global.meshID: m"),
    "another cluster name": (of_config(SAME, replace(SAME, cluster_name="x")), "warning", "global.multiCluster.clusterName: eu-1"),
    "another CA": (of_config(SAME, replace(SAME, ca_address="csr:443")), "warning", "default: none; 1-30-3: csr:443"),
    "other settings besides": (
        of_config(
            replace(SAME, more={"accessLogFile": '"/dev/stdout"', "defaultConfig.concurrency": "2", "rootNamespace": '"istio-system"'}),
            replace(SAME, more={"extensionProviders": "[]", "defaultConfig.concurrency": "4", "rootNamespace": '"istio-system"'}),
        ),
        "warning",
        "where: ConfigMaps istio and istio-1-30-3, key mesh: accessLogFile, defaultConfig.concurrency, extensionProviders\n",
    ),
    "a new one that does not see what moves": (
        of_config(MeshConfig(), seeing("istio-injection=enabled")),
        "blocker",
        "namespaces shop, by their",
    ),
    "an old one that loses sight of it": (
        of_config(seeing("istio-injection=enabled"), MeshConfig()),
        "blocker",
        "would lose sight of namespaces",
    ),
    "a new one that sees less elsewhere": (
        of_config(MeshConfig(), seeing(f"istio.io/rev={NEW}")),
        "warning",
        "discoverySelectors; namespaces cart",
    ),
    "remote clusters": (outside(remote=2), "warning", "2 remote secrets"),
    "remote clusters that are not to be seen": (outside(remote=None), "warning", "Whether there are remote clusters is not known"),
    "istio-csr": (outside(None, 0, CSR), "warning", "add 1-30-3 to its values first: app.istio.revisions"),
    "another CA outside": (outside(replace(SAME, ca_address="ca.example.com:443")), "warning", "istiod-1-30-3.istio-system.svc"),
    "istiod as the CA": (outside(replace(SAME, ca_address="istiod.istio-system.svc:15012")), "", ""),
    "that the root is a gate of its own": (outside(stands=False), "note", "same root of trust is a gate"),
}


@pytest.mark.parametrize(("findings", "weight", "says"), MEANING.values(), ids=MEANING)
def test_meaning(findings: Iterable[Finding], weight: str, says: str) -> None:
    found(findings, weight, says)


def test_a_rendering_tells_its_mesh_configuration() -> None:
    maps = [
        {"kind": "ConfigMap", "metadata": {"name": f"istio-{NEW}"}, "data": {"mesh": "trustDomain: td"}},
        {"kind": "ConfigMap", "metadata": {"name": f"istio-sidecar-injector-{NEW}"}, "data": {"values": '{"global": {"network": "n1"}}'}},
    ]
    assert rendered(maps, NEW) == MeshConfig(trust_domain="td", network="n1")
    said = "defaultConfig: {discoveryAddress: istiod, meshId: m, concurrency: 2}\naccessLogFile: /dev/stdout\nextensionProviders: []"
    found = rendered([{**maps[0], "data": {"mesh": said}}], NEW)
    assert found
    assert found.more == {"accessLogFile": '"/dev/stdout"', "defaultConfig.concurrency": "2"}
    assert rendered([], NEW) is None
    assert rendered([{**maps[0], "data": {"mesh": "- no: mapping"}}], NEW) is None


ROLLOUT = replace(deployment("web", "shop", "Rollout"), group="argoproj.io", of_pods=True)
STAMPED = Choices(declared=(Declared("Rollout", "argoproj.io", Recipe.STAMP, "v1alpha1", "rollouts"),))
RESTARTS: dict[str, tuple[Workload, Choices, set[str]]] = {
    "a Deployment": (deployment("web", "shop"), Choices(), {"watch deployments.apps", "patch deployments.apps"}),
    "a StatefulSet": (
        deployment("db", "shop", "StatefulSet"),
        Choices(),
        {"watch statefulsets.apps", "patch statefulsets.apps", "delete pods"},
    ),
    "a StatefulSet with OnDelete": (
        replace(deployment("db", "shop", "StatefulSet"), on_delete=True),
        Choices(),
        {"watch statefulsets.apps", "create pods/eviction", "delete pods"},
    ),
    "a Job": (replace(deployment("job", "shop", "Job"), of_pods=True), Choices(), set()),
    "a Rollout with a stamp": (ROLLOUT, STAMPED, {"get rollouts.argoproj.io", "patch rollouts.argoproj.io"}),
}


@pytest.mark.parametrize(("workload", "choices", "needed"), RESTARTS.values(), ids=RESTARTS)
def test_only_the_rights_that_restarts_need_are_asked_for(workload: Workload, choices: Choices, needed: set[str]) -> None:
    assert {right.text() for right in to_restart([workload], [(workload, way_of(workload, choices))])} == needed


def test_missing_rights_are_told_with_rules_to_paste() -> None:
    missing = (
        Right("list", "pods"),
        Right("watch", "pods"),
        Right("patch", "deployments", "apps"),
        Right("get", "configmaps", "", "istio-system"),
    )
    needed = (Right("get", "nodes"), *missing)
    (finding,) = missing_findings(missing, needed, "the upgrade", "meshops-upgrade")
    assert (finding.weight, finding.where) == (
        Weight.BLOCKER,
        "list pods, watch pods, patch deployments.apps, get configmaps in namespace istio-system",
    )
    cluster, own = yaml.safe_load_all(finding.do.partition("\n")[2])
    assert (cluster["kind"], cluster["rules"]) == (
        "ClusterRole",
        [
            {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
            {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["patch"]},
        ],
    )
    assert (own["kind"], own["metadata"]["namespace"]) == ("Role", "istio-system")
    assert {one["metadata"]["name"] for one in (cluster, own)} == {"meshops-upgrade"}
    assert "kubectl create rolebinding meshops-upgrade --role=meshops-upgrade --user=USER --namespace istio-system" in finding.do
    assert list(missing_findings((), needed, "the upgrade", "meshops-upgrade")) == []
    assert len(list(to_restart_anything())) == 8
