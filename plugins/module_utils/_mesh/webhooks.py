# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the webhook configuration of an injector is called and consists of, by its version. Pure.

Source: Istio's chart ``istiod``, templates/mutatingwebhook.yaml and revision-tags-mwc.yaml, 1.9 to 1.30.
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import DEACTIVATED, ENTRY_SUFFIX, INJECT, Entry
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION, before
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector

USUAL_NAMESPACE = "istio-system"
SYSTEM = ("kube-system", "kube-public", "kube-node-lease", "local-path-storage")
EVERYWHERE = f"auto.{ENTRY_SUFFIX}"
"""The entry of injection by default, in all namespaces that do not say anything."""
NEVER = Selector(equal=((DEACTIVATED, "never-match"),))
"""As istioctl disables an injector: both selectors of every entry."""


def webhook_of(revision: str, istio_namespace: str) -> str:
    return "istio-sidecar-injector" + (f"-{revision}" if revision != DEFAULT else "") + _elsewhere(istio_namespace)


def webhook_of_tag(tag: str, istio_namespace: str) -> str:
    return f"istio-revision-tag-{tag}" + _elsewhere(istio_namespace)


def service_of_tag(tag: str) -> str:
    return f"istiod-revision-tag-{tag}"


def _elsewhere(istio_namespace: str) -> str:
    """Names of cluster-wide objects carry the namespace where it is not the usual one."""
    return "" if istio_namespace == USUAL_NAMESPACE else f"-{istio_namespace}"


_NOT_REFUSED, _WISHED = Requirement(INJECT, Operator.NOT_IN, ("false",)), Requirement(INJECT, Operator.IN, ("true",))
_NO_WISH = Requirement(INJECT, Operator.DOES_NOT_EXIST)
_NO_INJECTION, _NO_REVISION = Requirement(INJECTION, Operator.DOES_NOT_EXIST), Requirement(REVISION, Operator.DOES_NOT_EXIST)
_ENABLED = Requirement(INJECTION, Operator.IN, ("enabled",))
_ORDINARY = Requirement("kubernetes.io/metadata.name", Operator.NOT_IN, SYSTEM)


def entries(name: str, version: str | None = None, *, everywhere: bool = False) -> tuple[Entry, ...]:
    """Of an injector that answers to a revision or tag; ``default`` is also asked by ``istio-injection`` and by pods themselves.

    ``everywhere`` adds injection by default, which only ``default`` can have. Up to 1.9 there is one entry, and pods are not asked.
    """
    if before(version, 1, 10):
        return (_before_1_10(name),)
    asked = Requirement(REVISION, Operator.IN, (name,))
    found = [
        _entry("rev.namespace", (asked, _NO_INJECTION), (_NOT_REFUSED,)),
        _entry("rev.object", (_NO_REVISION, _NO_INJECTION), (_NOT_REFUSED, asked)),
    ]
    if name == DEFAULT:
        found.append(_entry("namespace", (_ENABLED,), (_NOT_REFUSED,)))
        found.append(_entry("object", (_NO_INJECTION, _NO_REVISION), (_WISHED, _NO_REVISION)))
        if everywhere:
            found.append(_entry("auto", (_NO_INJECTION, _NO_REVISION, _ORDINARY), (_NO_WISH, _NO_REVISION)))
    return tuple(found)


def injects_everywhere(found: Iterable[Entry]) -> bool:
    """Whether injection by default is on, by its entry, which keeps its name where it is disabled."""
    return any(entry.name == EVERYWHERE for entry in found)


def _before_1_10(name: str) -> Entry:
    """``useLegacySelectors``, the chart's default until 1.9 (gone in 1.11)."""
    asked = Requirement(REVISION, Operator.IN, (name,))
    namespaces = Selector(equal=((INJECTION, "enabled"),)) if name == DEFAULT else Selector((_NO_INJECTION, asked))
    return Entry(ENTRY_SUFFIX, namespaces, Selector((_NOT_REFUSED,)), True)


def _entry(prefix: str, namespaces: tuple[Requirement, ...], objects: tuple[Requirement, ...]) -> Entry:
    return Entry(f"{prefix}.{ENTRY_SUFFIX}", Selector(namespaces), Selector(objects), True)
