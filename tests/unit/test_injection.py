# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The prediction against a table of claims, and against what real control planes answered."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.settings import parse as read_settings
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.answer import TEMPLATES
from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, Injector, Outcome, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import service_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Istiod, Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
from tests.unit.figures.table import Decision as Recorded
from tests.unit.figures.table import Figures, Json, config
from tests.unit.meshes import NEW, OLD, tag, unrevisioned

BOTH = (unrevisioned(), expected_injector(NEW))


@dataclass(frozen=True)
class Case:
    namespace: dict[str, str]
    gets: str | None
    pod: PodShape = field(default_factory=PodShape)
    injectors: tuple[Injector, ...] = BOTH
    name: str = "shop"
    version: str = "1.29.6"


CASES = {
    "istio-injection=enabled gets the unrevisioned one": Case({"istio-injection": "enabled"}, OLD),
    "a revision label gets that revision": Case({"istio.io/rev": NEW}, NEW),
    "istio-injection beats istio.io/rev": Case({"istio-injection": "enabled", "istio.io/rev": NEW}, OLD),
    "istio-injection=disabled beats istio.io/rev": Case({"istio-injection": "disabled", "istio.io/rev": NEW}, None),
    "an unknown revision gets nothing, silently": Case({"istio.io/rev": "nosuch"}, None),
    "no label gets nothing": Case({}, None),
    "a pod may ask by itself where the namespace says nothing": Case({}, NEW, PodShape({"istio.io/rev": NEW})),
    "a namespace's revision beats the pod's": Case({"istio.io/rev": "default"}, OLD, PodShape({"istio.io/rev": NEW})),
    "a tag gets what it points at": Case({"istio.io/rev": "prod"}, NEW, injectors=(*BOTH, tag("prod", NEW))),
    "a pod label false is never asked": Case({"istio.io/rev": NEW}, None, PodShape({"sidecar.istio.io/inject": "false"})),
    "a pod annotation false is asked and refused": Case({"istio.io/rev": NEW}, None, PodShape({}, {"sidecar.istio.io/inject": "false"})),
    "host network is refused": Case({"istio.io/rev": NEW}, None, PodShape(host_network=True)),
    "kube-system is refused": Case({"istio.io/rev": NEW}, None, name="kube-system"),
    "off is no since always, until 1.27": Case(
        {"istio-injection": "enabled"}, None, PodShape({"sidecar.istio.io/inject": "off"}), version="1.26.8"
    ),
    "off means nothing from 1.27 on": Case(
        {"istio-injection": "enabled"}, OLD, PodShape({"sidecar.istio.io/inject": "off"}), version="1.27.0"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_decision(case: Case) -> None:
    decision = decide(
        case.pod, case.name, case.namespace, case.injectors, {OLD: Istiod(case.version, Settings()), NEW: Istiod("1.30.3", Settings())}
    )
    assert decision.revision == case.gets


def test_a_recorded_state_may_have_settings_of_its_own() -> None:
    path = "values.sidecarInjectorWebhook.neverInjectSelector"
    given = ["values.global.proxy.autoInject=disabled", f"{path}[0].matchLabels.role=batch", rf"{path}[1].matchLabels.a\.b/c=d"]
    assert config(given) == {
        "policy": "disabled",
        "neverInjectSelector": [{"matchLabels": {"role": "batch"}}, {"matchLabels": {"a.b/c": "d"}}],
        "alwaysInjectSelector": [],
        "templates": {"sidecar": "", "gateway": ""},
    }


def test_what_real_istiods_answered_is_predicted(figures: Figures) -> None:
    wrong = [f"{one.text}: {told}" for one in figures.decisions if (told := _difference(one, figures))]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(figures.decisions)} are predicted otherwise:", *wrong[:20]])


def _difference(said: Recorded, figures: Figures) -> str:
    shape = PodShape(said.pod.get("labels") or {}, said.pod.get("annotations") or {}, bool(said.pod.get("hostNetwork")))
    found = _decided(shape, said.namespace, _injectors(figures, said.state), figures, said.state)
    asked = dict(Counter(call.revision for call in found.calls))
    if (found.revision, found.outcome, asked) == (said.revision, Outcome.SIDECAR if said.revision else Outcome.NONE, said.asked):
        return ""
    return f"predicted {found.revision}, asking {asked}; it was {said.revision}, asking {said.asked}"


def _decided(pod: PodShape, labels: Mapping[str, str], injectors: Iterable[Injector], figures: Figures, state: str) -> Decision:
    versions, configs = figures.versions[state], figures.configs[state]
    there = {one: Istiod(versions[one], read_settings({"data": {"config": json.dumps(configs[one])}})) for one in versions}
    return decide(pod, "recorded", labels, injectors, there)


def _injectors(figures: Figures, state: str) -> tuple[Injector, ...]:
    return tuple(_trusted(injector) for item in figures.webhooks[state] if (injector := parse(item)))


def _trusted(injector: Injector) -> Injector:
    """Recordings leave out caBundles."""
    return replace(injector, entries=tuple(replace(entry, has_ca=True) for entry in injector.entries))


def _istiods(versions: Mapping[str, str]) -> dict[str, Istiod]:
    """Their settings were those of Istio's chart."""
    return {revision: Istiod(version, Settings()) for revision, version in versions.items()}


def test_of_two_injectors_the_one_that_runs_last_wins(figures: Figures) -> None:
    """Recorded: both are asked, in the order of the configurations' names, and the sidecar of the last one stays."""
    for said in figures.doubles:
        state = next(name for name, items in figures.webhooks.items() if len(set(said["configurations"]) ^ _names(items)) == 1)
        known = _injectors(figures, state)
        (another,) = set(said["configurations"]) - {one.name for one in known}
        alone = Counter(call.revision for call in _decided(PodShape(), said["namespace"], known, figures, state).calls)
        (revision,) = Counter(dict[str, int](said["asked"])) - alone
        second = replace(unrevisioned(), name=another, revision=revision)
        found = _decided(PodShape(), said["namespace"], (*known, second), figures, state)
        assert (dict(Counter(call.revision for call in found.calls)), found.revision) == (said["asked"], said["revision"]), another


@pytest.mark.parametrize("first", ["a-first", "istio-revision-tag-default", "z-last"])
def test_the_order_is_that_of_the_names(first: str) -> None:
    other = replace(unrevisioned(), name=first, revision=NEW)
    decision = decide(PodShape(), "shop", {"istio-injection": "enabled"}, (unrevisioned(), other), _istiods({OLD: "1.29.6", NEW: "1.30.3"}))
    order = sorted((first, "istio-sidecar-injector"))
    assert ([injector.name for injector in decision.asked], decision.twice) == (order, True)
    assert decision.revision == (OLD if order[-1] == "istio-sidecar-injector" else NEW)


REFUSALS: dict[str, Callable[[re.Match[str]], tuple[PodShape, Settings]]] = {
    r'Post "https://(?P<service>[\w-]+)\.(?P<namespace>[\w-]+)\.svc:': lambda _found: (PodShape(), Settings()),
    r'requested template "(?P<name>[^"]*)" not found; have (?P<there>.*)$': lambda found: (
        PodShape({}, {TEMPLATES: found["name"]}),
        Settings(templates=frozenset(found["there"].split(", "))),
    ),
    r"invalid value '(?P<value>[^']*)' for annotation '(?P<name>[^']+)'": lambda found: (
        PodShape({}, {found["name"]: found["value"]}),
        Settings(),
    ),
}
"""Forms of what an injector refused, with the pod and the settings for which it said so."""


def test_what_was_refused_is_predicted_as_refused(figures: Figures) -> None:
    by_injectors = {name: said for name, said in figures.refusals.items() if "sidecar-injector.istio.io" in said}
    assert by_injectors
    for name, said in by_injectors.items():
        found, of = next((match, of) for form, of in REFUSALS.items() if (match := re.search(form, said)))
        pod, settings = of(found)
        called, trusted = "service" not in found.groupdict(), "caBundle" not in name
        injector = replace(expected_injector(NEW), service=f"istiod-{NEW}", ready=called or not trusted)
        injector = replace(injector, entries=tuple(replace(one, has_ca=trusted) for one in injector.entries))
        there = {NEW: Istiod("1.30.3", settings)}
        decision = decide(pod, "shop", {"istio.io/rev": NEW}, (injector,), there)
        assert decision.outcome is Outcome.REFUSED, f"{name}: {decision}"
        assert decide(PodShape(), "shop", {"istio.io/rev": NEW}, (expected_injector(NEW),), there).outcome is Outcome.SIDECAR, name


def _names(items: list[Json]) -> set[str]:
    return {item["metadata"]["name"] for item in items}


RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
SERVICE = {"service": {"name": "istiod-1-30-3", "namespace": "istio-system", "path": "/inject"}, "caBundle": "Zm9v"}
ELSEWHERE = {"service": {"name": "another", "namespace": "istio-system"}, "caBundle": "Zm9v"}
IN_SHOP = {"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["shop"]}]}
GREATER = {"matchExpressions": [{"key": "size", "operator": "Gt", "values": ["1"]}]}
NEVER_MATCH = {"matchLabels": {"istio.io/deactivated": "never-match"}}
CONDITION = [{"name": "a", "expression": "true"}]
IF_NEEDED = {"reinvocationPolicy": "IfNeeded"}


def entry(name: str = "rev.namespace", **fields: object) -> Json:
    return {"name": f"{name}.sidecar-injector.istio.io", "clientConfig": SERVICE, "rules": [RULE], "failurePolicy": "Fail", **fields}


LEGACY = entry(namespaceSelector={"matchLabels": {"istio-injection": "enabled"}}) | {"name": "sidecar-injector.istio.io"}


def configuration(*entries: Json, name: str = "injector", revision: str = NEW) -> Json:
    """Each entry that calls the Service of 1-30-3 calls that of the revision instead."""
    text = json.dumps({"metadata": {"name": name, "labels": {"istio.io/rev": revision}}, "webhooks": entries})
    item: Json = json.loads(text.replace('"istiod-1-30-3"', f'"{service_of(revision)}"'))
    return item


@dataclass(frozen=True)
class Written:
    """Configurations as they may be written, and what a pod in namespace ``shop`` gets."""

    items: tuple[Json, ...]
    outcome: Outcome
    revision: str | None = None
    pod: PodShape = field(default_factory=PodShape)
    asked: int = 1
    labels: dict[str, str] = field(default_factory=dict)


WRITTEN = {
    "an entry without selectors takes everything": Written((configuration(entry()),), Outcome.SIDECAR, NEW),
    "null selectors too": Written((configuration(entry(namespaceSelector=None, objectSelector=None)),), Outcome.SIDECAR, NEW),
    "without rules nothing": Written((configuration(entry(rules=[])),), Outcome.NONE, asked=0),
    "null rules neither": Written((configuration(entry(rules=None)),), Outcome.NONE, asked=0),
    "rules for updates": Written((configuration(entry(rules=[RULE | {"operations": ["UPDATE"]}])),), Outcome.NONE, asked=0),
    "rules for other kinds": Written((configuration(entry(rules=[RULE | {"resources": ["pods/status"]}])),), Outcome.NONE, asked=0),
    "rules for another group": Written((configuration(entry(rules=[RULE | {"apiGroups": ["apps"]}])),), Outcome.NONE, asked=0),
    "rules for what belongs to no namespace": Written((configuration(entry(rules=[RULE | {"scope": "Cluster"}])),), Outcome.NONE, asked=0),
    "rules for all there is": Written((configuration(entry(rules=[{key: ["*"] for key in RULE} | {"scope": "*"}])),), Outcome.SIDECAR, NEW),
    "the second of two rules": Written((configuration(entry(rules=[RULE | {"operations": ["UPDATE"]}, RULE])),), Outcome.SIDECAR, NEW),
    "a namespace has its name as a label, which nobody can change": Written(
        (configuration(entry(namespaceSelector=IN_SHOP)),), Outcome.SIDECAR, NEW, labels={"kubernetes.io/metadata.name": "another"}
    ),
    "two entries are two calls of one injector": Written((configuration(entry(), entry("second")),), Outcome.SIDECAR, NEW, asked=2),
    "a deactivated one": Written((configuration(entry(namespaceSelector=NEVER_MATCH, objectSelector=NEVER_MATCH)),), Outcome.NONE, asked=0),
    "a legacy entry of 1.9": Written(
        (configuration(LEGACY),),
        Outcome.SIDECAR,
        NEW,
        labels={"istio-injection": "enabled"},
    ),
    "a legacy entry does not know istio.io/rev": Written(
        (configuration(LEGACY),),
        Outcome.NONE,
        asked=0,
        labels={"istio.io/rev": "default"},
    ),
    "matchConditions may keep it from being asked": Written((configuration(entry(matchConditions=CONDITION)),), Outcome.UNKNOWN),
    "but not where its selectors do so already": Written(
        (configuration(entry(matchConditions=CONDITION, namespaceSelector=NEVER_MATCH)),), Outcome.NONE, asked=0
    ),
    "nor do they matter where it would decline": Written(
        (configuration(entry(matchConditions=CONDITION)),), Outcome.NONE, pod=PodShape(host_network=True)
    ),
    "an operator that is not known": Written((configuration(entry(objectSelector=GREATER)),), Outcome.UNKNOWN),
    "but not where the other selector keeps the pod out": Written(
        (configuration(entry(objectSelector=GREATER, namespaceSelector=NEVER_MATCH)),), Outcome.NONE, asked=0
    ),
    "a selector that is a text": Written((configuration(entry(namespaceSelector="all")),), Outcome.UNKNOWN),
    "an entry that calls somebody else": Written(
        (configuration(entry(), entry("other", clientConfig=ELSEWHERE)),), Outcome.UNKNOWN, asked=2
    ),
    "a url": Written((configuration(entry(clientConfig={"url": "https://mesh.example.com/inject"})),), Outcome.UNKNOWN),
    "a url, and a pod that opts out": Written(
        (configuration(entry(clientConfig={"url": "https://mesh.example.com/inject"})),),
        Outcome.NONE,
        pod=PodShape({}, {"sidecar.istio.io/inject": "false"}),
    ),
    "no caBundle": Written((configuration(entry(clientConfig={"service": SERVICE["service"]})),), Outcome.REFUSED, NEW),
    "no caBundle, and pods may pass": Written(
        (configuration(entry(clientConfig={"service": SERVICE["service"]}, failurePolicy="Ignore")),), Outcome.NONE
    ),
    "one that may be passed by, and one that is there": Written(
        (
            configuration(entry(), name="a"),
            configuration(entry(clientConfig={"service": SERVICE["service"]}, failurePolicy="Ignore"), name="b", revision=OLD),
        ),
        Outcome.SIDECAR,
        NEW,
        asked=2,
    ),
    "one that refuses, and one that is not known": Written(
        (
            configuration(entry(matchConditions=CONDITION), name="a"),
            configuration(entry(clientConfig={"service": SERVICE["service"]}), name="b", revision=OLD),
        ),
        Outcome.REFUSED,
        OLD,
        asked=2,
    ),
    "one that may be asked and would refuse": Written(
        (configuration(entry(matchConditions=CONDITION, clientConfig={"service": SERVICE["service"]})),), Outcome.UNKNOWN
    ),
    "one that declines, and one that injects": Written(
        (configuration(entry(), name="a"), configuration(entry(), name="b", revision="disabled")), Outcome.SIDECAR, NEW, asked=2
    ),
    "the first is asked once more, after the second": Written(
        (configuration(entry(**IF_NEEDED), name="a"), configuration(entry(), name="b", revision=OLD)), Outcome.SIDECAR, NEW, asked=2
    ),
    "the second may be asked once more, and is the last in any case": Written(
        (configuration(entry(), name="a"), configuration(entry(**IF_NEEDED), name="b", revision=OLD)), Outcome.SIDECAR, OLD, asked=2
    ),
    "whether both are asked once more depends on others": Written(
        (configuration(entry(**IF_NEEDED), name="a"), configuration(entry(**IF_NEEDED), name="b", revision=OLD)), Outcome.UNKNOWN, asked=2
    ),
    "of one revision it does not matter": Written(
        (configuration(entry(**IF_NEEDED), name="a"), configuration(entry(**IF_NEEDED), name="b")), Outcome.SIDECAR, NEW, asked=2
    ),
}


@pytest.mark.parametrize("case", WRITTEN.values(), ids=WRITTEN)
def test_however_a_configuration_is_written(case: Written) -> None:
    there = {
        OLD: Istiod("1.29.6", Settings()),
        NEW: Istiod("1.30.3", Settings()),
        "disabled": Istiod("1.30.3", Settings(policy="disabled")),
    }
    found = decide(case.pod, "shop", case.labels, [injector for item in case.items if (injector := parse(item))], there)
    assert (found.outcome, found.revision, len(found.calls)) == (case.outcome, case.revision, case.asked), found.sentence
    assert bool(found.refused) is (found.outcome is Outcome.REFUSED)
    assert found.sentence
