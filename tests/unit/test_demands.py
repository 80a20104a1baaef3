# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the port makes of templates, quantities and managedFields: what a restart depends on."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.demands import demands
from ansible_collections.meshops.istio.plugins.module_utils._kube.holders import of_namespace, of_workload
from ansible_collections.meshops.istio.plugins.module_utils._kube.quantities import of_pod, quantity
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import Replacing
from ansible_collections.meshops.istio.plugins.module_utils._mesh.holders import NOBODY, Holder
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Amounts, Resources
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import STAMP

Json = dict[str, t.Any]
QUANTITIES = {
    "100m": 100,
    "1": 1000,
    "0.5": 500,
    "2e3": 2_000_000,
    "1k": 1_000_000,
    "100u": 1,
    "1Ki": 1_024_000,
    "-1": -1000,
    "": 0,
    "many": 0,
    "1Kb": 0,
}


@pytest.mark.parametrize(("text", "milli"), QUANTITIES.items())
def test_a_quantity_is_read_as_kubernetes_does(text: str, milli: int) -> None:
    assert quantity(text, 1000) == milli


def test_what_a_pod_asks_for_is_what_runs_at_the_same_time() -> None:
    """Native sidecars run beside everything after them; other init containers come one after the other."""
    one = {"resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}}
    large = {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
    assert of_pod({"containers": [one, one]}) == Resources(Amounts(200), Amounts(2000))
    assert of_pod({"initContainers": [large], "containers": [one]}).requests == Amounts(500, 1 << 30)
    assert of_pod({"initContainers": [one | {"restartPolicy": "Always"}, large], "containers": [one]}).requests == Amounts(600, 1 << 30)
    assert of_pod({"containers": [{"resources": {"limits": {"cpu": "1"}}}]}).requests == Amounts(1000), "a limit alone is requested too"
    assert of_pod({}) == Resources()


REFERENCES: dict[str, tuple[Json, set[tuple[str, str]]]] = {
    "volumes": (
        {
            "volumes": [
                {"name": "a", "configMap": {"name": "config"}},
                {"name": "b", "secret": {"secretName": "key"}},
                {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
                {"name": "d", "emptyDir": {}},
            ]
        },
        {("ConfigMap", "config"), ("Secret", "key"), ("PersistentVolumeClaim", "data")},
    ),
    "projected volumes": (
        {
            "volumes": [
                {
                    "name": "a",
                    "projected": {"sources": [{"configMap": {"name": "ca"}}, {"secret": {"name": "key"}}, {"serviceAccountToken": {}}]},
                }
            ]
        },
        {("ConfigMap", "ca"), ("Secret", "key")},
    ),
    "environment": (
        {
            "containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "all"}}, {"secretRef": {"name": "secrets"}}]}],
            "initContainers": [
                {
                    "name": "init",
                    "env": [
                        {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "one", "key": "a"}}},
                        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "two", "key": "b"}}},
                        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                        {"name": "D", "value": "d"},
                    ],
                }
            ],
        },
        {("ConfigMap", "all"), ("Secret", "secrets"), ("ConfigMap", "one"), ("Secret", "two")},
    ),
    "who it runs as, and where its images are from": (
        {"serviceAccountName": "robot", "imagePullSecrets": [{"name": "registry"}, {}]},
        {("ServiceAccount", "robot"), ("Secret", "registry")},
    ),
    "the default account, which its controller makes anew": ({"serviceAccountName": "default"}, set()),
    "what is optional": (
        {
            "volumes": [{"name": "a", "configMap": {"name": "x", "optional": True}}],
            "containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "y", "optional": True}}]}],
        },
        set(),
    ),
    "nulls": ({"volumes": None, "containers": [{"name": "app", "env": None, "ports": None}], "affinity": None}, set()),
}


