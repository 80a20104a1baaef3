# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Annotations by which a pod tells how its sidecar is to be, and what istiod refuses among them. Pure.

Source: Istio, pkg/kube/inject/validate.go. ``proxy.istio.io/config`` is YAML with rules of its own, and is left to the probe.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping

from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import before

_BOOLEANS = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
_QUANTITY = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?")


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
    return re.search(r"/\d+$", text) is not None


def _or_all(check: Callable[[str], bool]) -> Callable[[str], bool]:
    return lambda text: text == "*" or check(text)


_ALWAYS: dict[str, tuple[Callable[[str], bool], str]] = {
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
_QUANTITIES = tuple(f"sidecar.istio.io/proxy{what}" for what in ("CPU", "CPULimit", "Memory", "MemoryLimit"))
"""Checked from 1.29 on, and by patch releases before; a wrong one may fail elsewhere, too."""


def refused(annotations: Mapping[str, str]) -> str:
    """What every istiod refuses, as a clause; empty where there is nothing."""
    return next(_wrong(annotations, _ALWAYS), "")


def refused_quantity(annotations: Mapping[str, str]) -> str:
    """What is no quantity of CPU or memory, as a clause; empty where all are."""
    return next(_wrong(annotations, dict.fromkeys(_QUANTITIES, (lambda text: _QUANTITY.fullmatch(text) is not None, "a quantity"))), "")


def quantities_checked(version: str | None) -> bool:
    return version is not None and not before(version, 1, 29)


def _wrong(annotations: Mapping[str, str], checks: Mapping[str, tuple[Callable[[str], bool], str]]) -> Iterator[str]:
    for name, (check, wanted) in checks.items():
        if name in annotations and not check(annotations[name]):
            yield f"its annotation {name}={_short(annotations[name])} is not {wanted}"


def _short(value: str) -> str:
    return value if len(value) <= 60 else f"{value[:57]}..."
