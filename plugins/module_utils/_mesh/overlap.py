# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether two injectors would take the same pod, and which one. Pure.

istioctl calls that IST0139 (pkg/config/analysis/analyzers/webhook) and tries permutations of labels; here each label is solved by
itself, which comes to the same: a selector is a conjunction of requirements on single labels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Requirement, Selector

_OTHER = "any-other"


@dataclass(frozen=True, slots=True)
class Overlap:
    injector: Injector
    namespace: Mapping[str, str]
    """Labels by which both take the pods of a namespace."""
    pod: Mapping[str, str]

    @property
    def text(self) -> str:
        where = f"a namespace with {_labels(self.namespace)}" if self.namespace else "a namespace without labels"
        return where + (f", a pod with {_labels(self.pod)}" if self.pod else "")


def overlaps(one: Injector, others: Iterable[Injector]) -> Iterator[Overlap]:
    """One for each of the others that would take a pod which this one takes too; a disabled one takes none."""
    for other in others:
        if not other.disabled and not one.disabled:
            found = [
                Overlap(other, namespace, pod)
                for mine in one.entries
                for theirs in other.entries
                if (namespace := common(mine.namespaces, theirs.namespaces)) is not None
                and (pod := common(mine.objects, theirs.objects)) is not None
            ]
            if found:  # a label of a namespace says more than one of a pod
                yield min(found, key=lambda overlap: (not overlap.namespace, len(overlap.pod)))


def check_alone(one: Injector, others: Iterable[Injector], what: str, do: str) -> None:
    """Raises MeshError where another injector would take pods that this one takes, with the labels of such a one."""
    for overlap in overlaps(one, others):
        raise MeshError(
            f"{what} would take pods that another injector takes too.",
            where=f"MutatingWebhookConfiguration {overlap.injector.name}: {overlap.text}",
            why="both would be asked, and the one whose name sorts last would win",
            do=do,
        )


def common(one: Selector, other: Selector) -> Mapping[str, str] | None:
    """Labels that both selectors match, as few as can be; None where there are none."""
    conditions: dict[str, list[Requirement]] = defaultdict(list)
    for requirement in (*one.conditions, *other.conditions):
        conditions[requirement.key].append(requirement)
    labels: dict[str, str] = {}
    for key, requirements in conditions.items():
        found = next((tried for tried in _tries(key, requirements) if all(one.matches(tried) for one in requirements)), None)
        if found is None:
            return None
        labels |= found
    return labels


def _tries(key: str, requirements: Iterable[Requirement]) -> Iterator[Mapping[str, str]]:
    """Absent, each value that is named, and one that is not: more cases than these there are not."""
    values = sorted({value for requirement in requirements for value in requirement.values})
    yield {}
    yield from ({key: value} for value in values)
    yield {key: _OTHER + "".join("-" + value for value in values)}  # longer than each of them


def _labels(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())
