# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What injection leaves on a pod, by version of Istio. Pure.

From recorded answers of 1.29.6 and 1.30.3; what earlier versions left is from reading their templates.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import yaml

from ..api import Json
from . import proxy
from .versions import at_least

STATUS, REVISION, TEMPLATES = "sidecar.istio.io/status", "istio.io/rev", "inject.istio.io/templates"
NATIVE, OVERRIDES, CONFIG = "sidecar.istio.io/nativeSidecar", "proxy.istio.io/overrides", "proxy.istio.io/config"
PROXY_IMAGE, PROXY_IMAGE_TYPE = "sidecar.istio.io/proxyImage", "sidecar.istio.io/proxyImageType"
QUANTITIES = tuple(f"sidecar.istio.io/proxy{what}" for what in ("CPU", "CPULimit", "Memory", "MemoryLimit"))
QUANTITY = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"
GATEWAY = "gateway"


class Refused(Exception):
    """The pod cannot be injected: the text that a user sees."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What an istiod knows beyond the pod. ``default_templates`` apply to pods that name none; ``annotations`` go onto every pod."""

    revision: str
    version: str
    namespace: str = "istio-system"
    image: str = ""
    init_image: str = ""
    cluster: str = "Kubernetes"
    network: str = ""
    templates: tuple[str, ...] = ("sidecar", GATEWAY)
    default_templates: tuple[str, ...] = ("sidecar",)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        dashed = "" if self.revision == "default" else f"-{self.revision}"
        return f"istiod{dashed}.{self.namespace}.svc:15012"


def injected(pod: Json, injection: Injection, *, native: bool) -> Json:
    """The pod as it should be. Raises Refused."""
    pod = _without_earlier(pod)
    annotations = _annotations(pod)
    gateway = _gateway(annotations, injection)
    _check_quantities(annotations)
    _check_config(annotations)
    name, owner = _workload(pod)
    image = _image(annotations, injection.image)
    sidecar = proxy.container(image, name, owner, injection.address, injection.cluster, injection.network, gateway=gateway)
    first = _first_container(pod)
    own = [one for kind in ("containers", "initContainers") for one in pod["spec"].get(kind) or () if one["name"] == proxy.NAME]
    if own:
        theirs = [{key: value for key, value in one.items() if (key, value) != ("image", "auto")} for one in own]
        annotations[OVERRIDES] = json.dumps({"containers": theirs}, separators=(",", ":"))
        sidecar |= theirs[0]
    native = native and not gateway
    init = [] if gateway else [proxy.init_container(injection.init_image or image)]
    _place(pod["spec"], init, proxy.as_native(sidecar) if native else sidecar, native=native)
    volumes = proxy.volumes(crl=not gateway and at_least(injection.version, "1.27"))
    pod["spec"]["volumes"] = [*volumes, *(pod["spec"].get("volumes") or ())]
    _label(pod, name, injection, gateway=gateway)
    _annotate(annotations, first, injection)
    annotations[STATUS] = _status(injection, [one["name"] for one in init], native=native, volumes=volumes)
    return pod


def operations(before: Json, after: Json, at: str = "") -> list[Json]:
    """As a JSON patch: field by field in objects, lists as a whole."""
    found: list[Json] = [{"op": "remove", "path": _pointer(at, key)} for key in before if key not in after]
    for key, value in after.items():
        path = _pointer(at, key)
        if key not in before:
            found.append({"op": "add", "path": path, "value": value})
        elif isinstance(value, dict) and isinstance(before[key], dict):
            found += operations(before[key], value, path)
        elif before[key] != value:
            found.append({"op": "replace", "path": path, "value": value})
    return found


def _pointer(at: str, key: str) -> str:
    """RFC 6901: names of annotations have slashes."""
    return f"{at}/{key.replace('~', '~0').replace('/', '~1')}"


def _without_earlier(pod: Json) -> Json:
    """A pod that another injector, or istioctl, has injected already is freed of it first: the last injector wins."""
    pod = copy.deepcopy(pod)
    annotations = _annotations(pod)
    earlier = json.loads(annotations.pop(STATUS, "{}"))
    for kind in ("containers", "initContainers", "volumes"):
        left = [one for one in pod["spec"].get(kind) or () if one["name"] not in (earlier.get(kind) or ())]
        if kind in pod["spec"]:
            pod["spec"][kind] = left
    return pod


def _annotations(pod: Json) -> dict[str, str]:
    pod["metadata"]["annotations"] = pod["metadata"].get("annotations") or {}
    found: dict[str, str] = pod["metadata"]["annotations"]
    return found


def _gateway(annotations: Mapping[str, str], injection: Injection) -> bool:
    asked = annotations.get(TEMPLATES)
    names = list(injection.default_templates) if asked is None else [name.strip() for name in asked.split(",")]
    for name in names:
        if name not in injection.templates:
            known = ", ".join(injection.templates)
            raise Refused(f'failed to run injection template: requested template "{name}" not found; have {known}')
    return GATEWAY in names


