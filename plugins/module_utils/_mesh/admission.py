# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a new pod came to when a cluster was asked: a sidecar, none, or a refusal; and whether that is as predicted. Pure.

API servers answer from caches: 9 of 300 first answers after a label had moved were of before. What is cached are namespaces and webhooks,
not pods: so each namespace is asked about several times, by different pods where it has them, and an answer that is not as predicted counts
only when it stays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Proxy, Workload

IN_A_ROW = 3
"""As many answers as predicted are asked for in each namespace."""
AUTO = "auto"
"""An image that injection fills in; where it does not, the pod never starts (Istio, injected gateways)."""


class By(StrEnum):
    """Who refused a pod."""

    WEBHOOK = "webhook"
    UNREACHABLE = "webhook that cannot be called"
    QUOTA = "quota"
    LIMITS = "limit range"
    POD_SECURITY = "Pod Security"
    POLICY = "policy"
    ACCOUNT = "service account"
    VALIDATION = "validation"
    OTHER = "API server"


_PASSING = frozenset({By.UNREACHABLE, By.QUOTA, By.ACCOUNT})
"""What may come right by itself."""

_FORMS = (
    (By.WEBHOOK, r'admission webhook "(?P<name>[^"]+)" denied the request(: (?P<why>.*))?'),
    (By.UNREACHABLE, r'failed calling webhook "(?P<name>[^"]+)": (?P<why>.*)'),
    (By.QUOTA, r"(?P<why>exceeded quota: (?P<name>[^,]+), .*)"),
    (By.QUOTA, r"(?P<why>failed quota: (?P<name>[^:]+): .*)"),
    (By.POD_SECURITY, r'violates PodSecurity "(?P<name>[^"]+)": (?P<why>.*)'),
    (By.POLICY, r"ValidatingAdmissionPolicy '(?P<name>[^']+)' with binding '[^']+' denied request: (?P<why>.*)"),
    (By.ACCOUNT, r"error looking up service account [^/\s]+/(?P<name>[^:\s]+): (?P<why>.*)"),
    (By.LIMITS, r"is forbidden: \[?(?P<why>(maximum|minimum) \S+ usage per \w+ is .*|\S+ max limit to request ratio per .*)"),
    (By.VALIDATION, r"^Pod .* is invalid: (?P<why>.*)"),
)
"""How each says no (recorded: failures.json; Kubernetes 1.36)."""

_SAYS = {
    By.WEBHOOK: "webhook {name} refuses it: {why}",
    By.UNREACHABLE: "webhook {name} cannot be called: {why}",
    By.QUOTA: "quota {name} does not allow it: {why}",
    By.LIMITS: "a LimitRange does not allow it: {why}",
    By.POD_SECURITY: "Pod Security {name} does not allow it: {why}",
    By.POLICY: "ValidatingAdmissionPolicy {name} refuses it: {why}",
    By.ACCOUNT: "its service account {name} is not there",
    By.VALIDATION: "the pod would not be valid: {why}",
    By.OTHER: "the API server refuses it: {why}",
}

