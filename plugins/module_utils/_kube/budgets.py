# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PodDisruptionBudgets as the domain knows them."""

from __future__ import annotations

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import at, name_of, namespace_of, number
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import readable
from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import Budget
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector

KIND = "PodDisruptionBudget"
PATH = "/apis/policy/v1/poddisruptionbudgets"


def parse(item: Json) -> Budget:
    seen = number(item, "status", "observedGeneration") >= number(item, "metadata", "generation")
    selects = at(item, "spec", "selector")
    return Budget(
        namespace=namespace_of(item),
        name=name_of(item),
        # Unlike one that is empty, a selector that is not there selects nothing; one that cannot be read may select anything
        selector=None if selects is None else readable(selects) or Selector(),
        allowed=number(item, "status", "disruptionsAllowed") if seen else 0,
    )
