# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pods that somebody asks for all the time, while the mesh is changed under them: what a user's own deployments would have met."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from tests.lab.api import ApiProblem, Json
from tests.lab.cluster import Cluster

from .seen import revision

TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    namespace: str
    revision: str | None
    """None for a pod that would have no sidecar."""
    refused: str = ""

    @property
    def good(self) -> bool:
        return self.revision is not None and not self.refused


class Stream:
    """``with Stream(lab, "shop", "pay") as pods: ...``, then ``assert pods.harmed == []``.

    Dry runs, one after the other, through all namespaces in turn.
    """

    def __init__(self, lab: Cluster, *namespaces: str, labels: Mapping[str, str] | None = None) -> None:
        self._lab, self._namespaces, self._pod = lab, namespaces, _pod(labels or {})
        self._answers: list[Answer] = []
        self._more = threading.Condition()
        self._over = False
        self._broken: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> t.Self:
        """On return each namespace has answered once: whatever happens now is seen."""
        self._thread.start()
        self._until(lambda answers: len(answers) >= len(self._namespaces), 0, "the first pods")
        return self

    def __exit__(self, *_ignored: object) -> None:
        self._over = True
        self._thread.join(TIMEOUT)
        if self._broken:
            raise self._broken

    @property
    def harmed(self) -> list[Answer]:
        """Pods that were refused or would have had no sidecar; the test says what it wants to see of them: none."""
        with self._more:
            return [answer for answer in self._answers if not answer.good]

    def revisions(self, namespace: str) -> set[str | None]:
        """All that pods of this namespace got so far."""
        with self._more:
            return {answer.revision for answer in self._answers if answer.namespace == namespace}

    def last(self, namespace: str) -> str | None:
        with self._more:
            return next(answer.revision for answer in reversed(self._answers) if answer.namespace == namespace)

    def wait(self, wanted: str | None, *namespaces: str) -> None:
        """Until in each namespace, or in each of these, a pod that is asked for from now on gets this revision."""
        where = set(namespaces or self._namespaces)
        with self._more:
            start = len(self._answers)

        def met(answers: list[Answer]) -> bool:
            return {answer.namespace for answer in answers if answer.revision == wanted} >= where

        self._until(met, start, f"pods of {wanted} in {', '.join(where)}")

    def _until(self, met: t.Callable[[list[Answer]], bool], start: int, what: str) -> None:
        with self._more:
            came = self._more.wait_for(lambda: self._broken or met(self._answers[start:]), TIMEOUT)
            assert came, f"waited {TIMEOUT:.0f} s for {what}; last: {self._answers[-3:]}"
        if self._broken:
            raise self._broken

    def _run(self) -> None:
        try:
            while not self._over:
                for namespace in self._namespaces:
                    self._note(self._ask(namespace))
        except BaseException as problem:  # seen by whoever waits, not lost with this thread
            with self._more:
                self._broken = problem
                self._more.notify_all()

    def _note(self, answer: Answer) -> None:
        with self._more:
            self._answers.append(answer)
            self._more.notify_all()

    def _ask(self, namespace: str) -> Answer:
        try:
            pod = self._lab.api.post(f"/api/v1/namespaces/{namespace}/pods", self._pod, dryRun="All")
        except ApiProblem as problem:
            return Answer(namespace, None, str(problem))
        return Answer(namespace, revision(pod))


def _pod(labels: Mapping[str, str]) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "stream-", "labels": dict(labels)},
        "spec": {"containers": [{"name": "app", "image": "registry.example.com/app:1.0"}]},
    }
