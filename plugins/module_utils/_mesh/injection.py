# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Injectors, and what comes of a pod when they are asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector

INJECT = "sidecar.istio.io/inject"
ENTRY_SUFFIX = "sidecar-injector.istio.io"
DEACTIVATED = "istio.io/deactivated"
PRIOR_SELECTORS = "meshops.io/prior-selectors"
"""On an injector that this collection has disabled: the selectors of each entry, as they were written."""


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
    pods: bool = True
    """Its rules cover the creation of pods."""
    lenient: bool = False
    """``failurePolicy: Ignore``: a pod passes as it is where the injector cannot be called."""
    again: bool = False
    """``reinvocationPolicy: IfNeeded``: asked once more when something after it has changed the pod."""
    unclear: str = ""
    """Why it is not known whether it is asked where both selectors match; empty where it is."""


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
    remembers: bool = False
    """It was disabled by this collection, and what it matched before is kept on it."""

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


class Says(StrEnum):
    """What comes of asking one injector."""

    INJECTS = "injects"
    DECLINES = "declines"
    """It is asked, and lets the pod pass as it is."""
    SKIPPED = "skipped"
    """It cannot be called, and the API server goes on without it (failurePolicy Ignore)."""
    REFUSES = "refuses"
    """The pod is not created: it says no, or cannot be called."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Answer:
    says: Says
    why: str = ""
    """A clause, for all but a plain yes."""
    would: bool = False
    """Of a refusal: it would inject the pod if nothing were in the way, as far as can be seen."""


@dataclass(frozen=True, slots=True)
class Call:
    """The API server asks one injector about a pod, by one of its entries."""

    injector: Injector
    entry: Entry
    answer: Answer
    revision: str
    """Of the control plane that is asked: that of the Service, where a hand has changed a configuration's label alone."""

    @property
    def open(self) -> bool:
        """It is not known what comes of it, or whether it is made at all."""
        certain = (Says.DECLINES, Says.SKIPPED) if self.entry.unclear else (Says.INJECTS, Says.DECLINES, Says.SKIPPED, Says.REFUSES)
        return self.answer.says not in certain

    @property
    def why(self) -> str:
        """Why it is open."""
        return self.entry.unclear or self.answer.why


class Outcome(StrEnum):
    """What becomes of a new pod."""

    SIDECAR = "sidecar"
    NONE = "none"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    """It cannot be computed from what can be seen; the API server knows it (injection_probe)."""


@dataclass(frozen=True, slots=True)
class Decision:
    outcome: Outcome = Outcome.NONE
    revision: str | None = None
    """Whose sidecar the pod gets, or would get if it were not refused; None is no sidecar, or unknown."""
    calls: tuple[Call, ...] = ()
    """Whom the API server asks, in the order in which it does; one that it may or may not ask is among them."""
    why: str = ""
    """Why it is refused or unknown, as a clause."""
    sentence: str = ""
    """All of it for a person, in one sentence."""

    @property
    def asked(self) -> tuple[Injector, ...]:
        return tuple({call.injector.name: call.injector for call in self.calls}.values())

    @property
    def known(self) -> bool:
        return self.outcome is not Outcome.UNKNOWN

    @property
    def refused(self) -> str:
        """Why the API server would refuse the pod at this moment; empty where it would not."""
        return self.why if self.outcome is Outcome.REFUSED else ""

    @property
    def text(self) -> str:
        """What a new pod gets, in few words."""
        match self.outcome:
            case Outcome.SIDECAR:
                return f"the sidecar of {self.revision}"
            case Outcome.NONE:
                return "no sidecar"
            case Outcome.REFUSED:
                return "nothing, since they are refused"
        return "what is not known"

    @property
    def twice(self) -> bool:
        """Two injectors are asked, and each may inject: istioctl calls that IST0139."""
        passing = (Says.DECLINES, Says.SKIPPED)
        return len({call.injector.name for call in self.calls if not call.entry.unclear and call.answer.says not in passing}) > 1

    def may_get(self, revision: str) -> bool:
        """Whether the pod gets this revision's sidecar, or that it does is not excluded."""
        return self.revision == revision or (not self.known and any(call.revision == revision for call in self.calls))
