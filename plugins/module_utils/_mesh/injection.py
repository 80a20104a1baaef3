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
    rules: tuple[str, ...] = ()
    """For what it is called, for example ``CREATE v1 pods``."""


@dataclass(frozen=True, slots=True)
class Injector:
    """A MutatingWebhookConfiguration that injects, for a revision or for a tag that points at one."""

    name: str
    revision: str
    tag: str | None
    entries: tuple[Entry, ...]
    service: str | None = None
    """Whom it calls; None for a url."""
    namespace: str = ""
    """Of that Service."""
    port: int = 443
    path: str = "/inject"
    """There it is asked."""
    roots: frozenset[str] = frozenset()
    """Fingerprints of the certificates in its caBundles: the roots of its certificate authority."""
    ready: bool | None = None
    """Whether that Service has a ready endpoint; None where it is not known, or for a url."""
    owner: str | None = None
    """The helm release that it belongs to."""
    url: str | None = None
    """Whom it calls, where that is no Service."""

    @property
    def disabled(self) -> bool:
        return all(entry.disabled for entry in self.entries)

    @property
    def legacy(self) -> bool:
        """One entry for namespaces alone, as up to 1.9: pods cannot ask."""
        return any(entry.name == ENTRY_SUFFIX for entry in self.entries)

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
    refused: str = ""
    """Why the API server would refuse the pod at this moment, since it cannot call an injector; empty where it can."""

    @property
    def twice(self) -> bool:
        """Two injectors are asked, and each may inject: istioctl calls that IST0139."""
        return len(self.asked) > 1


def decide(
    pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector], versions: Mapping[str, str | None]
) -> Decision:
    """What happens to a new pod in a namespace with these labels. ``versions`` says which Istio a revision runs, where known.

    Configurations are called in the order of their names; where two inject, the last one's answer stays (recorded: both
    are asked, one revision is left on the pod).
    """
    asked = tuple(i for i in sorted(injectors, key=lambda injector: injector.name) if _matching(i, labels, pod.labels))
    injecting = [i.revision for i in asked if wants_sidecar(pod, namespace, versions.get(i.revision))]
    refused = next((why for injector in asked if (why := _cannot_be_called(injector, labels, pod.labels))), "")
    return Decision(asked, injecting[-1] if injecting else None, refused)


def _matching(injector: Injector, namespace: Mapping[str, str], pod: Mapping[str, str]) -> list[Entry]:
    return [entry for entry in injector.entries if entry.namespaces.matches(namespace) and entry.objects.matches(pod)]


def _cannot_be_called(injector: Injector, namespace: Mapping[str, str], pod: Mapping[str, str]) -> str:
    """``failurePolicy: Fail``, which every injector has, turns this into a refusal (recorded: failures.json)."""
    if not all(entry.has_ca for entry in _matching(injector, namespace, pod)):
        return f"MutatingWebhookConfiguration {injector.name} has no caBundle"
    return f"Service {injector.service}, which {injector.name} calls, has no ready endpoint" if injector.ready is False else ""


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
