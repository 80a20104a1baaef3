# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the objects of several kinds up to date by watches: one thread a kind, one place where events are applied."""

from __future__ import annotations

import queue
import threading
import time
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json, Watch
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import uid_of

_WATCH_SECONDS = 60
_PAUSE = 1.0
"""Seconds before a watch that did not last is taken up again, so that one which never lasts is no hot loop."""
_LOST_SECONDS = 5.0
"""A connection that is back by then was not lost: proxies cut watches, API servers restart."""
_JOIN_SECONDS = 1.0

Objects = dict[str, t.Any]
Change = Callable[[Objects], object]


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind is listed, and what its JSON becomes."""

    path: str
    parse: Callable[[Json], t.Any]
    selector: str = ""
    """Of labels, as a query has it; empty takes all."""
    fields: str = ""
    """Of fields, in the same way."""

    @property
    def query(self) -> dict[str, str]:
        return {name: value for name, value in (("labelSelector", self.selector), ("fieldSelector", self.fields)) if value}


@dataclass(frozen=True, slots=True)
class _Lost:
    since: float
    text: str


class Follow:
    """``with Follow(cluster, kinds) as now: now.objects("pods"); now.wait(5)``.

    A watch that breaks is taken up again from a new list, so that an API server that goes away for a while is only a pause.
    """

    def __init__(self, cluster: Cluster, kinds: Mapping[str, Kind]) -> None:
        self._cluster, self._kinds = cluster, kinds
        self._objects: dict[str, Objects] = {}
        self._events: queue.Queue[tuple[str, Change]] = queue.Queue()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._watches: dict[str, Watch] = {}
        self._lost: dict[str, _Lost] = {}

    def __enter__(self) -> Follow:
        """All lists come before the first thread: one that fails leaves nothing running."""
        versions: dict[str, str] = {}
        for name, kind in self._kinds.items():
            self._objects[name], versions[name] = self._list(kind)
        for name, kind in self._kinds.items():
            self._threads.append(threading.Thread(target=self._watch, args=(name, kind, versions[name]), daemon=True))
            self._threads[-1].start()
        return self

    def __exit__(self, *_ignored: object) -> None:
        self._stop.set()
        for watch in list(self._watches.values()):
            watch.close()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))

    @property
    def lost(self) -> str | None:
        """Since when the API server cannot be reached, and why; None while all watches go on."""
        lost = min(list(self._lost.values()), key=lambda one: one.since, default=None)
        return lost.text if lost and time.monotonic() - lost.since >= _LOST_SECONDS else None

    def objects(self, name: str) -> tuple[t.Any, ...]:
        return tuple(self._objects[name].values())

    def wait(self, seconds: float) -> bool:
        """Blocks until something changed, at most so long; applies all that has come. False: nothing came."""
        try:
            name, change = self._events.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            return False
        while True:
            change(self._objects[name])
            try:
                name, change = self._events.get_nowait()
            except queue.Empty:
                return True

    def _list(self, kind: Kind) -> tuple[Objects, str]:
        found, version = self._cluster.values_at(kind.path, lambda item: (uid_of(item), kind.parse(item)), **kind.query)
        return dict(found), version

    def _watch(self, name: str, kind: Kind, version: str) -> None:
        """Until the end of the block. What cannot pass is raised where somebody waits, not lost with this thread."""
        while not self._stop.is_set():
            try:
                version = self._follow_once(name, kind, version) if version else self._list_again(name, kind)
            except ApiError as problem:
                if problem.status in (401, 403, 404):
                    self._events.put((name, _raising(problem)))
                    return
                self._mark_lost(name, problem)
                self._stop.wait(_PAUSE)
                version = ""
            except Exception as problem:  # the boundary of this thread: nobody sees what is raised beyond it
                self._events.put((name, _raising(problem)))
                return

    def _follow_once(self, name: str, kind: Kind, version: str) -> str:
        """Follows one watch to its end; the version to go on from, empty where a new list is needed."""
        began = time.monotonic()
        watch = self._watches[name] = self._cluster.watch(kind.path, version, seconds=_WATCH_SECONDS, **kind.query)
        self._lost.pop(name, None)
        if self._stop.is_set():  # the block ended while it was opened, and has not seen it
            watch.close()
        for event in watch:
            if self._stop.is_set():
                return ""
            if event["type"] == "ERROR":
                version = ""
                break
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._events.put((name, _change(event["type"], event["object"], kind)))
        if time.monotonic() - began < _WATCH_SECONDS - 1:
            self._stop.wait(_PAUSE)
        return version

    def _list_again(self, name: str, kind: Kind) -> str:
        fresh, version = self._list(kind)
        self._lost.pop(name, None)
        self._events.put((name, _all(fresh)))
        return version

    def _mark_lost(self, name: str, problem: ApiError) -> None:
        """The first time that it fails; what it fails with later says no more."""
        at = time.strftime("%H:%M:%S UTC", time.gmtime())
        self._lost.setdefault(name, _Lost(time.monotonic(), f"the API server cannot be reached since {at} ({problem.why})"))


def _change(event: str, item: Json, kind: Kind) -> Change:
    uid = item["metadata"]["uid"]
    if event == "DELETED":
        return lambda objects: objects.pop(uid, None)
    parsed = kind.parse(item)
    return lambda objects: objects.update({uid: parsed})


def _all(fresh: Objects) -> Change:
    def change(objects: Objects) -> None:
        objects.clear()
        objects.update(fresh)

    return change


def _raising(problem: Exception) -> Change:
    def change(_objects: Objects) -> None:
        raise problem

    return change
