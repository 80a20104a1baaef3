# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom an API server asks about a pod, and in which order: what is predicted against what one really does, for thousands of pods.

Each entry of some made-up configurations calls the same little server of the test by a path of its own, which writes down on the pod who
was called. So the answer to a dry run tells it all, and nothing is created.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import typing as t
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse, rendered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import calls, may_be_last
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Answer as Answered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Call, Entry, Injector, PodShape, Says
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import entries
from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import NODE_IP, Cluster
from tests.lab.istiod.certificates import Authority
from tests.lab.istiod.server import Answer, serve

from .conftest import Namespaces
from .test_injectors import MUTATING

SETS, PODS = 20, 6
AT_A_TIME = 8
CALLED = "lab.meshops.io/called"
SENTINEL = "zz-sentinel"
INJECTION, REVISION, INJECT, NAME = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject", "kubernetes.io/metadata.name"
WAYS = itertools.product((None, "enabled", "disabled", ""), (None, "a", "b", "default", ""))
OF_NAMESPACES = [
    {key: value for key, value in ((INJECTION, injection), (REVISION, revision), ("team", team)) if value is not None}
    for (injection, revision), team in zip(WAYS, itertools.cycle((None, "x", "y")), strict=False)
]
"""Labels of the namespaces in which it is asked: each way to ask for a sidecar or not."""
VALUES: dict[str, tuple[str, ...]] = {
    INJECTION: ("enabled", "disabled", ""),
    REVISION: ("a", "b", "default", ""),
    INJECT: ("true", "false", "yes"),
    "team": ("x", "y", ""),
    NAME: ("elsewhere",),
}
RULE = {"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
OTHER_RULES = (
    RULE | {"operations": ["UPDATE"]},
    RULE | {"resources": ["pods/binding", "services"]},
    RULE | {"resources": ["pods/*"]},
    RULE | {"operations": ["*"], "resources": ["*"], "scope": "Namespaced"},
    {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "scope": "*"},
)
NAMES = ("asked-10", "asked-2", "asked-a", "asked-aa", "asked.b", "asked-b-c")


def requirements(*keys: str) -> some.SearchStrategy[Json]:
    def of(key: str) -> some.SearchStrategy[Json]:
        values = some.lists(some.sampled_from(VALUES[key]), min_size=1, max_size=3)
        sets = some.fixed_dictionaries({"key": some.just(key), "operator": some.sampled_from(("In", "NotIn")), "values": values})
        return sets | some.fixed_dictionaries({"key": some.just(key), "operator": some.sampled_from(("Exists", "DoesNotExist"))})

    return some.sampled_from(keys).flatmap(of)


def selectors(*keys: str) -> some.SearchStrategy[Json]:
    equal = some.sampled_from(keys).flatmap(lambda key: some.sampled_from(VALUES[key]).map(lambda value: {key: value}))
    expressions = some.lists(requirements(*keys), max_size=2)
    return some.fixed_dictionaries({"matchExpressions": expressions}) | some.fixed_dictionaries({"matchLabels": equal})


def labels(*keys: str) -> some.SearchStrategy[dict[str, str]]:
    return some.fixed_dictionaries({}, optional={key: some.sampled_from((*VALUES[key], "other")) for key in keys})


OF_ISTIO = some.sampled_from([entry for name in ("a", "b", "default") for entry in entries(name, everywhere=True)]).map(
    lambda entry: {"namespaceSelector": rendered(entry.namespaces), "objectSelector": rendered(entry.objects)}
)
MADE_UP = some.fixed_dictionaries(
    {"namespaceSelector": selectors(INJECTION, REVISION, "team", NAME), "objectSelector": selectors(INJECT, REVISION, "team")}
)
EXTRAS = some.fixed_dictionaries(
    {"rules": some.lists(some.sampled_from((RULE, RULE, RULE, *OTHER_RULES)), min_size=1, max_size=2)},
    optional={
        "reinvocationPolicy": some.sampled_from(("Never", "IfNeeded")),
        "matchConditions": some.sampled_from(("true", "false")).map(lambda text: [{"name": "made-up", "expression": text}]),
    },
)
ENTRIES = some.tuples(OF_ISTIO | MADE_UP, EXTRAS).map(lambda both: {**both[0], **both[1]})
WEBHOOKS = some.dictionaries(some.sampled_from(NAMES), some.lists(ENTRIES, min_size=3, max_size=5), min_size=3, max_size=5)
PODS_OF_A_SET = some.lists(labels(INJECT, REVISION, "team"), min_size=PODS, max_size=PODS, unique_by=json.dumps)


class Recorder:
    """The API server's side of it: configurations in, and who was called for a pod out."""

    def __init__(self, lab: Cluster, namespace: str) -> None:
        self._lab, self._namespace = lab, namespace
        self._routes: dict[str, t.Callable[[bytes], Answer]] = {}
        self._number = itertools.count(1)
        self._authority = Authority.new()
        port = serve(self._routes, self._authority.server_context([f"recorder.{namespace}.svc"]))
        ports = [{"port": 443, "targetPort": port, "protocol": "TCP"}]
        lab.api.post(f"/api/v1/namespaces/{namespace}/services", {"metadata": {"name": "recorder"}, "spec": {"ports": ports}})
        lab.api.post(
            f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
            {
                "metadata": {"name": "recorder", "labels": {"kubernetes.io/service-name": "recorder"}},
                "addressType": "IPv4",
                "ports": [{"port": port, "protocol": "TCP"}],
                "endpoints": [{"addresses": [f"{NODE_IP}1"], "conditions": {"ready": True}}],
            },
        )

    def become(self, webhooks: Mapping[str, Sequence[Json]]) -> tuple[Injector, ...]:
        """The cluster has exactly these from here on: what was written last is seen, so that all that was written before it is."""
        for name in NAMES:
            with contextlib.suppress(ApiProblem):
                self._lab.api.delete(f"{MUTATING}/{name}")
        written = [self._write(name, entries) for name, entries in webhooks.items()]
        sentinel = f"{SENTINEL}-{next(self._number)}"
        self._write(sentinel, [{"rules": [RULE], "namespaceSelector": {"matchLabels": {NAME: self._namespace}}}])
        while f"{sentinel}/0" not in self.called(self._namespace, {}):
            pass
        self._lab.api.delete(f"{MUTATING}/{sentinel}")
        return tuple(injector for item in written if (injector := parse(item)))

    def called(self, namespace: str, pod: Mapping[str, str]) -> list[str]:
        """Pods on the network of their node, so that the lab's own control planes leave them as they are."""
        body = {
            "metadata": {"generateName": "asked-", "labels": dict(pod)},
            "spec": {"containers": [{"name": "app", "image": "app"}], "hostNetwork": True},
        }
        answer = self._lab.api.post(f"/api/v1/namespaces/{namespace}/pods", body, dryRun="All")
        return (answer["metadata"].get("annotations") or {}).get(CALLED, "").split()

    def _write(self, name: str, entries: Sequence[Json]) -> Json:
        webhooks = [
            {
                "name": f"entry-{number}.sidecar-injector.istio.io",
                "clientConfig": {
                    "service": {"name": "recorder", "namespace": self._namespace, "path": self._path(f"{name}/{number}")},
                    "caBundle": self._authority.bundle,
                },
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                **entry,
            }
            for number, entry in enumerate(entries)
        ]
        return self._lab.api.post(MUTATING, {"metadata": {"name": name, "labels": {REVISION: name}}, "webhooks": webhooks})

    def _path(self, name: str) -> str:
        self._routes[f"/{name}"] = lambda body: _noted(body, name)
        return f"/{name}"


def _noted(body: bytes, name: str) -> Answer:
    """An admission that adds who was called to the pod."""
    request = json.loads(body)["request"]
    annotations = request["object"]["metadata"].get("annotations") or {}
    after = annotations | {CALLED: f"{annotations.get(CALLED, '')} {name}"}
    patch = [{"op": "add", "path": "/metadata/annotations", "value": after}]
    response = {
        "uid": request["uid"],
        "allowed": True,
        "patchType": "JSONPatch",
        "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
    }
    return Answer.json({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})


def difference(predicted: Sequence[tuple[Injector, Entry]], called: Sequence[str]) -> str:
    """Empty where the API server has done as predicted, in the first round and in a second one."""
    by_name = {_name(injector, entry): Call(injector, entry, Answered(Says.INJECTS), injector.revision) for injector, entry in predicted}
    first = list(itertools.takewhile(lambda one: called.index(one[1]) == one[0], enumerate(called)))
    again = called[len(first) :]
    expected = [name for name, call in by_name.items() if not call.entry.unclear or name in called]
    if [name for _number, name in first] != expected:
        return f"predicted was {expected}"
    injecting = [by_name[name] for name in expected]
    if not all(by_name[name].entry.again for name in again) or (called and by_name[called[-1]] not in may_be_last(injecting)):
        return f"predicted to be the last was {[_name(call.injector, call.entry) for call in may_be_last(injecting)]}"
    return ""


def _name(injector: Injector, entry: Entry) -> str:
    return f"{injector.name}/{entry.name.partition('.')[0].removeprefix('entry-')}"


def test_the_api_server_asks_whom_it_is_predicted_to_ask(lab: Cluster, namespaces: Namespaces, as_it_was: None) -> None:
    there = {namespaces(one, wait=False): one for one in OF_NAMESPACES}
    lab.api.until(
        "/api/v1/serviceaccounts",
        lambda found: there.keys() <= {one["metadata"]["namespace"] for one in found},
        timeout=60,
        what="the service accounts",
        fieldSelector="metadata.name=default",
    )
    VALUES[NAME] = (*list(there)[:3], "elsewhere")
    recorder = Recorder(lab, next(iter(there)))
    compared: list[str] = []

    @settings(max_examples=SETS, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(WEBHOOKS, PODS_OF_A_SET)
    def check(webhooks: dict[str, list[Json]], pods: list[dict[str, str]]) -> None:
        injectors = recorder.become(webhooks)
        asked = list(itertools.product(there, pods))
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            answers = pool.map(lambda one: [name for name in recorder.called(*one) if not name.startswith(SENTINEL)], asked)
        found = [
            f"{there[name]} in {name}, pod {pod}: called was {called}, {wrong}"
            for (name, pod), called in zip(asked, answers, strict=True)
            if (wrong := difference(tuple(calls(PodShape(pod), name, there[name], injectors)), called))
        ]
        compared.extend(name for name, _pod in asked)
        assert not found, "\n".join([json.dumps(webhooks), f"{len(found)} of {len(asked)} are asked about otherwise:", *found[:10]])

    check()
    assert len(compared) >= 2000
