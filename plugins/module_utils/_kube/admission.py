# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks what would become of a new pod: the API server, by a dry run, or one istiod, through the API server's proxy. Nothing is stored."""

from __future__ import annotations

import base64
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.meshops.istio.plugins.module_utils._kube import json_patch
from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import proxy
from ansible_collections.meshops.istio.plugins.module_utils._mesh.admission import (
    Answer,
    By,
    Refusal,
    Said,
    Standing,
    Subject,
    refusal,
    standing,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json

AT_A_TIME = 8
_AWAY = frozenset({0, 429, 502, 503, 504})
_PAUSE, _LONGEST = 0.1, 1.0
"""Seconds between two rounds, and what they grow to."""

Ask = Callable[[Json], Answer]


def by_dry_run(cluster: Cluster) -> Ask:
    """The API server's own answer, with all that takes part in admission there. Raises ApiError where it gives none."""

    def ask(pod: Json) -> Answer:
        path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
        try:
            return Answer(proxy(cluster.dry_create(path, pod)))
        except ApiError as problem:
            refused = refusal(problem.why)
            if refused.by is By.OTHER and (problem.status in {401, *_AWAY} or "cannot create resource" in problem.why):
                raise  # it says nothing about the pod
            return Answer(refusal=refused)

    return ask


def by_rehearsal(cluster: Cluster, injector: Injector) -> Ask:
    """What one istiod would answer the API server; whether the API server would ask it plays no part."""
    service = f"https:{injector.service}:{injector.port}"
    path = f"/api/v1/namespaces/{injector.namespace}/services/{service}/proxy{injector.path}"

    def ask(pod: Json) -> Answer:
        try:
            answer = cluster.ask(path, _review(pod)).get("response") or {}
        except ApiError as problem:
            if problem.status in {403, 404}:
                raise
            return Answer(refusal=Refusal(By.UNREACHABLE, injector.name, problem.why))
        if not answer.get("allowed"):
            why = (answer.get("status") or {}).get("message") or "without saying why"
            return Answer(refusal=Refusal(By.WEBHOOK, injector.name, why))
        try:
            patch = read_json(base64.b64decode(answer.get("patch") or "W10="))
            return Answer(proxy(json_patch.apply(pod, patch)))
        except ValueError as problem:
            return Answer(refusal=Refusal(By.WEBHOOK, injector.name, f"its answer cannot be applied to the pod: {problem}"))

    return ask


def _review(pod: Json) -> Json:
    pods = {"group": "", "version": "v1", "resource": "pods"}
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": str(uuid.uuid4()),
            "kind": kind,
            "resource": pods,
            "requestKind": kind,
            "requestResource": pods,
            "namespace": pod["metadata"]["namespace"],
            "operation": "CREATE",
            "userInfo": {},
            "object": pod,
            "oldObject": None,
            "dryRun": True,
            "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        },
    }


def user(cluster: Cluster) -> str:
    """Who the API server takes us for; Kubernetes tells from 1.28 on."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.ask("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
    except ApiError:
        return "the user of this login"
    return str(answer.get("status", {}).get("userInfo", {}).get("username") or "the user of this login")


class Asking:
    """Asks about many pods, a round at a time, and keeps what was said last. A wait can follow it: nothing here has events."""

    def __init__(self, pods: Sequence[tuple[Subject, Json]], ask: Ask, stale: float, clock: Callable[[], float]) -> None:
        self._pods, self._ask, self._stale, self._clock = pods, ask, stale, clock
        self._since: dict[str, float] = {}
        self._pause = _PAUSE
        self.said: dict[str, Said] = {}
        self.lost: str | None = None
        """Why the API server gave no answer in the last round."""

    def wait(self, seconds: float) -> bool:
        """A round, after a pause: each that is not proved once, some at a time."""
        if self.said:
            time.sleep(min(self._pause, seconds))
            self._pause = min(self._pause * 1.5, _LONGEST)
        self.lost = None
        open_ = [one for one in self._pods if standing(one[0], self.said.get(one[0].path), self._stale) is not Standing.PROVED]
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for (subject, _pod), answer in zip(open_, pool.map(lambda one: self._once(one[1]), open_), strict=True):
                if isinstance(answer, ApiError):
                    self.lost = f"the API server gave no answer ({answer.why})"
                else:
                    self._keep(subject.path, answer)
        return True

    def _keep(self, path: str, answer: Answer) -> None:
        now, last = self._clock(), self.said.get(path)
        if last is None or last.answer != answer:
            self._since[path] = now
            self.said[path] = Said(answer, 1, 0)
        else:
            self.said[path] = Said(answer, last.times + 1, now - self._since[path])

    def _once(self, pod: Json) -> Answer | ApiError:
        try:
            return self._ask(pod)
        except ApiError as problem:
            if problem.status not in _AWAY:
                raise
            return problem
