# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload's template asks for, as the domain knows it. Nothing beyond this file sees a template's spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import at, mapping, mappings, number, strings, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.quantities import of_pod, resources
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.demands import (
    Apart,
    Demands,
    Named,
    Reference,
    Replacing,
    Toleration,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Resources

_ASKS = tuple(f"sidecar.istio.io/proxy{name}" for name in ("CPU", "Memory", "CPULimit", "MemoryLimit"))
DEFAULT_ACCOUNT = "default"
"""Made anew by its controller wherever it is missing."""


def demands(kind: str, spec: Json) -> Demands:
    """Of a workload's spec."""
    pod = mapping(spec, "template", "spec")
    references = tuple(dict.fromkeys(_references(pod)))
    ports = {number(port, "hostPort") for one in mappings(pod, "containers") for port in mappings(one, "ports")} - {0}
    return Demands(
        references=references,
        claims=tuple(one.name for one in references if one.kind is Named.CLAIM),
        ports=tuple(sorted(ports)),
        apart=tuple(_apart(pod)),
        resources=of_pod(pod),
        sidecar=_sidecar(strings(spec, "template", "metadata", "annotations")),
        replacing=_replacing(kind, spec),
        nodes=strings(pod, "nodeSelector"),
        tolerations=tuple(
            Toleration(text(one, "key"), text(one, "operator") == "Exists", text(one, "value"), text(one, "effect"))
            for one in mappings(pod, "tolerations")
        ),
    )


def _sidecar(notes: Mapping[str, str]) -> Resources | None:
    """One of these annotations replaces all that the values say (Istio, injection template, ``resources``)."""
    if not any(name in notes for name in _ASKS):
        return None
    requests, limits = (
        {name: notes[note] for name, note in zip(("cpu", "memory"), asked, strict=True) if note in notes}
        for asked in (_ASKS[:2], _ASKS[2:])
    )
    return resources({"requests": requests, "limits": limits})


def _replacing(kind: str, spec: Json) -> Replacing:
    strategy = mapping(spec, "strategy" if kind == "Deployment" else "updateStrategy")
    surge, missing = (_share(strategy, field) for field in ("maxSurge", "maxUnavailable"))
    if kind == "Deployment":
        return Replacing(surge or "25%", missing or "25%", recreate=text(strategy, "type") == "Recreate")
    return Replacing((surge or "0") if kind == "DaemonSet" else "0", missing or "1")


def _share(strategy: Json, field: str) -> str:
    """A number or a percentage; empty where it is absent."""
    found = at(strategy, "rollingUpdate", field)
    return str(found) if isinstance(found, str | int) else ""


def _references(pod: Json) -> Iterator[Reference]:
    """What is ``optional`` does not count: a pod starts without it."""
    account = text(pod, "serviceAccountName") or text(pod, "serviceAccount") or DEFAULT_ACCOUNT
    if account != DEFAULT_ACCOUNT:
        yield Reference(Named.ACCOUNT, account, "serviceAccountName")
    for one in mappings(pod, "imagePullSecrets"):
        if text(one, "name"):
            yield Reference(Named.SECRET, text(one, "name"), "imagePullSecrets", pulls=True)
    for volume in mappings(pod, "volumes"):
        yield from _of_volume(volume, f"volume {text(volume, 'name')}")
    for container in [*mappings(pod, "initContainers"), *mappings(pod, "containers")]:
        yield from _of_container(container, text(container, "name"))


def _of_volume(volume: Json, where: str) -> Iterator[Reference]:
    claim = text(volume, "persistentVolumeClaim", "claimName")
    if claim:
        yield Reference(Named.CLAIM, claim, where)
    yield from _needed(Named.CONFIG_MAP, mapping(volume, "configMap"), "name", where)
    yield from _needed(Named.SECRET, mapping(volume, "secret"), "secretName", where)
    for source in mappings(volume, "projected", "sources"):
        yield from _needed(Named.CONFIG_MAP, mapping(source, "configMap"), "name", where)
        yield from _needed(Named.SECRET, mapping(source, "secret"), "name", where)


def _of_container(container: Json, name: str) -> Iterator[Reference]:
    for one in mappings(container, "envFrom"):
        yield from _needed(Named.CONFIG_MAP, mapping(one, "configMapRef"), "name", f"envFrom of container {name}")
        yield from _needed(Named.SECRET, mapping(one, "secretRef"), "name", f"envFrom of container {name}")
    for one in mappings(container, "env"):
        source = mapping(one, "valueFrom")
        if source:
            where = f"env {text(one, 'name')} of container {name}"
            yield from _needed(Named.CONFIG_MAP, mapping(source, "configMapKeyRef"), "name", where)
            yield from _needed(Named.SECRET, mapping(source, "secretKeyRef"), "name", where)


def _needed(kind: Named, source: Json, field: str, where: str) -> Iterator[Reference]:
    if text(source, field) and not source.get("optional"):
        yield Reference(kind, text(source, field), where)


def _apart(pod: Json) -> Iterator[Apart]:
    """Only what concerns its own namespace and all its pods: a term that names others is about others' pods, and one with
    ``matchLabelKeys`` (``pod-template-hash``) or ``mismatchLabelKeys`` about pods of one template."""
    for one in mappings(pod, "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution"):
        elsewhere = one.get("namespaces") or one.get("namespaceSelector") is not None
        if mapping(one, "labelSelector") and not elsewhere and not one.get("matchLabelKeys") and not one.get("mismatchLabelKeys"):
            yield Apart(text(one, "topologyKey"), selector(mapping(one, "labelSelector")))
