# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a decision says of itself: one sentence, in which nothing is said that is not so."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, Entry, Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Istiod, Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import expected_injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import NEVER, entries
from tests.unit.meshes import NEW, OLD, tag, unrevisioned

BOTH = (unrevisioned(), expected_injector(NEW))
ONLY_NEW = (expected_injector(NEW),)
DEAD = replace(expected_injector(NEW), service=f"istiod-{NEW}", ready=False)
TEAM = Entry("team.sidecar-injector.istio.io", Selector((Requirement("team", Operator.EXISTS),)), Selector(), has_ca=True)
BY_HAND = Injector("by-hand", NEW, None, (TEAM,))


def each(injector: Injector, **changes: t.Any) -> Injector:
    return replace(injector, entries=tuple(replace(entry, **changes) for entry in injector.entries))


def by_default() -> Injector:
    return replace(unrevisioned(), entries=entries(OLD, everywhere=True))


@dataclass(frozen=True)
class Told:
    labels: dict[str, str]
    sentence: str
    pod: PodShape = field(default_factory=PodShape)
    injectors: tuple[Injector, ...] = BOTH
    settings: Settings | None = field(default_factory=Settings)
    name: str = "pay"
    version: str | None = "1.30.3"


SENTENCES = {
    "a revision": Told({"istio.io/rev": NEW}, "namespace pay has istio.io/rev=1-30-3; new pods get the sidecar of 1-30-3"),
    "the default": Told({"istio-injection": "enabled"}, "namespace pay has istio-injection=enabled; new pods get the sidecar of default"),
    "a label that beats the other": Told(
        {"istio-injection": "enabled", "istio.io/rev": NEW},
        "namespace pay has istio-injection=enabled, which beats istio.io/rev=1-30-3; new pods get the sidecar of default",
    ),
    "a label that beats the other, and is served by nobody": Told(
        {"istio-injection": "enabled", "istio.io/rev": NEW},
        "namespace pay has istio-injection=enabled, which beats istio.io/rev=1-30-3; no injector serves istio-injection here, "
        "so new pods get no sidecar",
        injectors=ONLY_NEW,
    ),
    "a label that keeps sidecars out, and beats the other": Told(
        {"istio-injection": "disabled", "istio.io/rev": NEW},
        "namespace pay has istio-injection=disabled, which beats istio.io/rev=1-30-3, so new pods get no sidecar",
    ),
    "a value that Istio does not know": Told(
        {"istio-injection": "yes"},
        "namespace pay has istio-injection=yes; only istio-injection=enabled asks for a sidecar, so new pods get no sidecar",
    ),
    "a revision that is not there": Told(
        {"istio.io/rev": "1-28-2"},
        "namespace pay has istio.io/rev=1-28-2; no injector serves that revision or tag here, so new pods get no sidecar",
    ),
    "a revision whose injector is disabled": Told(
        {"istio-injection": "enabled"},
        "namespace pay has istio-injection=enabled; no injector serves istio-injection here, since istio-sidecar-injector is disabled, "
        "so new pods get no sidecar",
        injectors=(each(unrevisioned(), namespaces=NEVER, objects=NEVER, disabled=True), expected_injector(NEW)),
    ),
    "1.9, which does not know that label": Told(
        {"istio.io/rev": "default"},
        "namespace pay has istio.io/rev=default; no injector serves that revision or tag here, since istio-sidecar-injector does not "
        "take pods by that label, so new pods get no sidecar",
        injectors=(replace(unrevisioned(), entries=entries(OLD, "1.9.9")),),
    ),
    "a word that counts for nothing, where the policy is disabled": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; control plane 1-30-3 is asked and does not inject, since its policy is disabled, "
        "and the pod's label sidecar.istio.io/inject=yes counts for nothing there, so new pods get no sidecar",
        PodShape({INJECT: "yes"}),
        settings=Settings(policy="disabled"),
    ),
    "a tag": Told(
        {"istio.io/rev": "prod"},
        "namespace pay has istio.io/rev=prod; tag prod points at 1-30-3; new pods get the sidecar of 1-30-3",
        injectors=(*BOTH, tag("prod", NEW)),
    ),
    "the default tag": Told(
        {"istio-injection": "enabled"},
        "namespace pay has istio-injection=enabled; tag default points at 1-30-3; new pods get the sidecar of 1-30-3",
        injectors=(*ONLY_NEW, tag("default", NEW)),
    ),
    "nobody asks": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, and the pod does not ask for a sidecar either, "
        "so new pods get no sidecar",
    ),
    "no mesh": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, and there is no injector here, so new pods get no sidecar",
        injectors=(),
    ),
    "a pod that asks for a revision": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, but the pod has istio.io/rev=1-30-3; "
        "new pods get the sidecar of 1-30-3",
        PodShape({"istio.io/rev": NEW}),
    ),
    "a pod that asks for a revision that is not there": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, and the pod has istio.io/rev=nosuch; "
        "no injector serves that revision or tag here, so new pods get no sidecar",
        PodShape({"istio.io/rev": "nosuch"}),
    ),
    "a pod that asks": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, but the pod has sidecar.istio.io/inject=true; "
        "new pods get the sidecar of default",
        PodShape({INJECT: "true"}),
    ),
    "a pod that asks in vain": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, and the pod has sidecar.istio.io/inject=true; "
        "no injector serves pods that ask by themselves here, as only the default one does, so new pods get no sidecar",
        PodShape({INJECT: "true"}),
        injectors=ONLY_NEW,
    ),
    "a pod that asks where the namespace keeps sidecars out": Told(
        {"istio-injection": "disabled"},
        "namespace pay has istio-injection=disabled, so new pods get no sidecar",
        PodShape({INJECT: "true"}),
    ),
    "a pod that opts out by its label": Told(
        {"istio.io/rev": NEW}, "the pod has sidecar.istio.io/inject=false, so new pods get no sidecar", PodShape({INJECT: "false"})
    ),
    "a pod that opts out by its annotation": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; control plane 1-30-3 is asked and does not inject, "
        "since the pod's annotation sidecar.istio.io/inject=false says no, so new pods get no sidecar",
        PodShape({}, {INJECT: "false"}),
    ),
    "the network of the node": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; control plane 1-30-3 is asked and does not inject, "
        "since the pod uses the network of its node, so new pods get no sidecar",
        PodShape(host_network=True),
    ),
    "a namespace of the cluster itself": Told(
        {"istio-injection": "enabled"},
        "namespace kube-system has istio-injection=enabled; control plane default is asked and does not inject, "
        "since no control plane injects in namespace kube-system, so new pods get no sidecar",
        name="kube-system",
    ),
    "a policy that is disabled": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; control plane 1-30-3 is asked and does not inject, "
        "since its policy is disabled, and the pod does not ask for a sidecar itself, so new pods get no sidecar",
        settings=Settings(policy="disabled"),
    ),
    "injection by default": Told(
        {},
        "namespace pay has neither istio-injection nor istio.io/rev, and istio-sidecar-injector takes pods that say nothing "
        "(injection by default); new pods get the sidecar of default",
        injectors=(by_default(),),
    ),
    "a selector that somebody wrote": Told(
        {"team": "a", "istio.io/rev": "nosuch"}, "namespace pay has team=a; new pods get the sidecar of 1-30-3", injectors=(BY_HAND,)
    ),
    "two injectors": Told(
        {"istio-injection": "enabled"},
        "namespace pay has istio-injection=enabled; 2 injectors take the pod, another (1-30-3) and istio-sidecar-injector (default), "
        "and the last one that injects wins, so new pods get the sidecar of default",
        injectors=(replace(unrevisioned(), name="another", revision=NEW), unrevisioned()),
    ),
    "a control plane that is not there": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; Service istiod-1-30-3, which istio-sidecar-injector-1-30-3 calls, has no ready endpoint, "
        "so new pods are refused",
        injectors=(DEAD,),
    ),
    "a control plane that is not there, and may be passed by": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; Service istiod-1-30-3, which istio-sidecar-injector-1-30-3 calls, has no ready endpoint, "
        "and its failurePolicy Ignore lets pods pass, so new pods get no sidecar",
        injectors=(each(DEAD, lenient=True),),
    ),
    "no caBundle": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; MutatingWebhookConfiguration istio-sidecar-injector-1-30-3 has no caBundle, "
        "so new pods are refused",
        injectors=(each(expected_injector(NEW), has_ca=False),),
    ),
    "a template that is not there": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; control plane 1-30-3 refuses the pod, "
        'since it has no injection template "mine", so new pods are refused',
        PodShape({}, {"inject.istio.io/templates": "sidecar, mine"}),
        settings=Settings(templates=frozenset({"sidecar", "gateway"})),
    ),
    "settings that cannot be seen": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; what new pods get is not known: control plane 1-30-3 (istio-sidecar-injector-1-30-3): "
        "its injector's settings cannot be seen (ConfigMap istio-sidecar-injector-1-30-3)",
        settings=None,
    ),
    "a url": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; what new pods get is not known: control plane 1-30-3 (istio-sidecar-injector-1-30-3): "
        "it is called by a url, and its settings cannot be seen from here",
        injectors=(replace(expected_injector(NEW), url="https://mesh.example.com/inject"),),
    ),
    "a label that says another control plane than the Service": Told(
        {"istio.io/rev": "prod"},
        "namespace pay has istio.io/rev=prod; istio-revision-tag-prod is labelled as default and calls Service istiod-1-30-3, "
        "which is that of 1-30-3; new pods get the sidecar of 1-30-3",
        injectors=(replace(tag("prod", OLD), service=f"istiod-{NEW}"),),
    ),
    "conditions": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; what new pods get is not known: control plane 1-30-3 (istio-sidecar-injector-1-30-3): "
        "it has matchConditions",
        injectors=(each(expected_injector(NEW), unclear="it has matchConditions"),),
    ),
    "a word whose meaning depends on a version that is not known": Told(
        {"istio.io/rev": NEW},
        "namespace pay has istio.io/rev=1-30-3; what new pods get is not known: control plane 1-30-3 (istio-sidecar-injector-1-30-3): "
        "what the pod's annotation sidecar.istio.io/inject=off means depends on its version, which is not known",
        PodShape({}, {INJECT: "off"}),
        version=None,
    ),
}


@pytest.mark.parametrize("case", SENTENCES.values(), ids=SENTENCES)
def test_a_decision_explains_itself(case: Told) -> None:
    istiods = dict.fromkeys((OLD, NEW), Istiod(case.version, case.settings))
    assert decide(case.pod, case.name, case.labels, case.injectors, istiods).sentence == case.sentence
