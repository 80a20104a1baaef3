# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an istiod answers that is asked about a pod: the second stage of injection. Pure.

Source: Istio, pkg/kube/inject/inject.go (``injectRequired``, ``RunTemplate``), 1.9 to 1.31; held against recorded answers.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.meshops.istio.plugins.module_utils._mesh import proxy_annotations
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Answer, PodShape, Says
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import before, numbers
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import DISABLED, ENABLED, RENDERED, Istiod, Settings

TEMPLATES = "inject.istio.io/templates"
IGNORED = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})
"""Namespaces in which no istiod injects."""
_YES_BEFORE_1_27 = frozenset({"y", "yes", "true", "on"})


def answer(pod: PodShape, namespace: str, istiod: Istiod) -> Answer:
    """What cannot be told from version and settings that are not known is unknown."""
    if pod.host_network:
        return Answer(Says.DECLINES, "the pod uses the network of its node")
    if namespace in IGNORED:
        return Answer(Says.DECLINES, f"no control plane injects in namespace {namespace}")
    found = {_decides(pod, wish(pod), istiod.settings) for wish in _wishes(istiod.version)}
    if len(found) > 1:
        return Answer(Says.UNKNOWN, f"what {_said(pod)} means depends on its version, which is not known")
    (one,) = found
    return _injects(pod, istiod) if one.says is Says.INJECTS else one


def _wishes(version: str | None) -> tuple[Callable[[PodShape], bool | None], ...]:
    """The rule of a version; each that there is where it is not known."""
    if numbers(version) is None:
        return (_by_annotation, _by_many_words, _by_two_words)
    if before(version, 1, 12):
        return (_by_annotation,)
    return (_by_many_words,) if before(version, 1, 27) else (_by_two_words,)


def _by_annotation(pod: PodShape) -> bool | None:
    """Up to 1.11 the label counts for the API server's selectors only."""
    return _many_words(pod.annotations.get(INJECT, ""))


def _by_many_words(pod: PodShape) -> bool | None:
    """From 1.12 to 1.26: y, yes, true and on in any case are a yes, and whatever else is set is a no (recorded with 1.26.8)."""
    return _many_words(_word(pod))


def _by_two_words(pod: PodShape) -> bool | None:
    """From 1.27 on anything but ``true`` and ``false`` is as if it were not set."""
    return {"true": True, "false": False}.get(_word(pod))


def _many_words(word: str) -> bool | None:
    return word.lower() in _YES_BEFORE_1_27 if word else None


def _word(pod: PodShape) -> str:
    """A label wins over an annotation, an empty one too."""
    return pod.labels.get(INJECT, pod.annotations.get(INJECT, ""))


def _said(pod: PodShape) -> str:
    kinds = (("label", pod.labels), ("annotation", pod.annotations))
    return " and ".join(f"the pod's {kind} {INJECT}={there[INJECT]}" for kind, there in kinds if INJECT in there)


def _decides(pod: PodShape, wish: bool | None, settings: Settings | None) -> Answer:
    if wish is False:
        return Answer(Says.DECLINES, f"{_said(pod)} says no")
    if settings is None:
        return Answer(Says.UNKNOWN, "its injector's settings cannot be seen")
    if settings.policy not in (ENABLED, DISABLED):
        return Answer(Says.DECLINES, f'its policy "{settings.policy}" is none that Istio knows, so that it injects nothing')
    if wish:
        return Answer(Says.INJECTS)
    if any(_matches(selector, pod) for selector in settings.never):
        return Answer(Says.DECLINES, "its neverInjectSelector matches the pod's labels")
    if any(_matches(selector, pod) for selector in settings.always) or settings.policy == ENABLED:
        return Answer(Says.INJECTS)
    asks = f"{_said(pod)} counts for nothing there" if _word(pod) else "the pod does not ask for a sidecar itself"
    return Answer(Says.DECLINES, f"its policy is disabled, and {asks}")


def _matches(selector: Selector, pod: PodShape) -> bool:
    """Here, unlike in a webhook, an empty selector matches nothing."""
    return bool(selector.conditions) and selector.matches(pod.labels)


def _injects(pod: PodShape, istiod: Istiod) -> Answer:
    """A pod that should be injected and cannot be is refused (recorded: failures.json)."""
    if wrong := proxy_annotations.refused(pod.annotations, istiod.version):
        return Answer(Says.REFUSES, wrong, would=True)
    found = _rendered(pod, istiod.settings or Settings())
    if found.says is Says.REFUSES:
        return found
    if wrong := proxy_annotations.refused_by_some(pod.annotations):
        return Answer(Says.UNKNOWN, f"{wrong}, which not every version refuses")
    if found.says is Says.INJECTS and (odd := proxy_annotations.unclear(pod.annotations)):
        return Answer(Says.UNKNOWN, f"{odd}, and what its template makes of that is not known")
    return found


def _rendered(pod: PodShape, settings: Settings) -> Answer:
    known = RENDERED if settings.templates is None else settings.templates
    missing = next((name for name in settings.templates_of(pod.annotations.get(TEMPLATES)) if name not in known), None)
    if missing is None:
        return Answer(Says.INJECTS)
    if settings.templates is None:
        return Answer(Says.UNKNOWN, f'it is not known whether it has the injection template "{missing}"')
    return Answer(Says.REFUSES, f'it has no injection template "{missing}"', would=True)
