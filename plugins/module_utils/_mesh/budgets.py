# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""PodDisruptionBudgets: what they allow now. Pure.

In Kubernetes they guard evictions only: a rollout goes on whatever they say ("Disruptions", Kubernetes documentation). That a restart
waits for them is our own policy, which ``mesh_respect_pdb`` switches off; an eviction is always asked for under them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload


@dataclass(frozen=True, slots=True)
class Budget:
    namespace: str
    name: str
    selector: Selector | None
    """None selects nothing."""
    allowed: int
    """How many pods more may be disrupted at this moment (``disruptionsAllowed``)."""

    def guards(self, namespace: str, labels: Mapping[str, str]) -> bool:
        return self.namespace == namespace and self.selector is not None and self.selector.matches(labels)


def exhausted(budgets: Iterable[Budget], namespace: str, labels: Mapping[str, str], rolling: Iterable[Workload] = ()) -> str:
    """The budget that allows pods with these labels no disruption now, as ``pdb/api``; empty where none stands in the way.

    Each workload that is rolling and that it guards takes one: it may be some time until what is allowed shows that.
    """
    guards = (one for one in budgets if one.guards(namespace, labels))
    taken = tuple(rolling)
    return next(
        (f"pdb/{one.name}" for one in guards if one.allowed <= sum(one.guards(other.namespace, other.template.labels) for other in taken)),
        "",
    )
