# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stand-in is, as its own pod and its ConfigMap say it, just as a real istiod finds it out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from ..api import Api, Json
from ..stages import FAULT
from .decision import Policy
from .patch import Injection
from .versions import version_of


@dataclass(frozen=True, slots=True)
class Identity:
    revision: str
    version: str
    namespace: str
    pod: str
    environment: dict[str, str]
    fault: str = ""

    @classmethod
    def of(cls, pod: Json) -> Identity:
        metadata = pod["metadata"]
        container = next(one for one in pod["spec"]["containers"] if one["name"] == "discovery")
        environment = {one["name"]: one.get("value", "") for one in container.get("env") or ()}
        revision = environment.get("REVISION") or metadata["labels"].get("istio.io/rev") or "default"
        fault = (metadata.get("annotations") or {}).get(FAULT, "")
        return cls(revision, version_of(container["image"]), metadata["namespace"], metadata["name"], environment, fault)

    @property
    def dashed(self) -> str:
        return "" if self.revision == "default" else f"-{self.revision}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names by which it may be called over TLS."""
        names = dict.fromkeys(("istiod", f"istiod{self.dashed}", "istiod-remote", "istio-pilot"))
        return tuple(f"{name}.{self.namespace}.svc" for name in names)


@dataclass(frozen=True, slots=True)
class Settings:
    policy: Policy
    injection: Injection


def read(api: Api, identity: Identity) -> Settings:
    return parse(api.get(f"{_maps(identity)}/{_name(identity)}")["data"], identity)


def changes(api: Api, identity: Identity) -> Iterator[Settings]:
    """A real istiod follows its ConfigMap too."""
    for event in api.watch(_maps(identity), fieldSelector=f"metadata.name={_name(identity)}"):
        if event["type"] != "DELETED":
            yield parse(event["object"]["data"], identity)


def parse(content: dict[str, str], identity: Identity) -> Settings:
    config: Json = yaml.safe_load(content["config"])
    values = json.loads(content["values"])["global"]
    suffix = f"-{values['variant']}" if values.get("variant") else ""

    def image(part: str) -> str:
        named: str = (values.get(part) or {}).get("image") or "proxyv2"
        return named if "/" in named else f"{values['hub']}/{named}:{values['tag']}{suffix}"

    return Settings(
        Policy(
            enabled=config["policy"] == "enabled",
            never=tuple(config.get("neverInjectSelector") or ()),
            always=tuple(config.get("alwaysInjectSelector") or ()),
        ),
        Injection(
            revision=identity.revision,
            version=identity.version,
            namespace=identity.namespace,
            image=image("proxy"),
            init_image=image("proxy_init"),
            cluster=identity.environment.get("CLUSTER_ID", "Kubernetes"),
            network=values.get("network") or "",
            templates=tuple(config["templates"]),
            default_templates=tuple(config.get("defaultTemplates") or ("sidecar",)),
            annotations=config.get("injectedAnnotations") or {},
        ),
    )


def _maps(identity: Identity) -> str:
    return f"/api/v1/namespaces/{identity.namespace}/configmaps"


def _name(identity: Identity) -> str:
    return f"istio-sidecar-injector{identity.dashed}"
