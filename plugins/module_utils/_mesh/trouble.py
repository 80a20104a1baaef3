# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a mesh now, with cause, effect and the way out: what ``istioctl analyze -A`` says nothing about. Pure.

Source: recorded/istioctl-behaviour.md, C (a control plane was uninstalled, what asked for it is left), D (an unrevisioned installation by
istioctl), I (charts without a default revision).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, Weight, note, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, Outcome
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import DATAPLANE_MODE, INJECTION, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import DEFAULT, REVISION
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import DEPLOYMENT, Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.validators import Validator
from ansible_collections.meshops.istio.plugins.module_utils._mesh.wishes import Wish, wish
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Judged

_MOST = 10
_DISABLED = "disabled"
_AMBIENT = "ambient"


def trouble(snapshot: Snapshot, validators: Iterable[Validator], services: Services) -> tuple[Finding, ...]:
    """The worst first: who is refused, who gets nothing silently, what may surprise, and what is only good to know."""
    known = tuple(validators)
    return (
        *_uncallable(snapshot, services),
        *_refused_objects(snapshot, known, services),
        *_unserved_namespaces(snapshot),
        *_unserved_pods(snapshot),
        *_deserted(snapshot),
        *_gateways(snapshot),
        *_twice(snapshot),
        *_both_labels(snapshot),
        *_ambient(snapshot),
        *_unjudged(snapshot, known, services),
        *_disabled(snapshot),
    )


def _there(snapshot: Snapshot) -> list[Namespace]:
    return [one for one in snapshot.namespaces if not one.deleting]


def _other(snapshot: Snapshot, than: str = "") -> str:
    """A revision that could take over: the only one that works, or a placeholder."""
    working = {plane.revision for plane in snapshot.control_planes if plane.ready and plane.revision != than}
    return working.pop() if len(working) == 1 else "REVISION"


def _uncallable(snapshot: Snapshot, services: Services) -> Iterator[Finding]:
    for injector in sorted(snapshot.injectors, key=lambda one: one.name):
        why = _why_not(injector, services)
        if injector.disabled or not why:
            continue
        asking = sorted(one.name for one in _there(snapshot) if injector in snapshot.gets(one.name).asked)
        who = f"; namespaces {listed(asking, _MOST)}" if asking else "; no namespace asks for it now"
        name = f'Tag "{injector.tag}"' if injector.tag else f'The injector of "{injector.revision}"'
        lenient = all(entry.lenient for entry in injector.entries)
        ignored = "the API server goes on without it (failurePolicy Ignore): new pods get no sidecar, silently"
        strict = "what the API server cannot ask it refuses (failurePolicy Fail): nothing that is injected there can start"
        yield warning(
            Topic.INJECTION,
            f"{name} cannot be called: pods that ask for it {'get no sidecar' if lenient else 'are refused'}.",
            where=f"MutatingWebhookConfiguration {injector.name}{who}",
            why=f"{why}, and {ignored if lenient else strict}",
            do=_mend(snapshot, injector),
        )


def _why_not(injector: Injector, services: Services) -> str:
    called = f"Service {injector.namespace}/{injector.service}"
    if services.there(injector.namespace, injector.service) is False:
        return f"{called} does not exist"
    if services.ready(injector.namespace, injector.service) == 0 or injector.ready is False:
        return f"{called} has no ready endpoint"
    return "" if all(entry.has_ca for entry in injector.entries) else "it has no caBundle"


def _mend(snapshot: Snapshot, injector: Injector) -> str:
    if injector.tag:
        to = _other(snapshot, injector.revision)
        return f"revision_tag with tag={injector.tag} and revision={to}; or with state=absent, where nobody follows it"
    if _may_stand(snapshot, injector.revision):
        return f"bring control plane {injector.revision} up: look at its Deployment, its pods and their logs"
    return f"install {injector.revision} again, or: kubectl delete mutatingwebhookconfiguration {injector.name}"


def _refused_objects(snapshot: Snapshot, validators: Sequence[Validator], services: Services) -> Iterator[Finding]:
    for one in validators:
        why = _why_silent(one, services)
        if why and one.fails:
            yield warning(
                Topic.VALIDATION,
                f"Objects of Istio are refused: {'the default validator' if one.default else 'a validator'} cannot be called.",
                where=f"ValidatingWebhookConfiguration {one.name}",
                why=f"{why}, and its failurePolicy is Fail: no VirtualService or policy{_judged(one)} can be created or changed",
                do=_move_validator(snapshot, one),
            )


def _unjudged(snapshot: Snapshot, validators: Sequence[Validator], services: Services) -> Iterator[Finding]:
    for one in validators:
        why = _why_silent(one, services)
        if why and not one.fails:
            which = "the default validator" if one.default else "a validator"
            yield warning(
                Topic.VALIDATION,
                f"Objects of Istio are stored without being judged: {which} points nowhere.",
                where=f"ValidatingWebhookConfiguration {one.name}",
                why=f"{why}, and its failurePolicy is Ignore: a mistake in a VirtualService or policy{_judged(one)} is found by its users",
                do=_move_validator(snapshot, one),
            )


