# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who refused a pod, whether an answer is as predicted, and when an answer is the last word."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._kube.templates import SOURCES
from ansible_collections.meshops.istio.plugins.module_utils._mesh.admission import (
    Answer,
    By,
    Refusal,
    Said,
    Standing,
    Subject,
    progress,
    refusal,
    several,
    standing,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, Outcome, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.recipes import BUILT_IN
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Proxy, Workload

from .figures.table import Figures

FORBIDDEN = 'pods "api-probe-x7k2p" is forbidden: '
MESSAGES = {
    'admission webhook "x.example.com" denied the request: no': (By.WEBHOOK, "x.example.com", "no"),
    'admission webhook "x.example.com" denied the request without explanation': (By.WEBHOOK, "x.example.com", "without saying why"),
    'Internal error occurred: failed calling webhook "x": failed to call webhook: EOF': (
        By.UNREACHABLE,
        "x",
        "failed to call webhook: EOF",
    ),
    f"{FORBIDDEN}exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0": (
        By.QUOTA,
        "q",
        "exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0",
    ),
    f"{FORBIDDEN}failed quota: q: must specify limits.cpu for: istio-proxy": (
        By.QUOTA,
        "q",
        "failed quota: q: must specify limits.cpu for: istio-proxy",
    ),
    f'{FORBIDDEN}violates PodSecurity "restricted:latest": runAsNonRoot != true': (
        By.POD_SECURITY,
        "restricted:latest",
        "runAsNonRoot != true",
    ),
    f"{FORBIDDEN}ValidatingAdmissionPolicy 'p' with binding 'b' denied request: too many": (By.POLICY, "p", "too many"),
    f'{FORBIDDEN}error looking up service account pay/robot: serviceaccount "robot" not found': (
        By.ACCOUNT,
        "robot",
        'serviceaccount "robot" not found',
    ),
    f"{FORBIDDEN}maximum cpu usage per Container is 1, but limit is 2": (
        By.LIMITS,
        "",
        "maximum cpu usage per Container is 1, but limit is 2",
    ),
    f"{FORBIDDEN}[minimum memory usage per Pod is 1Gi, but request is 1, maximum x]": (
        By.LIMITS,
        "",
        "minimum memory usage per Pod is 1Gi, but request is 1, maximum x]",
    ),
    'Pod "api-probe-x7k2p" is invalid: spec.containers[0].image: Required value': (
        By.VALIDATION,
        "",
        "spec.containers[0].image: Required value",
    ),
    f"{FORBIDDEN}no PriorityClass with name high was found": (By.OTHER, "", f"{FORBIDDEN}no PriorityClass with name high was found"),
}


@pytest.mark.parametrize(("message", "who"), MESSAGES.items(), ids=[str(who[0]) for who in MESSAGES.values()])
def test_who_refused(message: str, who: tuple[By, str, str]) -> None:
    found = refusal(message)
    assert (found.by, found.name, found.why) == who


RECORDED = {
    "1.29.6 istiod gone": By.UNREACHABLE,
    "1.30.3 istiod gone": By.UNREACHABLE,
    "1.30.3 annotation inject.istio.io/templates names an unknown template": By.WEBHOOK,
    "1.30.3 annotation sidecar.istio.io/proxyCPU is no quantity": By.WEBHOOK,
    "caBundle missing, istiod not there": By.UNREACHABLE,
    "quota pods=0 (no injector)": By.QUOTA,
    "Pod Security restricted (no injector)": By.POD_SECURITY,
}


def test_who_refused_of_what_real_ones_said(figures: Figures) -> None:
    found = {name: refusal(message) for name, message in figures.refusals.items()}
    assert {name: one.by for name, one in found.items()} == RECORDED
    assert "\n" not in "".join(one.text() for one in found.values()), "one line each, whatever was said"


REVISION, VERSION = "1-30-3", "1.30.3"
API = Workload("Deployment", "pay", "api", "1", PodShape())
INJECTED = Subject(API, Decision(Outcome.SIDECAR, REVISION), VERSION)
OUTSIDE = Subject(API, Decision(), None)
UNKNOWN = Subject(API, Decision(Outcome.UNKNOWN), None)
RIGHT = Answer(Proxy(REVISION, VERSION, native=True, ready=False))
OLD = Answer(Proxy("default", "1.29.6", native=False, ready=False))
NONE = Answer()
FULL = Answer(refusal=Refusal(By.QUOTA, "q", "requested: pods=1"))
DENIED = Answer(refusal=Refusal(By.POLICY, "p", "too many"))

PROBLEMS = {
    "as predicted": (INJECTED, RIGHT, ""),
    "another revision": (INJECTED, OLD, "the answer is the sidecar of default (1.29.6), predicted was that of 1-30-3 (1.30.3)"),
    "none where one was predicted": (INJECTED, NONE, "the answer is no sidecar, predicted was that of 1-30-3 (1.30.3)"),
    "one where none was predicted": (OUTSIDE, OLD, "the answer is the sidecar of default (1.29.6), predicted was none"),
    "none, and none was predicted": (OUTSIDE, NONE, ""),
    "a sidecar where nobody could predict": (UNKNOWN, OLD, ""),
    "none where nobody could predict": (UNKNOWN, NONE, ""),
    "not the revision that was asked for, where nobody could predict": (
        dataclasses.replace(UNKNOWN, wanted=REVISION),
        OLD,
        "the sidecar of default (1.29.6), not that of 1-30-3",
    ),
    "none as predicted, where there is one today": (
        dataclasses.replace(OUTSIDE, has="default"),
        NONE,
        "no sidecar, and its new pods get that of default today",
    ),
    "the template's own proxy": (dataclasses.replace(OUTSIDE, own_proxy=True), OLD, ""),
    "another version": (
        INJECTED,
        Answer(Proxy(REVISION, "1.30.1", native=True, ready=False)),
        "the sidecar of 1-30-3 (1.30.1), not of version 1.30.3",
    ),
    "an image that tells no version": (INJECTED, Answer(Proxy(REVISION, None, native=True, ready=False)), ""),
    "not the revision that was asked for": (
        dataclasses.replace(INJECTED, decision=Decision(Outcome.SIDECAR, "default"), wanted=REVISION, version=None),
        OLD,
        "the sidecar of default (1.29.6), not that of 1-30-3",
    ),
    "an image that injection should have filled in": (
        dataclasses.replace(OUTSIDE, own_proxy=True),
        Answer(Proxy(None, None, native=False, ready=False, image="auto")),
        'no injector fills in its image "auto", so that it could not start',
    ),
    "refused": (INJECTED, DENIED, "ValidatingAdmissionPolicy p refuses it: too many"),
}


@pytest.mark.parametrize(("subject", "answer", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_an_answer_is_as_predicted_or_both_are_told(subject: Subject, answer: Answer, problem: str) -> None:
    assert subject.problem(answer) == (f"deploy/api in pay: {problem}" if problem else "")


STALE = 5.0
THRICE = dataclasses.replace(INJECTED, times=3)
STANDINGS = {
    "nothing said yet": (None, Standing.OPEN),
    "right, but not often enough": (Said(RIGHT, 2, 60), Standing.OPEN),
    "right three times in a row": (Said(RIGHT, 3, 0.1), Standing.PROVED),
    "wrong, which may be an answer from a cache": (Said(OLD, 9, 4.9), Standing.OPEN),
    "wrong for so long that it is none": (Said(OLD, 2, 5), Standing.WRONG),
    "refused for good": (Said(DENIED, 9, 5), Standing.WRONG),
    "refused, and it may come right": (Said(FULL, 1, 0), Standing.FAILING),
}


WAS_FULL = 'FailedCreate: pods "api-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3'
DEAD = Answer(refusal=Refusal(By.UNREACHABLE, "rev.namespace", "no endpoints"))
BORNE = {
    "a full quota, where an old pod goes first": (dataclasses.replace(INJECTED, goes_first=True), FULL, True),
    "a policy, where an old pod goes first": (dataclasses.replace(INJECTED, goes_first=True), DENIED, False),
    "a full quota that was full before": (dataclasses.replace(INJECTED, ill=WAS_FULL), FULL, True),
    "a policy, where it was a quota before": (dataclasses.replace(INJECTED, ill=WAS_FULL), DENIED, False),
    "a policy, where pods were missing for a reason that nobody told": (dataclasses.replace(INJECTED, ill=""), DENIED, True),
    "a webhook that cannot be called": (dataclasses.replace(INJECTED, ill="", goes_first=True), DEAD, False),
    "a refusal, where pods only crashed": (dataclasses.replace(INJECTED, ill="app: CrashLoopBackOff"), DENIED, False),
    "what is not refused, and is wrong": (dataclasses.replace(INJECTED, ill=""), OLD, False),
}


@pytest.mark.parametrize(("subject", "answer", "borne"), BORNE.values(), ids=BORNE)
def test_a_refusal_of_before_stops_nothing(subject: Subject, answer: Answer, borne: bool) -> None:
    assert subject.bears(answer) is borne
    assert (standing(subject, Said(answer, 3, 60), STALE) is Standing.PROVED) is borne
    if borne:
        assert standing(subject, Said(answer, 3, 1), STALE) is Standing.OPEN, "it may be an answer from a cache"


@pytest.mark.parametrize(("said", "how"), STANDINGS.values(), ids=STANDINGS)
def test_an_answer_counts_when_it_stays(said: Said | None, how: Standing) -> None:
    assert standing(THRICE, said, STALE) is how


def test_all_that_is_wrong_is_told_at_once_when_the_rest_has_its_answer() -> None:
    subjects = [dataclasses.replace(INJECTED, workload=dataclasses.replace(API, name=name)) for name in ("a", "b", "c")]
    said = {"pay/deploy/a": Said(DENIED, 9, 9), "pay/deploy/b": Said(FULL, 1, 0)}
    waiting = progress(subjects, said, STALE, "asked was the API server")
    assert (waiting.done, waiting.fatal) == (0, None), "c has no answer yet"
    assert waiting.failing is not None, "b counts against the grace time meanwhile"
    told = progress(subjects, said | {"pay/deploy/c": Said(RIGHT, 3, 1)}, STALE, "asked was the API server")
    assert told.done == 1
    assert told.fatal is not None
    text = told.fatal.text()
    assert "New pods of 2 workloads would be refused." in text
    assert "deploy/a in pay: ValidatingAdmissionPolicy p refuses it" in text
    assert "deploy/b in pay: quota q does not allow it" in text
    assert "asked was the API server" in text


def test_of_hundreds_ten_are_in_the_message_and_all_in_the_result() -> None:
    subjects = [dataclasses.replace(INJECTED, workload=dataclasses.replace(API, name=f"a{number}")) for number in range(300)]
    told = progress(subjects, {one.path: Said(DENIED, 9, 9) for one in subjects}, STALE, "")
    assert told.fatal is not None
    assert "and 290 more" in told.fatal.text()
    problems = told.fatal.as_ansible()["problems"]
    assert isinstance(problems, list)
    assert len(problems) == 300


def test_each_namespace_is_asked_about_three_times_by_different_pods_where_it_has_them() -> None:
    here = {"one": 1, "two": 2, "many": 40}
    subjects = [
        dataclasses.replace(INJECTED, workload=dataclasses.replace(API, namespace=namespace, name=f"a{number}"))
        for namespace, workloads in here.items()
        for number in range(workloads)
    ]
    times = [(subject.workload.namespace, subject.times) for subject in several(subjects)]
    assert set(times) == {("one", 3), ("two", 2), ("many", 1)}
    assert len(times) == len(subjects)


def test_what_can_be_restarted_can_be_asked_about() -> None:
    assert set(SOURCES) | {"Pod"} == BUILT_IN, "a bare pod has no template, and is not made again"
