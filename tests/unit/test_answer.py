# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an asked istiod answers, where no recording says it: each case with the place in Istio's source that it is from."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube import settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.answer import TEMPLATES, answer
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import INJECT, PodShape, Says
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Istiod, Settings

REQUIRED = "pkg/kube/inject/inject.go, injectRequired"
TEMPLATE = "pkg/kube/inject/inject.go, selectTemplates and RunTemplate"
VALIDATE = "pkg/kube/inject/validate.go"
QUANTITY = f"{VALIDATE}; Kubernetes, apimachinery pkg/api/resource/quantity.go"
INTERFACES = "traffic.sidecar.istio.io/excludeInterfaces"

BATCH = Selector(equal=(("role", "batch"),))
EDGE = Selector((Requirement("role", Operator.IN, ("edge", "door")),))
ALL = Selector()
DISABLED = Settings(policy="disabled")


def annotated(value: str, **labels: str) -> PodShape:
    return PodShape(labels, {INJECT: value})


def labelled(value: str) -> PodShape:
    return PodShape({INJECT: value})


TAKEN_AS_IT_IS: dict[Says, dict[str, tuple[str, ...]]] = {
    Says.UNKNOWN: {
        "proxy.istio.io/config": ("true", "[]", "'", "abc"),
        "proxy.istio.io/overrides": ("", "[]", "{", '{"containers":1}'),
        "sidecar.istio.io/agentLogLevel": ("a: b", 'all:"info"', "a\nb"),
        "sidecar.istio.io/bootstrapOverride": ("true", "80", "*", "a: b"),
        "sidecar.istio.io/proxyImage": ('"a"',),
        "sidecar.istio.io/status": ('{"containers":1}', '{"containers":[{"name":"istio-proxy"}]}'),
        "sidecar.istio.io/userVolume": ("", "abc", "[1]", "[{}]", '{"a":"b"}', "[" * 5000),
    },
    Says.INJECTS: {
        "proxy.istio.io/config": ("", "holdApplicationUntilProxyStarts: true", '{"concurrency": 2}', "# ours\nproxyMetadata:\n  A: b"),
        "proxy.istio.io/overrides": ('{"containers":[{"name":"istio-proxy"}]}',),
        "sidecar.istio.io/agentLogLevel": ("info", "default:debug,ads:info"),
        "sidecar.istio.io/bootstrapOverride": ("", "my-bootstrap"),
        "sidecar.istio.io/proxyImage": ("ghcr.io/x/proxyv2:1.30.3@sha256:0a", "auto"),
        "sidecar.istio.io/status": ("", "abc", '{"containers":["istio-proxy"],"volumes":null}'),
        "sidecar.istio.io/userVolume": ('[{"name":"v","emptyDir":{}}]', '{"v":{"emptyDir":{}}}', "{}"),
        "traffic.sidecar.istio.io/includeOutboundPorts": ("*", "80, 443"),
    },
}
"""Annotations that no version checks, and what comes of their values or is not known."""


@dataclass(frozen=True)
class Case:
    says: Says
    source: str
    pod: PodShape = field(default_factory=PodShape)
    settings: Settings | None = field(default_factory=Settings)
    version: str | None = "1.30.3"
    namespace: str = "shop"