_ADVICE = {
    By.WEBHOOK: "correct what the webhook names in the pod template, or ask the webhook's owner",
    By.UNREACHABLE: "bring what the webhook calls back first: look at its Deployment, its pods and its caBundle",
    By.QUOTA: "raise the quota, or make room in the namespace",
    By.LIMITS: "give the sidecar resources that the LimitRange allows, or change the LimitRange",
    By.POD_SECURITY: "use the Istio CNI plugin, which needs no privileged istio-init, or change the namespace's Pod Security level",
    By.POLICY: "correct what the policy names in the pod template or in the sidecar, or ask the policy's owner",
    By.ACCOUNT: "make the service account, or correct its name in the pod template",
    By.VALIDATION: "correct the pod template",
    By.OTHER: "correct what the API server names",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    by: By
    name: str
    why: str = field(compare=False)
    """In its own words; the name of the pod, which differs each time, may be in it."""

    @property
    def passing(self) -> bool:
        """It may come right by itself."""
        return self.by in _PASSING

    def text(self) -> str:
        return _SAYS[self.by].format(name=self.name, why=" ".join(self.why.split()))


def refusal(message: str) -> Refusal:
    """Who refused, read from what the API server says."""
    for by, form in _FORMS:
        found = re.search(form, message, re.DOTALL)
        if found:
            said = found.groupdict()
            return Refusal(by, said.get("name") or "", said.get("why") or "without saying why")
    return Refusal(By.OTHER, "", message)


def same_refusal(now: str, was: str) -> bool:
    """Who refuses is the same; the words differ by the names of pods and by numbers."""
    one = refusal(now)
    return one.by is not By.OTHER and one == refusal(was)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a new pod came to."""

    proxy: Proxy | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """A workload that is asked about, with what is predicted for its next pod."""

    workload: Workload
    decision: Decision
    version: str | None
    """Of the sidecar, where it is known."""
    own_proxy: bool = False
    """The template brings a proxy itself: a gateway, or what ``istioctl kube-inject`` has written."""
    wanted: str | None = None
    """The revision that a sidecar must be of, where the user says it."""
    has: str | None = None
    """The revision whose sidecar its new pods get today, where the question is what becomes of it: it must not lose it."""
    ill: str | None = None
    """Why it was ill before the upgrade, where it was: empty where nothing said why."""
    goes_first: bool = False
    """An old pod goes before the new one comes, so that a full quota has room then."""
    times: int = 1
    """How often in a row the answer must be as predicted."""

    @property
    def path(self) -> str:
        return self.workload.path

    @property
    def at(self) -> str:
        return f"{self.workload.short} in {self.workload.namespace}"

    def bears(self, answer: Answer) -> bool:
        """A refusal that keeps nothing back that was not kept back before, or would not be when the time comes."""
        if answer.refusal is None or answer.refusal.by is By.UNREACHABLE:
            return False
        if self.goes_first and answer.refusal.by is By.QUOTA:
            return True
        return self.ill == "" or (self.ill is not None and answer.refusal == refusal(self.ill))

    def problem(self, answer: Answer) -> str:
        """Why this answer is not as it should be, as a sentence without its end; empty where it is."""
        if answer.refusal:
            return f"{self.at}: {answer.refusal.text()}"
        got, predicted = answer.proxy, self.decision.revision
        if got and got.image == AUTO:
            return f'{self.at}: no injector fills in its image "{AUTO}", so that it could not start'
        if predicted is None and got and self.own_proxy:
            return ""
        if self.decision.known and (got.revision if got else None) != predicted:
            return f"{self.at}: the answer is {_sidecar(got)}, predicted was {_predicted(predicted, self.version)}"
        if got is None and self.has:
            return f"{self.at}: no sidecar, and its new pods get that of {self.has} today"
        if got and self.wanted and got.revision != self.wanted:
            return f"{self.at}: {_sidecar(got)}, not that of {self.wanted}"
        if got and self.version and got.version and got.version != self.version:
            return f"{self.at}: {_sidecar(got)}, not of version {self.version}"
        return ""


def _sidecar(proxy: Proxy | None) -> str:
    if proxy is None:
        return "no sidecar"
    return f"the sidecar of {proxy.revision or 'an unknown revision'}" + (f" ({proxy.version})" if proxy.version else "")


def _predicted(revision: str | None, version: str | None) -> str:
    return f"that of {revision}" + (f" ({version})" if version else "") if revision else "none"


@dataclass(frozen=True, slots=True)
class Said:
    """The last answer about one workload, how often it has come in a row, and for how many seconds."""

    answer: Answer
    times: int
    seconds: float


class Standing(StrEnum):
    """How far the asking about one workload is."""

    OPEN = "open"
    PROVED = "proved"
    FAILING = "failing"
    """It may come right by itself."""
    WRONG = "wrong"


def standing(subject: Subject, last: Said | None, stale: float) -> Standing:
    """``stale`` is for how many seconds an answer that is not as predicted may be one from a cache."""
    if last is None:
        return Standing.OPEN
    if subject.bears(last.answer):
        return Standing.PROVED if last.seconds >= stale else Standing.OPEN
    if not subject.problem(last.answer):
        return Standing.PROVED if last.times >= subject.times else Standing.OPEN
    if last.answer.refusal and last.answer.refusal.passing:
        return Standing.FAILING
    return Standing.WRONG if last.seconds >= stale else Standing.OPEN


def progress(subjects: Sequence[Subject], said: Mapping[str, Said], stale: float, asked: str) -> Progress:
    """How far the asking is. What is refused or wrong is told all at once, when everything else has its answer."""
    found = [(subject, standing(subject, said.get(subject.path), stale)) for subject in subjects]
    wrong = [(subject, said[subject.path].answer) for subject, how in found if how in (Standing.WRONG, Standing.FAILING)]
    open_ = [subject.at for subject, how in found if how is Standing.OPEN]
    reached = {how for _subject, how in found}
    error = Unproved(wrong, asked) if wrong else None
    return Progress(
        done=sum(how is Standing.PROVED for _subject, how in found),
        total=len(subjects),
        waiting=(*(subject.problem(answer) for subject, answer in wrong), *open_),
        fatal=error if Standing.WRONG in reached and not open_ else None,
        failing=error if Standing.FAILING in reached else None,
    )


def several(subjects: Sequence[Subject]) -> tuple[Subject, ...]:
    """The same, each so often that its namespace is asked about often enough."""
    here = Counter(subject.workload.namespace for subject in subjects)
    return tuple(replace(subject, times=ceil(IN_A_ROW / here[subject.workload.namespace])) for subject in subjects)


class Unproved(MeshError):
    """Some pods would be refused, or would get another sidecar than predicted."""

    kind = "unproved"

    def __init__(self, wrong: Sequence[tuple[Subject, Answer]], asked: str) -> None:
        texts = [subject.problem(answer) for subject, answer in wrong]
        refusals = [answer.refusal for _subject, answer in wrong if answer.refusal]
        what = "would be refused" if len(refusals) == len(wrong) else "would not be as they should be"
        self.problems = tuple(texts)
        more = f"; and {len(texts) - 10} more" if len(texts) > 10 else ""
        super().__init__(
            f"New pods of {count(len(wrong), 'workload')} {what}.",
            where="; ".join(texts[:10]) + more,
            why=asked,
            do="; ".join(dict.fromkeys(_ADVICE[one.by] for one in refusals))
            or "look at the labels and at the selectors of the injectors: mesh_info shows both",
        )

    def as_ansible(self) -> dict[str, object]:
        return {**super().as_ansible(), "problems": list(self.problems)}