@pytest.mark.parametrize(("spec", "named"), REFERENCES.values(), ids=REFERENCES)
def test_what_a_template_names(spec: Json, named: set[tuple[str, str]]) -> None:
    found = demands("Deployment", {"template": {"spec": spec}}).references
    assert {(str(one.kind), one.name) for one in found} == named
    assert all(one.pulls is (one.where == "imagePullSecrets") for one in found)


REPLACING: dict[str, tuple[str, Json, int, tuple[int, int]]] = {
    "surge is rounded up, and what may be missing down": ("Deployment", {}, 1, (1, 0)),
    "a quarter of four": ("Deployment", {}, 4, (1, 1)),
    "numbers": ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, 3, (0, 1)),
    "nothing of both is one": ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}}}, 3, (0, 1)),
    "a DaemonSet's pod goes first": ("DaemonSet", {}, 3, (0, 1)),
    "a DaemonSet that surges": ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}, 3, (1, 0)),
    "a StatefulSet never surges": ("StatefulSet", {}, 3, (0, 1)),
}


@pytest.mark.parametrize(("kind", "spec", "replicas", "expected"), REPLACING.values(), ids=REPLACING)
def test_how_many_more_and_how_many_fewer(kind: str, spec: Json, replicas: int, expected: tuple[int, int]) -> None:
    assert demands(kind, spec).replacing.at_most(replicas) == expected
    assert Replacing("10%", "0").at_most(1) == (1, 0)


def managed(manager: str, fields: Json, operation: str = "Update") -> Json:
    return {"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1": fields}


def test_who_holds_a_label_is_read_from_managed_fields() -> None:
    fields: Json = {"f:metadata": {"f:labels": {".": {}, "f:istio-injection": {}, "f:team": {}}}}
    metadata = {
        "labels": {"istio-injection": "enabled", "kustomize.toolkit.fluxcd.io/name": "apps"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"metadata": {"labels": {"istio-injection": "enabled"}}}),
            "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
        },
        "managedFields": [managed("kustomize-controller", fields, "Apply"), managed("kubectl-edit", {"f:spec": {}}), {"manager": None}],
    }
    held = of_namespace(metadata)
    assert held.by == {"istio-injection": (Holder("kustomize-controller", True),)}
    assert (held.source, held.applied, held.left_alone) == ("Kustomization apps", frozenset({"istio-injection"}), True)
    assert of_namespace({"labels": {"team": "pay"}, "managedFields": metadata["managedFields"]}) is NOBODY


def test_who_holds_a_stamp_and_who_has_made_the_workload() -> None:
    stamp: Json = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, f"f:{STAMP}": {}}}}}}
    held = of_workload({"managedFields": [managed("kubectl-rollout", stamp)]}, {"kind": "VMAgent", "name": "main"})
    assert held.by[STAMP] == (Holder("kubectl-rollout", False),)
    assert held.owner == "VMAgent/main"


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"metadata": null}', '{"metadata": {"labels": "istio-injection"}}'])
def test_a_file_that_cannot_be_read_says_nothing(text: str) -> None:
    fields: Json = {"f:metadata": {"f:labels": {"f:istio-injection": {}}}}
    notes = {"kubectl.kubernetes.io/last-applied-configuration": text}
    metadata = {"labels": {"istio-injection": "enabled"}, "annotations": notes, "managedFields": [managed("kubectl", fields)]}
    assert of_namespace(metadata).applied == frozenset()


APART: dict[str, tuple[Json, int]] = {
    "from all its own": ({}, 1),
    "from pods of its own template alone": ({"matchLabelKeys": ["pod-template-hash"]}, 0),
    "from pods of other templates alone": ({"mismatchLabelKeys": ["pod-template-hash"]}, 0),
    "from pods of another namespace": ({"namespaces": ["pay"]}, 0),
    "from pods of every namespace": ({"namespaceSelector": {}}, 0),
}


@pytest.mark.parametrize(("more", "number"), APART.values(), ids=APART)
def test_from_what_it_must_run_apart(more: Json, number: int) -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "api"}}, **more}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert len(demands("Deployment", {"template": {"spec": {"affinity": affinity}}}).apart) == number
