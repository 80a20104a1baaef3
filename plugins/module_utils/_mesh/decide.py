# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new pod would get, computed from selectors and settings: the prediction. Pure.

Two stages, as in Istio: the API server's selectors decide which istiods are asked, and in which order (``calls``), then each decides what
it does (``answer``). What cannot be seen makes the outcome *unknown*; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.answer import answer
from ansible_collections.meshops.istio.plugins.module_utils._mesh.explain import sentence
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import (
    Answer,
    Call,
    Decision,
    Entry,
    Injector,
    Outcome,
    PodShape,
    Says,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Istiod, config_map_of

NAME = "kubernetes.io/metadata.name"
"""The API server sets this label on every namespace, whatever else is written there."""


def decide(
    pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector], istiods: Mapping[str, Istiod]
) -> Decision:
    """What happens to a new pod in a namespace with these labels. ``istiods`` says what is known of each revision's control plane."""
    known, services = tuple(injectors), {service_of(revision): revision for revision in istiods}

    def call(injector: Injector, entry: Entry) -> Call:
        revision = services.get(injector.service or "", injector.revision)
        return Call(injector, entry, _comes_of(injector, entry, pod, namespace, revision, istiods), revision)

    asked = tuple(call(injector, entry) for injector, entry in calls(pod, namespace, labels, known))
    found = replace(_outcome(asked), calls=asked)
    return replace(found, sentence=sentence(found, pod, namespace, labels, known))


def calls(pod: PodShape, namespace: str, labels: Mapping[str, str], injectors: Iterable[Injector]) -> Iterator[tuple[Injector, Entry]]:
    """Whom the API server asks: configurations in the order of their names, entries as they are written; each that matches, by itself."""
    there = {**labels, NAME: namespace}
    for injector in sorted(injectors, key=lambda one: one.name):
        for entry in injector.entries:
            if entry.pods and entry.namespaces.matches(there) and entry.objects.matches(pod.labels):
                yield injector, entry


def _comes_of(injector: Injector, entry: Entry, pod: PodShape, namespace: str, revision: str, istiods: Mapping[str, Istiod]) -> Answer:
    istiod = Istiod() if injector.url else istiods.get(revision, Istiod())
    said = answer(pod, namespace, istiod)
    if said.says is Says.UNKNOWN and istiod.settings is None:
        said = replace(said, why=_unseen(injector, revision))
    if why := _cannot_be_called(injector, entry):
        return Answer(Says.SKIPPED, why) if entry.lenient else Answer(Says.REFUSES, why, would=said.says is not Says.DECLINES)
    return said


def _unseen(injector: Injector, revision: str) -> str:
    """A url leads to a control plane of which nothing can be seen from here."""
    if injector.url:
        return "it is called by a url, and its settings cannot be seen from here"
    return f"its injector's settings cannot be seen (ConfigMap {config_map_of(revision)})"


def _cannot_be_called(injector: Injector, entry: Entry) -> str:
    """With ``failurePolicy: Fail``, which Istio sets, this is a refusal (recorded: failures.json)."""
    if not entry.has_ca:
        return f"MutatingWebhookConfiguration {injector.name} has no caBundle"
    return f"Service {injector.service}, which {injector.name} calls, has no ready endpoint" if injector.ready is False else ""


def _outcome(asked: Sequence[Call]) -> Decision:
    """A refusal that is certain is one whatever the others say; else one open question leaves all open."""
    injecting = [call for call in asked if call.answer.says is Says.INJECTS]
    refusing = next((call for call in asked if call.answer.says is Says.REFUSES and not call.open), None)
    if refusing:
        lasting = [call.revision for call in asked if call.answer.says is Says.INJECTS or call.answer.would]
        return Decision(Outcome.REFUSED, lasting[-1] if lasting else None, why=refusing.answer.why)
    unclear = next((call for call in asked if call.open), None)
    if unclear:
        return Decision(Outcome.UNKNOWN, why=unclear.why)
    if not injecting:
        return Decision()
    last = {call.revision for call in may_be_last(injecting)}
    if len(last) > 1:
        return Decision(
            Outcome.UNKNOWN,
            why="several injectors are asked once more (reinvocationPolicy IfNeeded), and it is not known which is the last",
        )
    return Decision(Outcome.SIDECAR, last.pop())


def may_be_last(injecting: Sequence[Call]) -> tuple[Call, ...]:
    """Of several that inject, the last one's sidecar stays: each takes the former one's out (recorded: two-injectors.json).

    In a second round the API server asks again those with ``IfNeeded`` after which the pod was changed: certainly by a later injector, and
    maybe by something that is none (Kubernetes, admission/plugin/webhook/mutating/dispatcher.go).
    """
    surely = [call for call in injecting[:-1] if call.entry.again]
    maybe = [call for call in injecting if call.entry.again]
    return (surely or injecting)[-1], (maybe or injecting)[-1]
