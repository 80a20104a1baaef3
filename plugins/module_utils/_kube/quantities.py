# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Quantities as Kubernetes writes them. Source: k8s.io/apimachinery pkg/api/resource/quantity.go."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import mapping, mappings, text
from ansible_collections.meshops.istio.plugins.module_utils._mesh.resources import Amounts, Resources

_FORM = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|([KMGTPE]i|[numkMGTPE]))?")
_FACTORS = {
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{unit: Decimal(1000) ** -power for power, unit in enumerate("mun", start=1)},
}


@lru_cache(4096)
def _quantity(written: str, per: int) -> int:
    found = _FORM.fullmatch(written.strip())
    if found is None:
        return 0
    number, exponent, unit = found.groups()
    value = Decimal(number + (exponent or "")) * _FACTORS.get(unit or "", Decimal(1)) * per
    return int(value.to_integral_value(ROUND_CEILING))


def quantity(value: object, per: int = 1) -> int:
    """In so many parts of a unit, rounded up; 0 for what is absent, and for what is no quantity, which no API server takes."""
    return _quantity(str(value), per) if isinstance(value, str | int | float) else 0


def amounts(listed: Json) -> Amounts:
    cpu, memory = listed.get("cpu"), listed.get("memory")
    return _NOTHING if cpu is None and memory is None else _amounts(quantity(cpu, 1000), quantity(memory))


_NOTHING = Amounts()


@lru_cache(4096)
def _amounts(cpu: int, memory: int) -> Amounts:
    """One value for what many pods ask for alike."""
    return Amounts(cpu, memory)


def resources(listed: Json) -> Resources:
    """Of one container. What is not requested is what is allowed, as the API server fills it in."""
    limits = mapping(listed, "limits")
    return _resources(amounts(limits | mapping(listed, "requests")), amounts(limits))


@lru_cache(4096)
def _resources(requests: Amounts, limits: Amounts) -> Resources:
    return Resources(requests, limits)


def of_pod(spec: Json) -> Resources:
    """Of a whole pod: its containers together with native sidecars, or the largest init container beside those that run by then."""
    first = tuple((_of(one), text(one, "restartPolicy") == "Always") for one in mappings(spec, "initContainers"))
    return _whole(first, tuple(map(_of, mappings(spec, "containers"))), amounts(mapping(spec, "overhead")))


def _of(container: Json) -> Resources:
    return resources(mapping(container, "resources"))


@lru_cache(4096)
def _whole(first: tuple[tuple[Resources, bool], ...], containers: tuple[Resources, ...], overhead: Amounts) -> Resources:
    """Init containers with whether each goes on beside the others."""
    running = beginning = Resources()
    for asked, stays in first:
        if stays:
            running += asked
            beginning = beginning.most(running)
        else:
            beginning = beginning.most(running + asked)
    for asked in containers:
        running += asked
    whole = running.most(beginning)
    return Resources(whole.requests + overhead, whole.limits + overhead if whole.limits != _NOTHING else whole.limits)
