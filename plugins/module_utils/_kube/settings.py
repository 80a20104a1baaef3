# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The settings of a control plane's injector, from its ConfigMap. What cannot be seen or read is None: not known."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterable

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import readable
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings, config_map_of


def of(cluster: Cluster, namespace: str, revision: str) -> Settings | None:
    """One request for each control plane; a list would bring all else that is kept in its namespace."""
    try:
        found = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{config_map_of(revision)}")
    except ApiError as problem:
        if problem.status != 403:
            raise
        return None
    return parse(found) if found else None


def parse(item: Json) -> Settings | None:
    """A ConfigMap as a cluster has it or a chart renders it. None for one that istiod could not read either."""
    try:
        config = yaml.load(item["data"]["config"], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _settings(config)
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return None


def _settings(config: Json) -> Settings:
    templates = config.get("templates") or {}
    aliases = config.get("aliases") or {}
    return Settings(
        policy=str(config.get("policy") or ""),
        never=tuple(_selectors(config.get("neverInjectSelector") or ())),
        always=tuple(_selectors(config.get("alwaysInjectSelector") or ())),
        templates=frozenset(map(str, dict(templates))),
        aliases={str(name): tuple(map(str, those)) for name, those in aliases.items()},
        default_templates=tuple(map(str, config.get("defaultTemplates") or ("sidecar",))),
    )


def _selectors(items: Iterable[t.Any]) -> tuple[Selector, ...]:
    """One that is not valid counts for nothing, as with istiod, which logs a warning; what is no selector at all it does not take."""
    items = tuple(items)
    if not all(item is None or isinstance(item, dict) for item in items):
        raise TypeError("a selector is a mapping")
    return tuple(found for item in items if (found := readable(item)) is not None and found.valid)
