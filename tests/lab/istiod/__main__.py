# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m tests.lab.istiod``: the process behind one pod of a control plane. It ends when its stdin does."""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import traceback
from collections import Counter
from pathlib import Path

from ..api import Api, Json
from . import admission, settings
from .certificates import Authority, authority
from .connected import connected
from .faults import faulty, presented
from .metrics import Metrics
from .mirror import Mirror
from .roots import keep_roots
from .server import UNAUTHORIZED, Answer, serve
from .settings import Identity, Settings
from .webhooks import Webhooks


class Istiod:
    """What one pod knows and answers."""

    def __init__(self, api: Api, identity: Identity) -> None:
        self._api, self._identity = api, identity
        self.metrics = Metrics()
        self._nodes = Mirror(api, "/api/v1/nodes")
        self._settings: Settings = settings.read(api, identity)

    def follow_settings(self) -> None:
        for content in settings.changes(self._api, self._identity):
            self._settings = content

    def inject(self, body: bytes) -> Answer:
        kubelets = {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in self._nodes.objects()}
        self.metrics.count("sidecar_injection_requests_total")
        try:
            review = admission.decoded(body)
        except ValueError as problem:
            self.metrics.count("sidecar_injection_failure_total")
            return Answer.json(admission.undecoded(problem))
        answer = admission.inject(review, self._identity, self._settings, kubelets)
        if admission.is_refused(answer):
            self.metrics.count("sidecar_injection_failure_total")
        else:
            self.metrics.count(f"sidecar_injection_{'success' if admission.is_patched(answer) else 'skip'}_total")
        return Answer.json(answer)

    def validate(self, body: bytes) -> Answer:
        return Answer.json(admission.validate(json.loads(body)))

    def ready(self, _body: bytes) -> Answer:
        return Answer()

    def version(self, _body: bytes) -> Answer:
        return Answer(f"{self._identity.version}-local-Clean".encode())

    def shown_metrics(self, _body: bytes) -> Answer:
        versions = Counter(str(one["istio_version"]) for one in self._connected())
        return Answer(self.metrics.text(self._identity.version, versions).encode())

    def syncz(self, _body: bytes) -> Answer:
        return Answer.json(self._connected())

    def refused(self, _body: bytes) -> Answer:
        """A real one answers only who comes over loopback, or brings a token: the API server's proxy does neither."""
        return UNAUTHORIZED

    def _connected(self) -> list[Json]:
        me = self._identity
        planes = self._api.get(f"/api/v1/namespaces/{me.namespace}/pods", labelSelector=f"app=istiod,istio.io/rev={me.revision}")["items"]
        replicas = sorted(one["metadata"]["name"] for one in planes if _ready(one))
        pods = self._api.get("/api/v1/pods", fieldSelector="status.phase=Running")["items"]
        return connected(pods, me.revision, me.pod, replicas, me.environment.get("CLUSTER_ID", "Kubernetes"))


def start(api: Api, namespace: str, pod: str) -> dict[str, int]:
    """Serves from here on, and returns the local port of each; ``loopback`` is what only a command inside the pod could reach."""
    identity = Identity.of(api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}"))
    root: Authority = authority(api, namespace)
    istiod = Istiod(api, identity)
    webhooks = Webhooks(api, identity, root.bundle, istiod.metrics)
    hooks = {"/inject/*": faulty(identity.fault, istiod.inject), "/validate/*": faulty(identity.fault, istiod.validate)}
    ports = {
        "15017": serve({**hooks, "/ready": istiod.ready}, presented(identity.fault, root).server_context(identity.hosts)),
        "15014": serve({"/version": istiod.version, "/metrics": istiod.shown_metrics, "/debug/syncz": istiod.refused}),
        "8080": serve({"/ready": istiod.ready, "/debug/syncz": istiod.refused}),
        "loopback": serve({"/version": istiod.version, "/metrics": istiod.shown_metrics, "/debug/syncz": istiod.syncz}),
    }
    work = (istiod.follow_settings, webhooks.keep_injectors, webhooks.keep_validators, lambda: keep_roots(api, root.certificate))
    for one in work:
        threading.Thread(target=one, daemon=True).start()
    return ports


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--pod", required=True)
    options = parser.parse_args()
    threading.excepthook = _give_up
    print(json.dumps(start(Api(options.kubeconfig), options.namespace, options.pod)), flush=True)
    sys.stdin.read()


def _give_up(problem: threading.ExceptHookArgs) -> None:
    """Half an istiod would be worse than none: it is started again."""
    traceback.print_exception(problem.exc_type, problem.exc_value, problem.exc_traceback)
    os._exit(1)


def _ready(pod: Json) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod.get("status", {}).get("conditions", ()))


if __name__ == "__main__":
    main()
