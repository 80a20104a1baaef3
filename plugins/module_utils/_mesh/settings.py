# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane goes by when it is asked about a pod: its version, and its injector's settings. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector

ENABLED, DISABLED = "enabled", "disabled"
RENDERED = frozenset({"sidecar", "gateway"})
"""Templates that every chart renders (istiod-injector-configmap.yaml, 1.9 to 1.30)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """ConfigMap ``istio-sidecar-injector[-REVISION]``, key ``config``. The defaults are those of Istio's chart."""

    policy: str = ENABLED
    """About pods that say nothing themselves; Istio knows ``enabled`` and ``disabled``, and injects nothing with any other."""
    never: tuple[Selector, ...] = ()
    always: tuple[Selector, ...] = ()
    templates: frozenset[str] | None = None
    """By name. None: not known, but that every chart's own are there."""
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names that stand for several templates."""
    default_templates: tuple[str, ...] = ("sidecar",)
    """For pods that name none."""

    def templates_of(self, named: str | None) -> Iterator[str]:
        """What a pod gets that names templates in its annotation, or none."""
        names = self.default_templates if named is None else tuple(name.strip() for name in named.split(","))
        return (template for name in names for template in self.aliases.get(name, (name,)))


@dataclass(frozen=True, slots=True)
class Istiod:
    """What is known of a control plane; None is not known."""

    version: str | None = None
    settings: Settings | None = None


def config_map_of(revision: str) -> str:
    """Istio, pilot/pkg/bootstrap/sidecarinjector.go, 1.9 to 1.30."""
    return "istio-sidecar-injector" + (f"-{revision}" if revision != DEFAULT else "")
