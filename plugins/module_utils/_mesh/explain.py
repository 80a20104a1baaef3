# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a new pod and why, in one sentence that a tired person understands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Call, Decision, Injector, Outcome, PodShape, Says
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import INJECTION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Selector


def sentence(decision: Decision, pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Sequence[Injector]) -> str:
    """Without a dot at its end: ``namespace pay has istio-injection=disabled, so new pods get no sidecar``."""
    if not decision.calls:
        return f"{_nobody(pod, namespace, labels, injectors)}, so new pods get no sidecar"
    return f"{_asks(decision.calls[0], pod, namespace, labels)}; {_answers(decision)}"


def _asks(call: Call, pod: PodShape, namespace: str, labels: Mapping[str, str]) -> str:
    """By which labels the first injector takes the pod, and what it is."""
    there = _demanded(call.entry.namespaces, labels)
    own = _demanded(call.entry.objects, pod.labels)
    head = f"namespace {namespace} has {' and '.join(there)}{_beaten(there, labels)}" if there else f"namespace {namespace} has {_NEITHER}"
    if own:
        return f"{head}, {'and' if there else 'but'} the pod has {' and '.join(own)}{_points(call)}"
    if there:
        return head + _points(call)
    return f"{head}, and {call.injector.name} takes pods that say nothing (injection by default)"


_NEITHER = f"neither {INJECTION} nor {REVISION}"


def _demanded(selector: Selector, labels: Mapping[str, str]) -> list[str]:
    """Labels of which it wants something to be there."""
    wanted = [one.key for one in selector.conditions if one.operator in (Operator.IN, Operator.EXISTS)]
    return [f"{key}={labels[key]}" for key in dict.fromkeys(wanted) if key in labels]


def _beaten(there: Sequence[str], labels: Mapping[str, str]) -> str:
    """``istio-injection`` is the stronger of the two labels, whatever its value."""
    decides = any(one.startswith(f"{INJECTION}=") for one in there)
    return f", which beats {REVISION}={labels[REVISION]}" if decides and REVISION in labels else ""


def _points(call: Call) -> str:
    """Where the label's value is not what the control plane is called."""
    injector, revision = call.injector, call.revision
    if revision != injector.revision:
        return f"; {injector.name} is labelled as {injector.revision} and calls Service {injector.service}, which is that of {revision}"
    return f"; tag {injector.tag} points at {revision}" if injector.tag and injector.tag != revision else ""


def _answers(decision: Decision) -> str:
    first, asked = decision.calls[0], decision.asked
    match decision.outcome:
        case Outcome.REFUSED:
            return f"{_refusing(decision)}, so new pods are refused"
        case Outcome.UNKNOWN:
            return f"what new pods get is not known: {_unknown(decision)}"
        case Outcome.SIDECAR if len(asked) > 1:
            return f"{_several(decision)}, so new pods get the sidecar of {decision.revision}"
        case Outcome.SIDECAR:
            return f"new pods get the sidecar of {decision.revision}"
    if first.answer.says is Says.SKIPPED:
        return f"{first.answer.why}, and its failurePolicy Ignore lets pods pass, so new pods get no sidecar"
    return f"{_who(first)} is asked and does not inject, since {first.answer.why}, so new pods get no sidecar"


def _who(call: Call) -> str:
    return f"control plane {call.revision}"


def _refusing(decision: Decision) -> str:
    call = next(call for call in decision.calls if call.answer.why == decision.why)
    called = call.injector.ready is False or not call.entry.has_ca
    return decision.why if called else f"{_who(call)} refuses the pod, since {decision.why}"


def _unknown(decision: Decision) -> str:
    call = next((call for call in decision.calls if call.why == decision.why), None)
    return f"{_who(call)} ({call.injector.name}): {decision.why}" if call else decision.why


def _several(decision: Decision) -> str:
    names = list(dict.fromkeys(f"{call.injector.name} ({call.revision})" for call in decision.calls))
    return f"{len(names)} injectors take the pod, {' and '.join((', '.join(names[:-1]), names[-1]))}, and the last one that injects wins"


def _nobody(pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector]) -> str:
    """Why no injector is asked, by the labels that Istio's own selectors look at."""
    active = [entry for injector in injectors for entry in injector.entries if entry.pods and not entry.disabled]
    word = pod.labels.get(INJECT)
    if word == "false":
        return f"the pod has {INJECT}=false"
    if INJECTION in labels:
        return _by_injection(namespace, labels, injectors)
    if REVISION in labels:
        return f"namespace {namespace} has {REVISION}={labels[REVISION]}; {_unserved(labels[REVISION], injectors)}"
    head = f"namespace {namespace} has {_NEITHER}"
    if REVISION in pod.labels:
        return f"{head}, and the pod has {REVISION}={pod.labels[REVISION]}; {_unserved(pod.labels[REVISION], injectors)}"
    if word == "true":
        return f"{head}, and the pod has {INJECT}=true; no injector serves pods that ask by themselves here, as only the default one does"
    return f"{head}, and the pod does not ask for a sidecar either" if active else f"{head}, and there is no injector here"


def _unserved(alias: str, injectors: Iterable[Injector], what: str = "that revision or tag") -> str:
    """An injector of that name may be there all the same: disabled, or one of 1.9, which knows fewer labels."""
    own = sorted((injector.disabled, injector.name) for injector in injectors if injector.alias == alias)
    if not own:
        return f"no injector serves {what} here"
    disabled, name = own[0]
    return f"no injector serves {what} here, since {name} {'is disabled' if disabled else 'does not take pods by that label'}"


def _by_injection(namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector]) -> str:
    value = labels[INJECTION]
    head = f"namespace {namespace} has {INJECTION}={value}{_beaten([f'{INJECTION}={value}'], labels)}"
    if value == "enabled":
        return f"{head}; {_unserved(DEFAULT, injectors, INJECTION)}"
    return head if value == "disabled" else f"{head}; only {INJECTION}=enabled asks for a sidecar"
