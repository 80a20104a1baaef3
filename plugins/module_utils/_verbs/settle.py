# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asks the API server with dry runs until its answers agree: after a webhook has changed, the first ones may still be those of before.

Nothing can be watched for that: each API server has a cache of its own, and the only way to see it is to ask (2 in 60 were stale).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import Cluster
from ansible_collections.meshops.istio.plugins.module_utils._kube.dry_run import plain_pod, refuses_istio_objects
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.tags import Answer, Place
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late

_AGREEING = 5
"""Answers in a row."""
_PAUSE = 0.1
_ENOUGH, _MOST = 3, 20
"""Places that are asked, of so many that are tried."""


def usable(cluster: Cluster, places: Iterable[Place]) -> Sequence[Place]:
    """The first few in which this user may create pods, and no quota or policy is in the way."""
    found: list[Place] = []
    tried: list[Answer] = []
    for place in places:
        tried.append(plain_pod(cluster, place))
        found += [] if tried[-1].forbidden else [place]
        if len(found) == _ENOUGH or len(tried) == _MOST:
            break
    if not found:
        raise MeshError(
            "It could not be proved that new pods get their sidecars.",
            where="; ".join(answer.place.text for answer in tried)
            or "there is no namespace that follows the tag or says nothing of injection",
            why="; ".join(dict.fromkeys(answer.refused for answer in tried)),
            do="grant this user the right to create pods there (only dry runs are made), or make a namespace without a quota",
        )
    return found


def pods_get(context: Context, places: Sequence[Place], right: Callable[[Answer], bool], wanted: str, seconds: float) -> None:
    """Returns when the pods of all places get what is wanted, several times in a row."""

    def wrong() -> str:
        return "; ".join(answer.text for place in places if not right(answer := plain_pod(context.cluster, place)))

    _agree(context, wrong, f"New pods do not get {wanted}.", seconds)


def accepts_istio_objects(context: Context, namespace: str, seconds: float) -> None:
    def wrong() -> str:
        refusal = refuses_istio_objects(context.cluster, namespace)
        return f"namespace {namespace}: {refusal.why}" if refusal else ""

    _agree(context, wrong, "A VirtualService is refused, which would have been a dry run.", seconds)


def _agree(context: Context, wrong: Callable[[], str], what: str, seconds: float) -> None:
    deadline = context.clock() + seconds
    agreeing = 0
    while agreeing < _AGREEING:
        seen = wrong()
        agreeing = 0 if seen else agreeing + 1
        if seen and context.clock() >= deadline:
            raise Late(what, where=seen, why=f"that was still so after {seconds:.0f} seconds", do="see the logs of istiod, then run again")
        time.sleep(_PAUSE if seen else 0)