def _judged(validator: Validator) -> str:
    return "" if validator.default else f" with {REVISION}={validator.revision}"


def _why_silent(validator: Validator, services: Services) -> str:
    called = f"it calls Service {validator.namespace}/{validator.service}"
    if services.there(validator.namespace, validator.service) is False:
        return f"{called}, which does not exist"
    if services.ready(validator.namespace, validator.service) == 0:
        return f"{called}, which has no ready endpoint"
    return "" if validator.has_ca else "it has no caBundle"


def _move_validator(snapshot: Snapshot, validator: Validator) -> str:
    if validator.default:
        return f"revision_tag with tag=default, validator_only=true and revision={_other(snapshot)}"
    if _may_stand(snapshot, validator.revision):
        return f"bring control plane {validator.revision} up: look at its Deployment, its pods and their logs"
    return f"kubectl delete validatingwebhookconfiguration {validator.name}"


def _may_stand(snapshot: Snapshot, revision: str | None) -> bool:
    """It has a Deployment, or nobody can say that it has none."""
    return not snapshot.sees(DEPLOYMENT) or any(plane.revision == revision for plane in snapshot.control_planes)


def _unserved_namespaces(snapshot: Snapshot) -> Iterator[Finding]:
    """The API server asks nobody for their pods, and neither says a word."""
    asking: dict[str, list[str]] = defaultdict(list)
    for one in _there(snapshot):
        label = _asked_by(one)
        if label and snapshot.gets(one.name).known and not snapshot.gets(one.name).asked:
            asking[label].append(one.name)
    for label, names in sorted(asking.items()):
        yield warning(
            Topic.INJECTION,
            f"Namespaces ask for sidecars by {label}, which nobody serves.",
            where=f"namespaces {listed(sorted(names), _MOST)}",
            why=f"{_cause(snapshot, label)}: new pods get no sidecar, silently{_running(snapshot, names)}",
            do=_serve(snapshot, label, names),
        )


def _asked_by(namespace: Namespace) -> str:
    """The label that counts; empty for one that asks for nothing, or keeps sidecars out."""
    if namespace.asks.injection is not None:
        return f"{INJECTION}={namespace.asks.injection}" if namespace.asks.injection != _DISABLED else ""
    return f"{REVISION}={namespace.asks.revision}" if namespace.asks.revision is not None else ""


def _cause(snapshot: Snapshot, label: str) -> str:
    key, _equals, value = label.partition("=")
    if key == INJECTION and value != "enabled":
        return f"{INJECTION} knows enabled and disabled, and beats {REVISION}"
    if key == REVISION and value != DEFAULT:
        return f"neither a control plane nor a tag is called {value} here"
    if any(one.disabled and one.alias == DEFAULT for one in snapshot.injectors):
        return "the injector of the unrevisioned control plane is disabled, and there is no default tag in its place"
    return "there is neither an unrevisioned control plane nor a default tag"


def _serve(snapshot: Snapshot, label: str, names: Sequence[str]) -> str:
    to = _other(snapshot)
    move = f"namespace_injection with namespaces={listed(sorted(names), _MOST, ',')} and revision={to}, then workload_restart"
    default = label in (f"{INJECTION}=enabled", f"{REVISION}={DEFAULT}")
    return f"revision_tag with tag=default and revision={to}; or {move}" if default else move


def _running(snapshot: Snapshot, names: Sequence[str]) -> str:
    with_proxies = [judged.workload.path for judged in snapshot.within(names) if judged.proxies and not judged.workload.gateway]
    return f"; the sidecars of {listed(with_proxies, 3)} go with the next restart" if with_proxies else ""


def _unserved_pods(snapshot: Snapshot) -> Iterator[Finding]:
    """Their namespaces say nothing, so that the label of the pod counts."""
    lost = [
        judged.workload.path
        for judged in snapshot.staying
        if judged.decision.known
        and not judged.decision.asked
        and not judged.workload.gateway
        and wish(judged.workload.template) is Wish.IN
        and not any(snapshot.namespace[judged.workload.namespace].asks.labels().values())
    ]
    if lost:
        yield warning(
            Topic.INJECTION,
            "Workloads ask for a sidecar by their own labels, and nobody serves them.",
            where=listed(lost, _MOST),
            why="no injector takes pods by these labels here: new pods get no sidecar, silently",
            do=f"correct their label {REVISION}, or make a default tag: revision_tag with tag=default and revision={_other(snapshot)}",
        )


def _deserted(snapshot: Snapshot) -> Iterator[Finding]:
    """Running proxies of a control plane that is not there any more, as far as all that are there can be seen."""
    if not snapshot.sees(DEPLOYMENT):
        return
    left: dict[str, list[Judged]] = defaultdict(list)
    for judged in snapshot.judged:
        for revision in judged.proxies:
            if revision not in snapshot.there and revision != "unknown":
                left[revision].append(judged)
    for revision, workloads in sorted(left.items()):
        yield warning(
            Topic.PROXIES,
            f'Proxies of "{revision}" run on without a control plane.',
            where=listed([judged.workload.path for judged in workloads], _MOST),
            why="it is gone: they get no configuration, and no certificates when theirs run out, which is within a day as a rule",
            do=f"move their namespaces to {_other(snapshot, revision)} (namespace_injection) and restart them (workload_restart)",
        )


