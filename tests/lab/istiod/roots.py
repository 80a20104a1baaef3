# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The root certificate in every namespace, where pods with a sidecar mount it from."""

from __future__ import annotations

from ..api import Api, ApiProblem

NAME, KEY = "istio-ca-root-cert", "root-cert.pem"


def keep_roots(api: Api, certificate: bytes) -> None:
    """All control planes do it, since their root is the same one; whoever comes second finds it there."""
    for event in api.watch("/api/v1/namespaces"):
        namespace = event["object"]
        if event["type"] != "ADDED" or namespace.get("status", {}).get("phase") == "Terminating":
            continue
        content = {"metadata": {"name": NAME, "labels": {"istio.io/config": "true"}}, "data": {KEY: certificate.decode()}}
        try:
            api.post(f"/api/v1/namespaces/{namespace['metadata']['name']}/configmaps", content)
        except ApiProblem as problem:
            if problem.status not in (0, 403, 404, 409):  # there already, or its namespace goes
                raise
