# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives a wait: the step is pure and says how far it is, this file owns watch, clock and progress line."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.meshops.istio.plugins.module_utils._kube.follow import Follow
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context

HEARTBEAT = 30.0
GRACE = 60.0
"""Seconds that something may fail and still come right by itself."""


class Late(MeshError):
    """What was waited for did not come in time."""

    kind = "timeout"


def wait_until(what: str, follow: Follow, step: Callable[[], Progress], context: Context, timeout: float) -> None:
    """Returns when the step is finished; raises its fatal error at once, a failing one after the grace time."""
    start = context.clock()
    said, said_at, failing_since = "", start, 0.0
    while True:
        progress = step()
        now = context.clock()
        if progress.fatal:
            raise progress.fatal
        if progress.finished:
            return
        failing_since = (failing_since or now) if progress.failing else 0.0
        if progress.failing and now - failing_since > GRACE:
            raise progress.failing
        line = _line(what, progress)
        if line != said or now - said_at >= HEARTBEAT:
            context.say(line)
            said, said_at = line, now
        left = timeout - (now - start)
        if left <= 0:
            raise progress.failing or Late(
                f"{what} took longer than {timeout:.0f} seconds.",
                where="; ".join(progress.waiting[:5]),
                do="look at what is waited for, then start the same command again: it goes on where it was",
            )
        follow.wait(min(left, HEARTBEAT))


def _line(what: str, progress: Progress) -> str:
    waiting = progress.waiting
    more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    return f"{what}: {progress.done} of {progress.total}" + (f", waiting for {'; '.join(waiting[:3])}{more}" if waiting else "")