def _gateways(snapshot: Snapshot) -> Iterator[Finding]:
    lost = [j.workload.path for j in snapshot.staying if j.workload.gateway is Gateway.INJECTED and j.decision.outcome is Outcome.NONE]
    if lost:
        yield warning(
            Topic.INJECTION,
            "Gateways are made by injection, and nobody would inject them.",
            where=listed(lost, _MOST),
            why="their image is filled in by an injector: a new pod does not start without one",
            do=f"label their pod template or namespace {REVISION}={_other(snapshot)} before anything restarts them",
        )


def _twice(snapshot: Snapshot) -> Iterator[Finding]:
    taken: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for one in _there(snapshot):
        gets = snapshot.gets(one.name)
        if gets.twice:
            taken[tuple(injector.name for injector in gets.asked)].append(one.name)
    for injectors, names in sorted(taken.items()):
        gets = snapshot.gets(names[0])
        yield warning(
            Topic.INJECTION,
            f"Pods are taken by {len(injectors)} injectors.",
            where=f"MutatingWebhookConfigurations {listed(injectors, _MOST)}; namespaces {listed(sorted(names), _MOST)}",
            why=f"each may inject, and the one whose name sorts last wins: new pods get {gets.text} now",
            do="disable or remove the one that should not answer: injection_webhook, or revision_tag with state=absent",
        )


def _both_labels(snapshot: Snapshot) -> Iterator[Finding]:
    both = [one for one in _there(snapshot) if one.asks.injection is not None and one.asks.revision is not None]
    if both:
        first = both[0]
        yield warning(
            Topic.INJECTION,
            f"Namespaces have both labels: {INJECTION} counts, and {REVISION} does not.",
            where="; ".join(f"{one.name} ({one.asks.text()})" for one in both[:_MOST]),
            why=f"who reads {REVISION}={first.asks.revision} on {first.name} expects what is not so: "
            f"its new pods get {snapshot.gets(first.name).text}",
            do=f"namespace_injection sets the one and takes the other away; or: kubectl label namespace {first.name} {REVISION}-",
        )


def _ambient(snapshot: Snapshot) -> Iterator[Finding]:
    both = [one for one in _there(snapshot) if one.labels.get(DATAPLANE_MODE) == _AMBIENT and snapshot.gets(one.name).revision]
    if both:
        yield warning(
            Topic.INJECTION,
            "Namespaces are in ambient mode, and their pods get sidecars all the same.",
            where="; ".join(f"{one.name} ({one.asks.text()})" for one in both[:_MOST]),
            why=f"where a pod has a sidecar, {DATAPLANE_MODE}={_AMBIENT} counts for nothing",
            do="take away one of the two labels",
        )


def _disabled(snapshot: Snapshot) -> Iterator[Finding]:
    """istioctl disables the unrevisioned injector when it makes a default tag, which does the work from there on."""
    for injector in sorted(snapshot.injectors, key=lambda one: one.name):
        if not injector.disabled:
            continue
        tag = next((one for one in snapshot.injectors if one.tag == DEFAULT and not one.disabled), None)
        where = f"MutatingWebhookConfiguration {injector.name}"
        if injector.alias == DEFAULT and tag:
            yield note(
                Topic.INJECTION,
                "The unrevisioned injector is disabled, and the default tag does its work.",
                where=f"{where}; tag default is {tag.name}, and points at {tag.revision}",
                why=f"istioctl leaves it so: {INJECTION}=enabled is served by the tag alone, and by nobody once that is removed",
                do="nothing is wrong; move the tag with revision_tag, and do not remove it while namespaces ask for it",
            )
        else:
            yield Finding(
                Weight.NOTE if injector.alias != DEFAULT else Weight.WARNING,
                Topic.INJECTION,
                f'The injector of "{injector.alias}" is disabled, and nothing stands in its place.',
                where=where,
                why="each of its entries matches nothing: whoever asks for it gets no sidecar, silently",
                do=_give_back(injector),
            )


def _give_back(injector: Injector) -> str:
    """Only what this collection has disabled remembers what it matched; by istioctl nothing is kept."""
    if injector.tag:
        return f"revision_tag with tag={injector.tag} and revision={injector.revision} writes it anew"
    again = f"injection_webhook with revision={injector.revision} gives it back"
    if not injector.remembers:
        again = f"kubectl delete mutatingwebhookconfiguration {injector.name}, and install {injector.revision} again as it was"
    tag = f"revision_tag with tag={DEFAULT} and revision={injector.revision} puts the default tag in its place; or "
    return (tag if injector.alias == DEFAULT else "") + again
