# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One object as it should be: read, changed as a whole, written back where it differs; read and decided again where somebody was faster."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json

Build: t.TypeAlias = "t.Callable[[Json | None], Json]"
"""How an object should be, of what is there; equal where nothing is to be done."""
_TIMES = 5


@dataclass(frozen=True, slots=True)
class Written:
    before: Json | None
    after: Json


def ensure(cluster: Cluster, folder: str, name: str, build: Build) -> Written | None:
    """None where it was so already, and nothing was written."""
    path = f"{folder}/{name}"
    for _time in range(_TIMES):
        found = cluster.get(path)
        wanted = build(found)
        if wanted == found:
            return None
        try:
            if found is None:
                cluster.create(folder, wanted)
            else:
                cluster.replace(path, wanted)
        except ApiError as problem:
            if problem.status not in (404, 409):  # made, changed or removed by somebody else meanwhile
                raise
        else:
            return Written(found, wanted)
    raise ApiError(409, "Conflict", "the object changed five times while it was being written", "PUT", path)
