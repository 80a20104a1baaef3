# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of control planes, from their ConfigMaps: two requests for each."""

from __future__ import annotations

import contextlib
import json
import typing as t
from collections.abc import Iterable, Mapping

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import yaml

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import TRUST_DOMAIN, MeshConfig, config_map_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT


def read(cluster: Cluster, namespace: str, revision: str) -> MeshConfig | None:
    """None where it is not there, this user may not see it, or it cannot be read."""
    return _readable(_data(cluster, namespace, config_map_of(revision), "mesh"), _data(cluster, namespace, _injector(revision), "values"))


def rendered(objects: Iterable[Json], revision: str) -> MeshConfig | None:
    """The same of what a control plane would be installed from."""
    maps = {item["metadata"]["name"]: item for item in objects if item.get("kind") == "ConfigMap"}
    return _readable(_key(maps.get(config_map_of(revision)), "mesh"), _key(maps.get(_injector(revision)), "values"))


def rendered_hub(objects: Iterable[Json], revision: str) -> str | None:
    """Where the images of the sidecars would come from; None where that is not said in the usual place."""
    maps = {item["metadata"]["name"]: item for item in objects if item.get("kind") == "ConfigMap"}
    try:
        said = read_json(_key(maps.get(_injector(revision)), "values") or "{}")["global"]
        image = str((said.get("proxy") or {}).get("image") or "")
        return image.rpartition("/")[0] or _text(said.get("hub"))
    except (ValueError, TypeError, AttributeError, KeyError):
        return None


def _readable(mesh: str | None, values: str | None) -> MeshConfig | None:
    try:
        return parse(mesh, values or "{}") if mesh is not None else None
    except (ValueError, TypeError, AttributeError, KeyError, yaml.YAMLError):
        return None


def _injector(revision: str) -> str:
    return "istio-sidecar-injector" + (f"-{revision}" if revision != DEFAULT else "")


def _key(found: Json | None, key: str) -> str | None:
    told = ((found or {}).get("data") or {}).get(key)
    return told if isinstance(told, str) else None


def _data(cluster: Cluster, namespace: str, name: str, key: str) -> str | None:
    try:
        found = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    except ApiError as problem:
        if problem.status != 403:
            raise
        return None
    return _key(found, key)


def parse(mesh: str, values: str) -> MeshConfig:
    """``mesh`` is YAML; ``values`` are the chart's, as JSON. Raises what PyYAML and the like do where they are not."""
    said: Json = yaml.load(mesh, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    proxy = said.get(_PROXY) or {}
    given: Json = read_json(values).get("global") or {}
    return MeshConfig(
        trust_domain=_text(said.get("trustDomain")) or TRUST_DOMAIN,
        trust_domain_aliases=tuple(map(str, said.get("trustDomainAliases") or ())),
        root_namespace=_text(said.get("rootNamespace")),
        discovery_address=_text(proxy.get("discoveryAddress")),
        mesh_id=_text(proxy.get("meshId")) or _text(given.get("meshID")),
        network=_text(given.get("network")),
        cluster_name=_text((given.get("multiCluster") or {}).get("clusterName")),
        ca_address=_text(given.get("caAddress")),
        discovery_selectors=tuple(selector(one) for one in said.get("discoverySelectors") or ()),
        more=_more(said) | {f"{_PROXY}.{key}": value for key, value in _more(proxy).items()},
    )


_PROXY = "defaultConfig"
_READ = {"trustDomain", "trustDomainAliases", "discoverySelectors", _PROXY, "meshId", "discoveryAddress"}
"""What is a field of its own. Each revision has an address of its own, so that this one always differs."""


def _more(said: Mapping[str, t.Any]) -> dict[str, str]:
    return {
        str(key): json.dumps(value, sort_keys=True) for key, value in said.items() if key not in _READ and value not in (None, "", [], {})
    }


def _text(value: t.Any) -> str | None:
    """Empty is not said."""
    return str(value) if value else None
