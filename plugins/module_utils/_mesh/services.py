# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Services that webhooks call: whether each is there, and how many ready endpoints it has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    namespace: str
    name: str
    tag: str | None = None
    """It stands for this tag (Istio 1.28 and later)."""
    revision: str | None = None


@dataclass(frozen=True, slots=True)
class Services:
    """Of the namespaces that were looked at; of any other nothing is known."""

    found: Mapping[tuple[str, str], Service] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()
    """Namespaces whose Services were listed."""
    hidden: frozenset[str] = frozenset()
    """Namespaces whose Services or endpoints this user may not list."""
    endpoints: Mapping[tuple[str, str], int] = field(default_factory=dict)
    counted: frozenset[str] = frozenset()
    """Namespaces whose endpoints were listed."""

    def there(self, namespace: str, name: str | None) -> bool | None:
        """None where it is not known, or where no Service is called."""
        return None if name is None or namespace not in self.seen else (namespace, name) in self.found

    def ready(self, namespace: str, name: str | None) -> int | None:
        """How many endpoints; None where it is not known."""
        return None if name is None or namespace not in self.counted else self.endpoints.get((namespace, name), 0)

    def unknowns(self) -> tuple[str, ...]:
        return tuple(
            f"Services and EndpointSlices in namespace {one}: this user may not list them all, so that it is not known whether webhooks "
            "that call them are answered."
            for one in sorted(self.hidden)
        )

    @property
    def tags(self) -> tuple[Service, ...]:
        return tuple(one for one in self.found.values() if one.tag)
