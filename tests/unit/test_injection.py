# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The prediction against a table of claims, and against what real control planes answered."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, PodShape, decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
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


RECORDINGS = [Path(folder) for folder in [os.environ.get("MESH_RECORDINGS", "")] if folder]


@pytest.mark.parametrize("folder", RECORDINGS, ids=lambda folder: "recordings")
def test_every_recorded_answer_of_a_real_istiod_is_predicted(folder: Path) -> None:
    states = json.loads((folder / "states.json").read_text())
    injectors = {name: [parse(item) for item in json.loads((folder / state["webhooks"]).read_text())] for name, state in states.items()}
    versions = {name: {plane["revision"]: plane["version"] for plane in state["control_planes"]} for name, state in states.items()}
    wrong = []
    for line in (folder / "decisions.jsonl").read_text().splitlines():
        said = json.loads(line)
        pod = PodShape(said["pod"].get("labels") or {}, said["pod"].get("annotations") or {}, said["pod"].get("hostNetwork", False))
        known = [injector for injector in injectors[said["state"]] if injector]
        decision = decide(pod, "recorded", said["namespace"], known, versions[said["state"]])
        if decision.revision != said["revision"] or {i.revision for i in decision.asked} != set(said["asked"]):
            wrong.append(f"{said} but predicted {decision.revision}")
    assert not wrong, "\n".join(wrong)
