# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which injector a pod would get, computed from selectors: the prediction. Pure.

Two stages, as in Istio: the API server's selectors decide which istiod is asked, then istiod decides whether it injects
(``pkg/kube/inject/inject.go``, ``injectRequired``; 1.26 to 1.30).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import before
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector

INJECT = "sidecar.istio.io/inject"
ENTRY_SUFFIX = "sidecar-injector.istio.io"
DEACTIVATED = "istio.io/deactivated"
_NEVER = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
_YES_BEFORE_1_27 = frozenset({"y", "yes", "true", "on"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One webhook of an injector's configuration; it is asked where both selectors match."""

    name: str
    namespaces: Selector
    objects: Selector
    has_ca: bool
    """A caBundle is there, or a url that needs none; without it, pods that match are refused."""
    disabled: bool = False
    """Carries ``istio.io/deactivated: never-match``, as istioctl leaves it beside a default tag."""


@dataclass(frozen=True, slots=True)
class Injector:
    """A MutatingWebhookConfiguration that injects, for a revision or for a tag that points at one."""

    name: str
    revision: str
    tag: str | None
    entries: tuple[Entry, ...]
    service: str | None = None
    owner: str | None = None

    @property
    def disabled(self) -> bool:
        return all(entry.disabled for entry in self.entries)

    @property
    def alias(self) -> str:
        """The name by which namespaces ask for it."""
        return self.tag or self.revision


@dataclass(frozen=True, slots=True)
class PodShape:
    """What of a pod, or of a pod template, injection depends on."""

    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    asked: tuple[Injector, ...] = ()
    revision: str | None = None
    """Whose sidecar the pod gets; None is no sidecar."""

    @property
    def twice(self) -> bool:
        return len(self.asked) > 1

    @property
    def opted_out(self) -> bool:
        """Asked, and answered no: the pod or the policy does not want a sidecar."""
        return bool(self.asked) and self.revision is None


def decide(
    pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector], versions: Mapping[str, str | None]
) -> Decision:
    """What happens to a new pod in a namespace with these labels. ``versions`` says which Istio a revision runs, where known.

    Configurations are called in the order of their names; where two inject, the last one's answer stays (recorded: both
    are asked, one revision is left on the pod).
    """
    in_order = sorted(injectors, key=lambda injector: injector.name)
    asked = tuple(i for i in in_order if any(_matches(entry, labels, pod.labels) for entry in i.entries))
    injecting = [i.revision for i in asked if wants_sidecar(pod, namespace, versions.get(i.revision))]
    return Decision(asked, injecting[-1] if injecting else None)


def _matches(entry: Entry, namespace: Mapping[str, str], pod: Mapping[str, str]) -> bool:
    return entry.namespaces.matches(namespace) and entry.objects.matches(pod)


def wants_sidecar(pod: PodShape, namespace: str, version: str | None) -> bool:
    """Second stage: the asked istiod's own answer under policy ``enabled``.

    The pod's label wins over its annotation. From 1.27 only ``true`` and ``false`` count, anything else is as if it were not
    set; before, also y/yes/on and n/no/off in any case, and whatever else was set meant no (recorded with 1.26.8).
    """
    if pod.host_network or namespace in _NEVER:
        return False
    asked = pod.labels.get(INJECT, pod.annotations.get(INJECT, ""))
    if before(version, 1, 27):
        return not asked or asked.lower() in _YES_BEFORE_1_27
    return asked != "false"
