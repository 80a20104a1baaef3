# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What decides about an upgrade, object by object: with these as they were, a plan that was made then still holds. Pure.

Not in it: pods, replicas and status, which come and go, and what this very upgrade changes as it goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import DATAPLANE_MODE, INJECTION, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import Choices, way_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Settings, config_map_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Workload

Says = Mapping[str, str]
"""What an object says of what decides, each as one line of text."""

_ANNOTATIONS = (
    INJECT,
    "inject.istio.io/templates",
    "sidecar.istio.io/proxyImage",
    "sidecar.istio.io/proxyImageType",
    "sidecar.istio.io/nativeSidecar",
)


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def shared(before: Snapshot, revision: str) -> dict[str, Says]:
    """The injectors, their settings and the tags that are there besides what the upgrade itself brings."""
    injectors = sorted(_others(before, revision), key=lambda one: one.name)
    planes = sorted((one for one in before.control_planes if one.revision != revision), key=lambda one: (one.revision, one.namespace))
    return {
        **{f"MutatingWebhookConfiguration {injector.name}": _injector(injector) for injector in injectors},
        **{f"ConfigMap {plane.namespace}/{config_map_of(plane.revision)}": _settings(plane.settings) for plane in planes},
    }


def _settings(settings: Settings | None) -> Says:
    if settings is None:
        return {"settings": "not to be seen"}
    return {
        "policy": settings.policy,
        "neverInjectSelector": " or ".join(map(_selector, settings.never)),
        "alwaysInjectSelector": " or ".join(map(_selector, settings.always)),
        "templates": ", ".join(sorted(settings.templates)) if settings.templates is not None else "not known",
        "aliases": "; ".join(f"{name}: {', '.join(those)}" for name, those in sorted(settings.aliases.items())),
        "defaultTemplates": ", ".join(settings.default_templates),
    }


def _others(before: Snapshot, revision: str) -> list[Injector]:
    return [injector for injector in before.injectors if injector.revision != revision or injector.tag]


def of_wave(before: Snapshot, revision: str, choices: Choices, names: Sequence[str]) -> dict[str, Says]:
    """``before`` is the cluster as the upgrade found it, so that it says the same when half of it has moved."""
    on_namespaces, on_pods = _keys(_others(before, revision))
    here = set(names)
    found = {f"namespace {name}": _namespace(before.namespace[name], on_namespaces) for name in sorted(here & before.namespace.keys())}
    for workload in sorted(before.workloads, key=lambda one: one.path):
        if workload.namespace in here and not workload.of_pods:  # else there is only its pods to tell of it
            found[f"{workload.short} in {workload.namespace}"] = _workload(workload, choices, on_pods)
    return found


def differences(was: Mapping[str, Says], now: Mapping[str, Says]) -> Iterator[str]:
    """Each object that says something else, is gone or is new, with what it said and says."""
    for name in sorted(was.keys() | now.keys()):
        if name not in now:
            yield f"{name}: it is gone"
        elif name not in was:
            yield f"{name}: it is new"
        else:
            before, after = was[name], now[name]
            for fact in sorted(before.keys() | after.keys()):
                old, new = before.get(fact, "-"), after.get(fact, "-")
                if old != new:
                    yield f"{name}: {fact} was {old or 'empty'}, is {new or 'empty'}"


def _keys(injectors: Sequence[Injector]) -> tuple[frozenset[str], frozenset[str]]:
    """The labels of namespaces, and of pods, that an injector asks for."""
    entries = [entry for injector in injectors for entry in injector.entries]
    namespaces = {one.key for entry in entries for one in entry.namespaces.conditions}
    pods = {one.key for entry in entries for one in entry.objects.conditions}
    return frozenset({*namespaces, INJECTION, REVISION, DATAPLANE_MODE}), frozenset({*pods, INJECT, REVISION})


def _injector(injector: Injector) -> Says:
    entries = {
        f"entry {entry.name}": f"namespaces {_selector(entry.namespaces)}; pods {_selector(entry.objects)}" for entry in injector.entries
    }
    called = f"{injector.namespace}/{injector.service}:{injector.port}{injector.path}" if injector.service else injector.url or "a url"
    return {"revision": injector.revision, "tag": injector.tag or "-", "calls": called, **entries}


def _selector(selector: Selector) -> str:
    found = (f"{one.key} {one.operator}" + (f" ({', '.join(one.values)})" if one.values else "") for one in selector.conditions)
    return " and ".join(found) or "all"


def _namespace(namespace: Namespace, keys: frozenset[str]) -> Says:
    return {"uid": namespace.uid, **{f"label {key}": value for key, value in sorted(namespace.labels.items()) if key in keys}}


def _workload(workload: Workload, choices: Choices, keys: frozenset[str]) -> Says:
    template = workload.template
    return {
        "uid": workload.uid,
        "strategy": workload.strategy or "-",
        "way": str(way_of(workload, choices).recipe),
        "hostNetwork": str(template.host_network).lower(),
        **{f"label {key}": value for key, value in sorted(template.labels.items()) if key in keys},
        **{f"annotation {key}": template.annotations[key] for key in _ANNOTATIONS if key in template.annotations},
    }
