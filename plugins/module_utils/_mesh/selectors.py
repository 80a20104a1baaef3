# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Label selectors with full Kubernetes semantics. Pure.

Source: Kubernetes documentation, "Labels and Selectors"; ``NotIn`` and ``!=`` also match objects without the key
(k8s.io/apimachinery pkg/labels/selector.go, ``Requirement.Matches``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError


class Operator(StrEnum):
    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    """In the order in which they are written: what is written again in another order is a change."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return self.key not in labels or labels[self.key] not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()
    """``matchExpressions``"""
    equal: tuple[tuple[str, str], ...] = ()
    """``matchLabels``, which say the same as ``In`` with one value, in another form."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        for key, value in self.equal:
            if labels.get(key) != value:
                return False
        return all(requirement.matches(labels) for requirement in self.requirements)

    @property
    def valid(self) -> bool:
        """Whether Kubernetes takes it: In and NotIn have values, the others none, and each word is one that a label may have.

        Source: k8s.io/apimachinery pkg/labels/selector.go, ``NewRequirement``.
        """
        sets = (Operator.IN, Operator.NOT_IN)
        counted = all(bool(one.values) == (one.operator in sets) for one in self.requirements)
        return counted and all(_is_key(one.key) and all(map(_is_value, one.values)) for one in self.conditions)

    @property
    def conditions(self) -> tuple[Requirement, ...]:
        """Of both forms."""
        return (*(Requirement(key, Operator.IN, (value,)) for key, value in self.equal), *self.requirements)


_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(r"(?=.{1,253}/)([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?/")


def _is_key(text: str) -> bool:
    prefix = _PREFIX.match(text)
    return _WORD.fullmatch(text[prefix.end() :] if prefix else text) is not None


def _is_value(text: str) -> bool:
    return not text or _WORD.fullmatch(text) is not None


_PART = re.compile(
    r"""\s*(?:
    (?P<absent>!)\s*(?P<absent_key>[\w./-]+)
  | (?P<set_key>[\w./-]+)\s+(?P<set_operator>in|notin)\s*\((?P<set>[^()]*)\)
  | (?P<key>[\w./-]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[\w.-]*)
  | (?P<present_key>[\w./-]+)
  )\s*(?:,|$)""",
    re.VERBOSE,
)


def parse(text: str) -> Selector:
    """A selector as ``kubectl -l`` takes it: ``team=pay,env in (test, prod),!legacy``. Raises MeshError for anything else."""
    requirements: list[Requirement] = []
    position = 0
    while position < len(text):
        part = _PART.match(text, position)
        if part is None or part.end() == position:
            raise MeshError(
                f'"{text}" is not a label selector.',
                where=f'at "{text[position:]}"',
                do="write it as for kubectl -l, for example team=pay,env in (test, prod)",
            )
        requirements.append(_requirement(part))
        position = part.end()
    return Selector(tuple(requirements))


def _requirement(part: re.Match[str]) -> Requirement:
    if part["absent"]:
        return Requirement(part["absent_key"], Operator.DOES_NOT_EXIST)
    if part["set_key"]:
        values = tuple(value.strip() for value in part["set"].split(","))
        return Requirement(part["set_key"], Operator.IN if part["set_operator"] == "in" else Operator.NOT_IN, values)
    if part["operator"]:
        operator = Operator.NOT_IN if part["operator"] == "!=" else Operator.IN
        return Requirement(part["key"], operator, (part["value"],))
    return Requirement(part["present_key"], Operator.EXISTS)
