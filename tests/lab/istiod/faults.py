# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane does wrong when its pod's annotation ``lab.meshops.io/fault`` asks for it. It is Ready all the same."""

from __future__ import annotations

import json
import time

from .admission import refused
from .certificates import Authority
from .server import Answer, Route

REFUSES, FAILS, SLOW_ANSWER, WRONG_CERTIFICATE = "refuses", "error-500", "slow-answer", "wrong-certificate"
REFUSAL = "no pod is let in by this control plane"
SLOW_ANSWER_SECONDS = 11  # an API server waits for 10


def faulty(fault: str, route: Route) -> Route:
    """A webhook's route as the fault has it."""

    def refuse(body: bytes) -> Answer:
        return Answer.json(refused(json.loads(body), REFUSAL))

    def fail(_body: bytes) -> Answer:
        return Answer(b"injection failed\n", 500)

    def wait(body: bytes) -> Answer:
        time.sleep(SLOW_ANSWER_SECONDS)
        return route(body)

    return {REFUSES: refuse, FAILS: fail, SLOW_ANSWER: wait}.get(fault, route)


def presented(fault: str, root: Authority) -> Authority:
    """Whose certificate the webhooks show; that of a stranger is in nobody's caBundle."""
    return Authority.new() if fault == WRONG_CERTIFICATE else root
