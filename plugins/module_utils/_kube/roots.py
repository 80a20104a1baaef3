# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roots of certificate authorities, as fingerprints: what is trusted, whatever the text around it looks like."""

from __future__ import annotations

import hashlib
import re

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import text

CONFIGMAP, KEY = "istio-ca-root-cert", "root-cert.pem"
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)


def fingerprints(pem: str) -> frozenset[str]:
    """SHA-256 of each certificate's own text, however its lines are broken. Text that holds none has none."""
    return frozenset(hashlib.sha256("".join(body.split()).encode()).hexdigest() for body in _PEM.findall(pem))


def trusted(cluster: Cluster, namespace: str) -> frozenset[str]:
    """The roots that the sidecars of a namespace trust, as istiod gives them out there; none where it has not."""
    found = cluster.get(f"/api/v1/namespaces/{namespace}/configmaps/{CONFIGMAP}") or {}
    return fingerprints(text(found, "data", KEY))
