# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users who may not do everything."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.lab import istioctl
from tests.lab.cluster import Cluster

from .tool import Facts, until

REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@contextlib.contextmanager
def with_verbs(lab: Cluster, user: str, *verbs: str) -> Iterator[Facts]:
    """The user may do just these, on everything: the options of a login that is not among the administrators."""
    kind = {"apiGroup": "rbac.authorization.k8s.io", "name": user}
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": list(verbs)}]
    lab.api.post(f"{istioctl.RIGHTS}/clusterroles", {"metadata": {"name": user}, "rules": rules})
    binding = {"metadata": {"name": user}, "roleRef": {**kind, "kind": "ClusterRole"}, "subjects": [{**kind, "kind": "User"}]}
    lab.api.post(f"{istioctl.RIGHTS}/clusterrolebindings", binding)
    may = {"spec": {"user": user, "resourceAttributes": {"verb": verbs[0], "resource": "namespaces"}}}
    until(lambda: bool(lab.api.post(REVIEWS, may)["status"]["allowed"]), f"the right to {verbs[0]}")
    try:
        yield {"impersonate_groups": ["nobody"]}
    finally:
        for folder in ("clusterroles", "clusterrolebindings"):
            lab.api.delete(f"{istioctl.RIGHTS}/{folder}/{user}")
