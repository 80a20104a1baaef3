# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PodDisruptionBudgets as the domain knows them."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import Budget

KIND = "PodDisruptionBudget"
PATH = "/apis/policy/v1/poddisruptionbudgets"


def parse(item: Json) -> Budget:
    metadata, status = item["metadata"], item.get("status") or {}
    seen = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    return Budget(
        namespace=metadata["namespace"],
        name=metadata["name"],
        # Unlike one that is empty, a selector that is not there selects nothing
        selector=selector(item["spec"]["selector"]) if item["spec"].get("selector") is not None else None,
        allowed=status.get("disruptionsAllowed", 0) if seen else 0,
    )
