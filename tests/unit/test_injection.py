# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The prediction against a table of claims, and against what real control planes answered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, PodShape, decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
from tests.unit.figures.table import Decision as Recorded
from tests.unit.figures.table import Figures
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
    decision = decide(case.pod, case.name, case.namespace, case.injectors, {OLD: case.version, NEW: "1.30.3"})
    assert decision.revision == case.gets


def test_what_real_istiods_answered_is_predicted(figures: Figures) -> None:
    wrong = [f"{one.text}: {told}" for one in figures.decisions if (told := _difference(one, figures))]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(figures.decisions)} are predicted otherwise:", *wrong[:20]])


def _difference(said: Recorded, figures: Figures) -> str:
    shape = PodShape(said.pod.get("labels") or {}, said.pod.get("annotations") or {}, bool(said.pod.get("hostNetwork")))
    injectors = [injector for item in figures.webhooks[said.state] if (injector := parse(item))]
    found = decide(shape, "recorded", said.namespace, injectors, figures.versions[said.state])
    asked = {injector.revision for injector in found.asked}
    if (found.revision, asked) == (said.revision, set(said.asked)):
        return ""
    return f"predicted {found.revision}, asking {sorted(asked)}; it was {said.revision}, asking {sorted(said.asked)}"


@pytest.mark.parametrize("first", ["a-first", "istio-revision-tag-default"])
def test_of_two_injectors_the_one_that_runs_last_wins(first: str) -> None:
    """Recorded: both are asked, in the order of the configurations' names, and the sidecar of the last one stays."""
    other = replace(unrevisioned(), name=first, revision=NEW)
    decision = decide(PodShape(), "shop", {"istio-injection": "enabled"}, (unrevisioned(), other), {})
    assert ([injector.revision for injector in decision.asked], decision.revision) == ([NEW, OLD], OLD)
