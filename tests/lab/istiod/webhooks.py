# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in's own certificate authority in every webhook configuration that carries its revision, those of tags included.

As real ones do it: found by the label ``istio.io/rev`` and the entries' names, written as a whole, and again whenever it was changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread

from ..api import Api, ApiProblem, Json
from .metrics import Metrics
from .selectors import ENTRY_SUFFIX, REVISION
from .settings import Identity

GROUP = "/apis/admissionregistration.k8s.io/v1"
MUTATING, VALIDATING = f"{GROUP}/mutatingwebhookconfigurations", f"{GROUP}/validatingwebhookconfigurations"
MANAGER = "pilot-discovery"
SWITCH = "INJECTION_WEBHOOK_CONFIG_NAME"
SOON, LATER = 0.3, 5.0  # seconds between two looks at whether the validator works

Change = Callable[[Json], None]


class Webhooks:
    def __init__(self, api: Api, identity: Identity, bundle: str, metrics: Metrics) -> None:
        self._api, self._identity, self._bundle, self._metrics = api, identity, bundle, metrics
        self._labels = f"{REVISION}={identity.revision}"
        self._insisting: dict[str, Thread] = {}

    def keep_injectors(self) -> None:
        """Does nothing where the variable that names the configuration is set to nothing: a control plane that never fills it in."""
        if self._identity.environment.get(SWITCH, "as rendered"):
            for event in self._api.watch(MUTATING, labelSelector=self._labels):
                if event["type"] != "DELETED":
                    self._update(f"{MUTATING}/{event['object']['metadata']['name']}", self._trust_injector)

    def keep_validators(self) -> None:
        for event in self._api.watch(VALIDATING, labelSelector=self._labels):
            if event["type"] != "DELETED":
                path = f"{VALIDATING}/{event['object']['metadata']['name']}"
                self._update(path, self._trust)
                running = self._insisting.get(path)
                if _lenient(event["object"]) and not (running and running.is_alive()):
                    self._insisting[path] = Thread(target=self._insist, args=(path,), daemon=True)
                    self._insisting[path].start()

    def _insist(self, path: str) -> None:
        """Failures count from the moment at which nonsense is really refused: until then a validator that is not reached harms nobody."""
        pause = SOON
        while (there := self._ours(path)) and _lenient(there):
            if self._refuses_nonsense():
                self._update(path, _fail)
                return
            time.sleep(pause)
            pause = min(pause * 1.3, LATER)

    def _refuses_nonsense(self) -> bool:
        gateway = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "Gateway",
            "metadata": {"generateName": "invalid-", "labels": {REVISION: self._identity.revision}},
            "spec": {},
        }
        try:
            self._api.post(f"/apis/networking.istio.io/v1/namespaces/{self._identity.namespace}/gateways", gateway, dryRun="All")
        except ApiProblem as problem:
            return "denied the request" in problem.message
        return False

    def _update(self, path: str, change: Change) -> None:
        while there := self._ours(path):
            before = [dict(entry, clientConfig=dict(entry["clientConfig"])) for entry in there.get("webhooks") or ()]
            for entry in there.get("webhooks") or ():
                change(entry)
            if there.get("webhooks", []) == before:
                return
            try:
                self._metrics.count("webhook_patch_attempts_total")
                self._api.put(path, there, fieldManager=MANAGER)
                return
            except ApiProblem as problem:
                if problem.status not in (0, 404, 409):
                    raise
                time.sleep(0.05)

    def _ours(self, path: str) -> Json | None:
        """None for one that has gone, or was given to another revision."""
        try:
            there = self._api.get(path)
        except ApiProblem as problem:
            if problem.status == 404:
                return None
            raise
        return there if there["metadata"].get("labels", {}).get(REVISION) == self._identity.revision else None

    def _trust_injector(self, entry: Json) -> None:
        if entry["name"].endswith(ENTRY_SUFFIX):
            self._trust(entry)

    def _trust(self, entry: Json) -> None:
        entry["clientConfig"]["caBundle"] = self._bundle


def _fail(entry: Json) -> None:
    entry["failurePolicy"] = "Fail"


def _lenient(configuration: Json) -> bool:
    return any(entry.get("failurePolicy") == "Ignore" for entry in configuration.get("webhooks") or ())
