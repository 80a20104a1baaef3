# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives a wait: the step is pure and says how far it is, this file owns watch, clock and progress line."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context

HEARTBEAT = 30.0
SAY_EVERY = 2.0
"""Seconds between two lines: of what changes faster only the latest is worth a line."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    timeout: float
    """Without progress: each thing more that is done, or less that is left, begins it anew."""
    grace: float
    """How long something may fail and still come right by itself: a crash loop, a quota, no node yet."""

    @classmethod
    def of(cls, params: Mapping[str, t.Any]) -> Patience:
        for name in ("wait_timeout", "grace_time"):
            if params[name] < 0:
                raise MeshError(f"{name} cannot be negative.", where=f"{name}: {params[name]}", do="give seconds, for example 600")
        return cls(params["wait_timeout"], params["grace_time"])


class Followed(t.Protocol):
    """What tells that something changed: watches, or for what has none to watch, a question that is asked again."""

    @property
    def lost(self) -> str | None: ...

    def wait(self, seconds: float) -> bool: ...


class Late(MeshError):
    """What was waited for did not come in time."""

    kind = "timeout"


def wait_until(what: str, follow: Followed, step: Callable[[], Progress], context: Context, patience: Patience) -> Progress:
    """Returns when the step is finished; raises its fatal error at once, a failing one after the grace time.

    What is borne has the grace time to come right, from when nothing else is left and each time that it gets further.
    """
    start = context.clock()
    most, got_further = (0, 0), 0.0
    least: int | None = None
    said, said_at = "", -SAY_EVERY
    failing_since: float | None = None
    borne_since: float | None = None
    while True:
        progress = step()
        now = context.clock() - start
        if progress.fatal:
            raise progress.fatal
        if progress.finished:
            return progress
        least = progress.left if least is None else least
        if (progress.done, progress.pods) > most or progress.left < least:
            most, least, got_further = (progress.done, progress.pods), min(progress.left, least), now
        failing_since = None if progress.failing is None else now if failing_since is None else failing_since
        borne_since = None if not progress.only_borne else now if borne_since is None else max(borne_since, got_further)
        patient_until = got_further + patience.timeout
        if borne_since is not None:
            patient_until = min(patient_until, borne_since + patience.grace)
        if failing_since is not None:
            patient_until = min(patient_until, failing_since + patience.grace)
        if now >= patient_until and borne_since is not None:
            return progress
        if now >= patient_until:
            raise progress.failing or _late(what, progress, patience, follow.lost)
        line = _line(what, progress, follow.lost)
        if now - said_at >= (HEARTBEAT if line == said else SAY_EVERY):
            context.say(line)
            said, said_at = line, now
        follow.wait(min(patient_until - now, HEARTBEAT if progress.again is None else progress.again))


def _late(what: str, progress: Progress, patience: Patience, lost: str | None) -> Late:
    return Late(
        f"Waiting for the {what}: nothing got further for {count(int(patience.timeout), 'second')}.",
        where="; ".join(progress.waiting[:5]),
        why=lost or "",
        do="look at what is waited for, then start the same command again: it goes on where it was",
    )


def _line(what: str, progress: Progress, lost: str | None) -> str:
    waiting = progress.waiting
    more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
    for_what = f", waiting for {'; '.join(waiting[:3])}{more}" if waiting else ""
    return f"{what}: {progress.done} of {progress.total} done{for_what}{f'; {lost}' if lost else ''}"
