# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload asks for itself, whatever its namespace says: in, out, or nothing. Pure."""

from __future__ import annotations

from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION, before

_YES_BEFORE_1_27 = frozenset({"y", "yes", "true", "on"})


class Wish(StrEnum):
    IN = "in"
    OUT = "out"
    DEFAULT = "default"
    """It asks for nothing: its namespace decides."""


def wish(pod: PodShape, version: str | None = None) -> Wish:
    """``version`` is that of the control plane that is asked: from 1.27 values beside ``true`` and ``false`` count for nothing.

    The pod's label wins over its annotation; the network of the node keeps it out, whatever it says.
    """
    said = pod.labels.get(INJECT, pod.annotations.get(INJECT))
    if pod.host_network:
        return Wish.OUT
    if said in ("true", "false"):
        return Wish.IN if said == "true" else Wish.OUT
    if said and before(version, 1, 27):
        return Wish.IN if said.lower() in _YES_BEFORE_1_27 else Wish.OUT
    return Wish.IN if REVISION in pod.labels else Wish.DEFAULT