def _check_quantities(annotations: Mapping[str, str]) -> None:
    for name in QUANTITIES:
        if name in annotations and not re.match(QUANTITY, annotations[name]):
            raise _invalid(annotations, name, f"quantities must match the regular expression '{QUANTITY}'")


def _check_config(annotations: Mapping[str, str]) -> None:
    """Seen with real 1.29.6 and 1.30.3 on 2026-11-26; what stands in a mapping is not looked at here."""
    given = annotations.get(CONFIG, "")
    try:
        found = yaml.safe_load(given)
    except yaml.YAMLError:
        raise _invalid(
            annotations, CONFIG, "failed to convert to apply proxy config: yaml: line 1: did not find expected node content"
        ) from None
    if found is not None and not isinstance(found, dict):
        kind = "array" if isinstance(found, list) else "string"
        why = f"json: cannot unmarshal {kind} into Go value of type map[string]json.RawMessage"
        raise _invalid(annotations, CONFIG, f"failed to convert to apply proxy config: {why}")


def _invalid(annotations: Mapping[str, str], name: str, why: str) -> Refused:
    wrong = f"invalid value '{annotations[name]}' for annotation '{name}': {why}"
    return Refused(f"failed to run injection template: 1 error occurred:\n\t* {wrong}\n\n")


def _image(annotations: Mapping[str, str], image: str) -> str:
    if given := annotations.get(PROXY_IMAGE):
        return given
    kind = annotations.get(PROXY_IMAGE_TYPE, "")
    return image if kind in ("", "default") else f"{image}-{kind}"


def _workload(pod: Json) -> tuple[str, str]:
    """Name and owner, a pod of a ReplicaSet that a Deployment made counted as the Deployment's."""
    metadata = pod["metadata"]
    namespace = metadata.get("namespace", "")
    owner = next((one for one in metadata.get("ownerReferences") or () if one.get("controller")), None)
    if owner is None:
        name: str = metadata.get("name") or metadata.get("generateName", "").rstrip("-")
        return name, f"kubernetes://apis/v1/namespaces/{namespace}/pods/{name}"
    kind, name = owner["kind"].lower(), owner["name"]
    stamp = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind == "replicaset" and stamp and name.endswith(f"-{stamp}"):
        kind, name = "deployment", name.removesuffix(f"-{stamp}")
    return name, f"kubernetes://apis/{owner['apiVersion']}/namespaces/{namespace}/{kind}s/{name}"


def _first_container(pod: Json) -> str | None:
    return next((str(one["name"]) for one in pod["spec"]["containers"] if one["name"] != proxy.NAME), None)


def _place(spec: Json, init: list[Json], sidecar: Json, *, native: bool) -> None:
    containers = [one for one in spec["containers"] if one["name"] != proxy.NAME]
    others = [one for one in spec.get("initContainers") or () if one["name"] not in (proxy.NAME, proxy.INIT)]
    spec["containers"] = containers if native else [*containers, sidecar]
    if init or native or others:
        spec["initContainers"] = [*init, *([sidecar] if native else []), *others]


def _label(pod: Json, workload: str, injection: Injection, *, gateway: bool) -> None:
    labels = pod["metadata"]["labels"] = pod["metadata"].get("labels") or {}
    if not gateway:
        labels.setdefault("security.istio.io/tlsMode", "istio")
    if injection.network:
        labels.setdefault("topology.istio.io/network", injection.network)
    labels.setdefault("service.istio.io/canonical-name", labels.get("app.kubernetes.io/name", labels.get("app", workload)))
    version = labels.get("app.kubernetes.io/version", labels.get("version", "latest"))
    labels.setdefault("service.istio.io/canonical-revision", version)
    if not at_least(injection.version, "1.11") or (gateway and not at_least(injection.version, "1.18")):
        labels[REVISION] = injection.revision


def _annotate(annotations: dict[str, str], first: str | None, injection: Injection) -> None:
    if first:
        annotations.setdefault("kubectl.kubernetes.io/default-container", first)
        annotations.setdefault("kubectl.kubernetes.io/default-logs-container", first)
    merged = annotations.get("prometheus.istio.io/merge-metrics") != "false" and annotations.get("prometheus.io/scrape") != "false"
    if merged:
        annotations |= {"prometheus.io/path": "/stats/prometheus", "prometheus.io/port": "15020", "prometheus.io/scrape": "true"}
    if at_least(injection.version, "1.18"):
        annotations[REVISION] = injection.revision
    annotations |= injection.annotations


def _status(injection: Injection, init: list[str], *, native: bool, volumes: Iterable[Json]) -> str:
    """Lists without a member are null, as Go writes them."""
    names = [*init, *([proxy.NAME] if native else [])]
    status: Json = {
        "initContainers": names or None,
        "containers": None if native else [proxy.NAME],
        "volumes": [volume["name"] for volume in volumes],
        "imagePullSecrets": None,
    }
    if at_least(injection.version, "1.11"):
        status["revision"] = injection.revision
    return json.dumps(status, separators=(",", ":"))
