# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Annotations by which a pod tells how its sidecar is to be, and what istiod refuses among them. Pure.

Source: Istio, pkg/kube/inject/validate.go. Others go into the injection template as they stand: where that makes no pod of it, istiod
refuses too. Of ``proxy.istio.io/config`` only the form is judged; what stands in it is left to the probe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import before

_BOOLEANS = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
_QUANTITY = re.compile(r"(?=.)[+-]?[0-9]*\.?[0-9]*([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
"""Kubernetes, apimachinery pkg/api/resource/quantity.go: no digit at all is nought."""
_PREFIX = re.compile(r"[^%]*/(0|[1-9][0-9]*)")
"""Of a network, Go's ``netip.ParsePrefix`` takes no zone, and no number that begins with a nought."""
_INTERFACE = re.compile(r"[a-zA-Z][a-zA-Z0-9_.-]{0,14}")
_RESOURCES = ("CPU", "CPULimit", "Memory", "MemoryLimit")
_OF_INTERFACES = (
    "traffic.sidecar.istio.io/excludeInterfaces",
    "traffic.sidecar.istio.io/kubevirtInterfaces",
    "istio.io/reroute-virtual-interfaces",
)


def _number(text: str, most: int) -> bool:
    return text.isascii() and text.isdigit() and int(text) <= most


def _port(text: str) -> bool:
    return _number(text.strip(), 65535)


def _ports(text: str) -> bool:
    return not text.strip() or all(map(_port, text.split(",")))


def _networks(text: str) -> bool:
    return not text or all(map(_network, text.split(",")))


def _network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return _PREFIX.fullmatch(text) is not None


def _quantity(text: str) -> bool:
    return _QUANTITY.fullmatch(text) is not None


def _interfaces(text: str) -> bool:
    return not text or all(_INTERFACE.fullmatch(name.strip()) for name in text.split(","))


def _or_all(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: text == "*" or check(text)


_Checks = Mapping[str, tuple[Callable[[str], bool], str]]

_ALWAYS: _Checks = {
    "sidecar.istio.io/interceptionMode": (lambda text: text in ("REDIRECT", "TPROXY", "NONE"), "REDIRECT, TPROXY or NONE"),
    "status.sidecar.istio.io/port": (_port, "a port"),
    **{
        f"readiness.status.sidecar.istio.io/{name}": (lambda text: _number(text, 2**32 - 1), "a number")
        for name in ("initialDelaySeconds", "periodSeconds", "failureThreshold")
    },
    "traffic.sidecar.istio.io/includeOutboundIPRanges": (_or_all(_networks), "* or networks, such as 10.0.0.0/8"),
    "traffic.sidecar.istio.io/excludeOutboundIPRanges": (_networks, "networks, such as 10.0.0.0/8"),
    "traffic.sidecar.istio.io/includeInboundPorts": (_or_all(_ports), "* or ports"),
    "traffic.sidecar.istio.io/excludeInboundPorts": (_ports, "ports"),
    "traffic.sidecar.istio.io/excludeOutboundPorts": (_ports, "ports"),
    "prometheus.istio.io/merge-metrics": (lambda text: text in _BOOLEANS, "true or false"),
}
"""Checked in the same way from 1.9 to 1.30."""
_SINCE: tuple[tuple[tuple[int, int], _Checks], ...] = (
    ((1, 29), dict.fromkeys((f"sidecar.istio.io/proxy{what}" for what in _RESOURCES), (_quantity, "a quantity"))),
    ((1, 30), dict.fromkeys(_OF_INTERFACES, (_interfaces, "names of network interfaces"))),
)
"""Checked from that minor on. Of those before, some patch releases check it too, and what is wrong may fail elsewhere."""


def _json(text: str) -> object:
    try:
        return read_json(text)
    except ValueError:
        return None


def _objects(text: str) -> bool:
    found = _json(text)
    within = found.values() if isinstance(found, dict) else found
    return isinstance(within, Iterable) and not isinstance(within, str) and all(isinstance(one, dict) and one for one in within)


def _overrides(text: str) -> bool:
    found = _json(text)
    return isinstance(found, dict) and all(isinstance(one, list) for one in found.values())


def _lists_of_names(text: str) -> bool:
    """As istiod writes it; what is no JSON it does not look at."""
    found = _json(text)
    lists = [one for name, one in found.items() if name in _LISTED] if isinstance(found, dict) else []
    return all(one is None or (isinstance(one, list) and all(isinstance(name, str) for name in one)) for one in lists)


def _mapping(text: str) -> bool:
    """YAML whose first line says something of a field, or a JSON object."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith(("#", "---"))]
    return not lines or isinstance(_json(text), dict) or re.match(r"\s*[A-Za-z_]+:(\s|$)", lines[0]) is not None


def _config_map(text: str) -> bool:
    """A name, and none that is something else in YAML."""
    return not text or (re.fullmatch(r"[a-z]([a-z0-9.-]*[a-z0-9])?", text) is not None and text not in _WORDS_OF_YAML)


def _plain(text: str) -> bool:
    """Nothing that would end a text in YAML, or make something else of it."""
    return re.search(r"[\"'\\{}\[\]#\t\r\n]|:(?=\s|$)", text) is None


_LISTED = ("initContainers", "containers", "volumes", "imagePullSecrets")
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "y", "n", "null"})
_TAKEN_AS_IT_IS: _Checks = {
    "proxy.istio.io/config": (_mapping, "a mapping"),
    "proxy.istio.io/overrides": (_overrides, "a JSON object of lists"),
    "sidecar.istio.io/bootstrapOverride": (_config_map, "the name of a ConfigMap"),
    "sidecar.istio.io/status": (_lists_of_names, "what istiod writes there"),
    **dict.fromkeys(("sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount"), (_objects, "a JSON object of objects")),
    **dict.fromkeys(
        (
            "sidecar.istio.io/agentLogLevel",
            "sidecar.istio.io/componentLogLevel",
            "sidecar.istio.io/logLevel",
            "sidecar.istio.io/proxyImage",
            "sidecar.istio.io/proxyImageType",
            "traffic.sidecar.istio.io/includeOutboundPorts",
        ),
        (_plain, "a plain word"),
    ),
}


def refused(annotations: Mapping[str, str], version: str | None) -> str:
    """What an istiod of this version refuses for certain, as a clause; empty where there is nothing."""
    checks = [_ALWAYS, *(these for since, these in _SINCE if version is not None and not before(version, *since))]
    return next((wrong for these in checks for wrong in _wrong(annotations, these)), "")


def refused_by_some(annotations: Mapping[str, str]) -> str:
    """What some versions refuse, and others do not."""
    return next((wrong for _since, these in _SINCE for wrong in _wrong(annotations, these)), "")


def unclear(annotations: Mapping[str, str]) -> str:
    """What no version checks and the template may stumble over, as a clause; seen with 1.30.3's own injection, value by value."""
    return next(_wrong(annotations, _TAKEN_AS_IT_IS), "")


def _wrong(annotations: Mapping[str, str], checks: _Checks) -> Iterator[str]:
    for name, (check, wanted) in checks.items():
        if name in annotations and not check(annotations[name]):
            yield f"its annotation {name}={_short(annotations[name])} is not {wanted}"


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."
