# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A namespace that is made for one question, and removed again."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterable, Iterator

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.namespaces import PATH, parse
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import SCRATCH, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.revision import REVISION

PREFIX = "meshops-probe-"


def left(namespaces: Iterable[Namespace]) -> tuple[Namespace, ...]:
    """Those that a run which was killed could not remove: by our name and our label."""
    return tuple(n for n in namespaces if n.name.startswith(PREFIX) and SCRATCH in n.labels and not n.deleting)


def remove(cluster: Cluster, namespace: Namespace) -> None:
    cluster.delete(f"{PATH}/{namespace.name}", uid=namespace.uid)


@contextlib.contextmanager
def scratch(cluster: Cluster, revision: str) -> Iterator[Namespace]:
    """One that asks for a revision. Its Pod Security level lets any pod in: the question is about injection alone."""
    labels = {REVISION: revision, SCRATCH: "injection-probe", "pod-security.kubernetes.io/enforce": "privileged"}
    name = f"{PREFIX}{secrets.token_hex(3)}"
    made = parse(cluster.create(PATH, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
    try:
        yield made
    finally:
        remove(cluster, made)
