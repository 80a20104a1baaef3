# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two webhooks: an AdmissionReview in, an AdmissionReview out. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from ..api import Json
from .decision import injects
from .native import native
from .patch import Refused, injected, operations
from .settings import Identity, Settings


def inject(review: Json, identity: Identity, settings: Settings, kubelets: Mapping[str, str]) -> Json:
    """A no is an answer without a patch; a pod that can't be injected is refused."""
    request = review["request"]
    pod = request["object"]
    pod["metadata"].setdefault("namespace", request["namespace"])  # the API server leaves it out
    if not injects(identity.version, settings.policy, request["namespace"], pod):
        return _answer(review, allowed=True)
    try:
        after = injected(pod, settings.injection, native=native(pod, identity.version, identity.environment, kubelets))
    except Refused as problem:
        return refused(review, str(problem))
    patch = base64.b64encode(json.dumps(operations(pod, after)).encode()).decode()
    return _answer(review, allowed=True, patch=patch)


def decoded(body: bytes) -> Json:
    """Raises ValueError for what is no review."""
    review = json.loads(body)
    if not isinstance(review, dict) or review.get("kind") != "AdmissionReview" or "request" not in review:
        raise ValueError("it is no AdmissionReview")
    return review


def undecoded(problem: ValueError) -> Json:
    """An answer too, with status 200: it belongs to nobody."""
    return {"response": {"uid": "", "allowed": False, "status": {"message": f"could not decode body: {problem}"}}}


def validate(review: Json) -> Json:
    """Of Istio's rules only two, by which a test can make an object that is refused."""
    subject = review["request"].get("object") or {}
    spec = subject.get("spec") or {}
    problem = None
    match subject.get("kind"):
        case "Gateway" if not spec.get("servers"):
            problem = "gateway must have at least one server"
        case "VirtualService" if not any(spec.get(part) for part in ("http", "tcp", "tls")):
            problem = "http, tcp or tls must be provided in virtual service"
    return _answer(review, allowed=problem is None, message=f"configuration is invalid: {problem}" if problem else "")


def refused(review: Json, message: str) -> Json:
    return _answer(review, allowed=False, message=message)


def is_patched(review: Json) -> bool:
    return "patch" in review["response"]


def is_refused(review: Json) -> bool:
    return not review["response"]["allowed"]


def _answer(review: Json, *, allowed: bool, message: str = "", patch: str = "") -> Json:
    response: Json = {"uid": review["request"]["uid"], "allowed": allowed}
    if message:
        response["status"] = {"message": message}
    if patch:
        response |= {"patchType": "JSONPatch", "patch": patch}
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}