CASES = {
    # policy
    "policy enabled injects what says nothing": Case(Says.INJECTS, REQUIRED),
    "policy disabled injects nothing by itself": Case(Says.DECLINES, REQUIRED, settings=DISABLED),
    "policy disabled, and the pod asks by its label": Case(Says.INJECTS, REQUIRED, labelled("true"), DISABLED),
    "policy disabled, and the pod asks by its annotation": Case(Says.INJECTS, REQUIRED, annotated("true"), DISABLED),
    "policy disabled, and the pod asks by a word that counts for nothing": Case(Says.DECLINES, REQUIRED, labelled("yes"), DISABLED),
    "policy disabled, and before 1.27 that word counts": Case(Says.INJECTS, REQUIRED, labelled("yes"), DISABLED, "1.26.8"),
    "a policy that is none injects nothing": Case(Says.DECLINES, REQUIRED, settings=Settings(policy="off")),
    "not even what asks": Case(Says.DECLINES, REQUIRED, labelled("true"), Settings(policy="off")),
    "nor what an always selector matches": Case(Says.DECLINES, REQUIRED, PodShape({"role": "edge"}), Settings(policy="", always=(EDGE,))),
    # selectors
    "a never selector that matches": Case(Says.DECLINES, REQUIRED, PodShape({"role": "batch"}), Settings(never=(BATCH,))),
    "a never selector that does not": Case(Says.INJECTS, REQUIRED, PodShape({"role": "web"}), Settings(never=(BATCH,))),
    "one of several": Case(Says.DECLINES, REQUIRED, PodShape({"role": "edge"}), Settings(never=(BATCH, EDGE))),
    "the pod's own yes beats a never selector": Case(
        Says.INJECTS, REQUIRED, PodShape({"role": "batch", INJECT: "true"}), Settings(never=(BATCH,))
    ),
    "an always selector beats a policy that is disabled": Case(
        Says.INJECTS, REQUIRED, PodShape({"role": "edge"}), Settings(policy="disabled", always=(EDGE,))
    ),
    "the pod's own no beats an always selector": Case(
        Says.DECLINES, REQUIRED, annotated("false", role="edge"), Settings(policy="disabled", always=(EDGE,))
    ),
    "never beats always": Case(Says.DECLINES, REQUIRED, PodShape({"role": "edge"}), Settings(never=(EDGE,), always=(EDGE,))),
    "an empty never selector matches nothing": Case(Says.INJECTS, REQUIRED, settings=Settings(never=(ALL,))),
    "an empty always selector matches nothing": Case(Says.DECLINES, REQUIRED, settings=Settings(policy="disabled", always=(ALL,))),
    "they look at the pod's labels, not at its annotations": Case(
        Says.INJECTS, REQUIRED, PodShape({}, {"role": "batch"}), Settings(never=(BATCH,))
    ),
    "a word that counts for nothing leaves it to the selectors": Case(
        Says.DECLINES, REQUIRED, PodShape({"role": "batch", INJECT: "enabled"}), Settings(never=(BATCH,))
    ),
    "before 1.27 such a word is a no, whatever the selectors say": Case(
        Says.DECLINES, REQUIRED, PodShape({"role": "edge", INJECT: "enabled"}), Settings(always=(EDGE,)), "1.26.8"
    ),
    # what the pod says, by version
    "a label beats an annotation": Case(Says.INJECTS, REQUIRED, PodShape({INJECT: "true"}, {INJECT: "false"})),
    "an empty label beats it too": Case(Says.INJECTS, REQUIRED, PodShape({INJECT: ""}, {INJECT: "false"})),
    "up to 1.11 the annotation alone is heard": Case(
        Says.DECLINES, f"{REQUIRED}, 1.9.9 to 1.11.8", PodShape({INJECT: "true"}, {INJECT: "false"}), version="1.11.8"
    ),
    "and a label asks in vain where the policy is disabled": Case(
        Says.DECLINES, f"{REQUIRED}, 1.9.9 to 1.11.8", labelled("true"), DISABLED, "1.9.9-asm.6"
    ),
    "from 1.12 the label is heard": Case(
        Says.INJECTS, f"{REQUIRED}, 1.12.0", PodShape({INJECT: "true"}, {INJECT: "false"}), version="1.12.0"
    ),
    "words in any case before 1.27": Case(Says.INJECTS, f"{REQUIRED}, 1.26.8", annotated("TRUE"), DISABLED, "1.26.8"),
    "False is no word from 1.27 on": Case(Says.INJECTS, f"{REQUIRED}, 1.27.0", annotated("False"), version="1.27.0"),
    # where nothing is injected at all
    "the network of the node, whatever the pod asks": Case(Says.DECLINES, REQUIRED, PodShape({INJECT: "true"}, {}, host_network=True)),
    "a namespace of the cluster itself": Case(Says.DECLINES, REQUIRED, labelled("true"), namespace="kube-public"),
    "a namespace that is only called alike": Case(Says.INJECTS, REQUIRED, namespace="kube-systems"),
    # what cannot be seen
    "settings that cannot be seen": Case(Says.UNKNOWN, REQUIRED, settings=None),
    "but a no is a no with any": Case(Says.DECLINES, REQUIRED, labelled("false"), None),
    "and so is the network of the node": Case(Says.DECLINES, REQUIRED, PodShape(host_network=True), None),
    "a version that cannot be seen, where it does not matter": Case(Says.INJECTS, REQUIRED, version=None),
    "where it does not matter either, since each says yes": Case(Says.INJECTS, REQUIRED, annotated("True"), version=None),
    "where it matters": Case(Says.UNKNOWN, REQUIRED, annotated("off"), version=None),
    "a tag that tells no version": Case(Says.UNKNOWN, REQUIRED, annotated("off"), version="latest"),
    # templates
    "a template that is there": Case(Says.INJECTS, TEMPLATE, PodShape({}, {TEMPLATES: "gateway"})),
    "several, with blanks": Case(
        Says.INJECTS, TEMPLATE, PodShape({}, {TEMPLATES: "sidecar, mine"}), Settings(templates=frozenset({"sidecar", "mine"}))
    ),
    "one that is not there": Case(
        Says.REFUSES, TEMPLATE, PodShape({}, {TEMPLATES: "sidecar,mine"}), Settings(templates=frozenset({"sidecar"}))
    ),
    "an annotation without a word names the template without a name": Case(
        Says.REFUSES, TEMPLATE, PodShape({}, {TEMPLATES: ""}), Settings(templates=frozenset({"sidecar"}))
    ),
    "an alias": Case(
        Says.INJECTS,
        TEMPLATE,
        PodShape({}, {TEMPLATES: "both"}),
        Settings(templates=frozenset({"sidecar", "mine"}), aliases={"both": ("sidecar", "mine")}),
    ),
    "an alias of one that is not there": Case(
        Says.REFUSES, TEMPLATE, PodShape({}, {TEMPLATES: "both"}), Settings(templates=frozenset({"sidecar"}), aliases={"both": ("mine",)})
    ),
    "a default template that is not there": Case(
        Says.REFUSES, TEMPLATE, settings=Settings(templates=frozenset({"sidecar"}), default_templates=("sidecar", "mine"))
    ),
    "whoever is not injected needs no template": Case(
        Says.DECLINES, TEMPLATE, PodShape({INJECT: "false"}, {TEMPLATES: "mine"}), Settings(templates=frozenset({"sidecar"}))
    ),
    "templates that are not known": Case(Says.UNKNOWN, TEMPLATE, PodShape({}, {TEMPLATES: "mine"})),
    # annotations of the proxy
    "no quantity": Case(Says.REFUSES, VALIDATE, PodShape({}, {"sidecar.istio.io/proxyMemory": "much"})),
    "no quantity, by a version that may let it pass": Case(
        Says.UNKNOWN, f"{VALIDATE}, 1.26.8", PodShape({}, {"sidecar.istio.io/proxyMemory": "much"}), version="1.26.8"
    ),
    "quantities": Case(
        Says.INJECTS, VALIDATE, PodShape({}, {"sidecar.istio.io/proxyCPU": "100m", "sidecar.istio.io/proxyMemoryLimit": "1.5Gi"})
    ),
    "a quantity without a digit is nought": Case(Says.INJECTS, QUANTITY, PodShape({}, {"sidecar.istio.io/proxyCPU": "m"})),
    "only ASCII has digits": Case(Says.REFUSES, QUANTITY, PodShape({}, {"sidecar.istio.io/proxyCPU": "\u0663"})),
    "no interface": Case(Says.REFUSES, f"{VALIDATE}, 1.30.0", PodShape({}, {INTERFACES: "eth0,"}), version="1.30.0"),
    "no interface, by a version that may let it pass": Case(
        Says.UNKNOWN, f"{VALIDATE}, 1.29.6", PodShape({}, {INTERFACES: "eth0,"}), version="1.29.6"
    ),
    "interfaces": Case(Says.INJECTS, f"{VALIDATE}, 1.30.0", PodShape({}, {INTERFACES: "eth0, net1"}), version="1.30.0"),
    **{
        f"{name}={value or 'nothing'}": Case(says, "1.30.3's own injection of such a pod", PodShape({}, {name: value}))
        for says, names in TAKEN_AS_IT_IS.items()
        for name, values in names.items()
        for value in values
    },
    "no port": Case(Says.REFUSES, VALIDATE, PodShape({}, {"status.sidecar.istio.io/port": "70000"})),
    "ports with blanks": Case(Says.INJECTS, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/excludeInboundPorts": "8080, 9090"})),
    "all ports may be included": Case(Says.INJECTS, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/includeInboundPorts": "*"})),
    "but not excluded": Case(Says.REFUSES, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/excludeInboundPorts": "*"})),
    "networks": Case(
        Says.INJECTS, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/8,fd00::/8,10.1.2.3/8"})
    ),
    "an address is no network": Case(
        Says.REFUSES, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/includeOutboundIPRanges": "10.0.0.1"}), version="1.9.9"
    ),
    "a network whose length begins with a nought": Case(
        Says.REFUSES, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/08"})
    ),
    "a network of one interface": Case(
        Says.REFUSES, VALIDATE, PodShape({}, {"traffic.sidecar.istio.io/excludeOutboundIPRanges": "fe80::1%eth0/64"})
    ),
    "no number": Case(Says.REFUSES, VALIDATE, PodShape({}, {"readiness.status.sidecar.istio.io/periodSeconds": "-1"})),
    "no such mode": Case(Says.REFUSES, VALIDATE, PodShape({}, {"sidecar.istio.io/interceptionMode": "redirect"})),
    "neither true nor false": Case(Says.REFUSES, VALIDATE, PodShape({}, {"prometheus.istio.io/merge-metrics": "yes"})),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_asked_istiod_answers_as_its_source_says(case: Case) -> None:
    found = answer(case.pod, case.namespace, Istiod(case.version, case.settings))
    assert found.says is case.says, f"{found} (source: Istio, {case.source})"
    assert (found.why == "") is (found.says is Says.INJECTS), "each answer but a plain yes has its reason"


CONFIG = """
defaultTemplates: [sidecar, mine]
policy: disabled
alwaysInjectSelector:
  - matchLabels: {role: edge}
neverInjectSelector:
  - matchExpressions: [{key: role, operator: In, values: [batch]}]
  - matchExpressions: [{key: role, operator: Gt, values: ["1"]}]
  - matchExpressions: [{key: role, operator: In, values: []}]
  - matchExpressions: [{key: role, operator: Exists, values: [x]}]
  - matchExpressions: [{key: not a key, operator: DoesNotExist}]
  - matchExpressions: [{key: role, operator: NotIn, values: [not a value]}]
aliases: {both: [sidecar, mine]}
injectedAnnotations: {}
template: "{{ Template_Version_And_Istio_Version_Mismatched_Check_Installation }}"
templates:
  sidecar: |
    metadata:
      {{- if eq 1 1 }}
      labels: {{ toJSON .ObjectMeta.Labels }}
      {{- end }}
  mine: ""
"""


def test_settings_are_read_as_istiod_reads_them() -> None:
    """A selector that is not valid counts for nothing there, with a warning in its log."""
    assert settings.parse({"data": {"config": CONFIG}}) == Settings(
        policy="disabled",
        never=(Selector((Requirement("role", Operator.IN, ("batch",)),)),),
        always=(Selector(equal=(("role", "edge"),)),),
        templates=frozenset({"sidecar", "mine"}),
        aliases={"both": ("sidecar", "mine")},
        default_templates=("sidecar", "mine"),
    )


UNREADABLE = {
    "no data": {},
    "data is null": {"data": None},
    "no config": {"data": {"values": "{}"}},
    "config is null": {"data": {"config": None}},
    "config is empty": {"data": {"config": ""}},
    "config is a list": {"data": {"config": "[1]"}},
    "config is no YAML": {"data": {"config": "policy: [enabled"}},
    "templates are a list": {"data": {"config": "policy: enabled\ntemplates: [sidecar]"}},
    "a selector is no list": {"data": {"config": "policy: enabled\nneverInjectSelector: 1"}},
    "selectors that are none": {"data": {"config": "policy: enabled\nneverInjectSelector: [3]"}},
    "selectors by name": {"data": {"config": "policy: enabled\nalwaysInjectSelector: {role: edge}"}},
    "aliases are a text": {"data": {"config": "policy: enabled\naliases: all"}},
}


@pytest.mark.parametrize("item", UNREADABLE.values(), ids=UNREADABLE)
def test_settings_that_cannot_be_read_are_not_known(item: dict[str, object]) -> None:
    assert settings.parse(item) is None
