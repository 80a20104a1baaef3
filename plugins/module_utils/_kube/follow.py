# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps the objects of several kinds up to date by watches: one thread a kind, one place where events are applied."""

from __future__ import annotations

import queue
import threading
import typing as t
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._kube.cluster import ApiError, Cluster, Json

_WATCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Kind:
    """Where a kind is listed, and what its JSON becomes."""

    path: str
    parse: Callable[[Json], t.Any]
    selector: str = ""
    """Of labels, as a query has it; empty takes all."""

    @property
    def query(self) -> dict[str, str]:
        return {"labelSelector": self.selector} if self.selector else {}


class Follow:
    """``with Follow(cluster, kinds) as now: now.objects("pods"); now.wait(5)``.

    A watch that breaks is taken up again from a new list, so that an API server that goes away for a while is only a pause.
    """

    def __init__(self, cluster: Cluster, kinds: Mapping[str, Kind]) -> None:
        self._cluster, self._kinds = cluster, kinds
        self._objects: dict[str, dict[str, t.Any]] = {}
        self._events: queue.Queue[tuple[str, Callable[[dict[str, t.Any]], dict[str, t.Any]]]] = queue.Queue()
        self._stop = threading.Event()

    def __enter__(self) -> Follow:
        for name, kind in self._kinds.items():
            items, version = self._cluster.list_at(kind.path, **kind.query)
            self._objects[name] = {item["metadata"]["uid"]: kind.parse(item) for item in items}
            threading.Thread(target=self._watch, args=(name, kind, version), daemon=True).start()
        return self

    def __exit__(self, *_ignored: object) -> None:
        self._stop.set()

    def objects(self, name: str) -> tuple[t.Any, ...]:
        return tuple(self._objects[name].values())

    def wait(self, seconds: float) -> bool:
        """Blocks until something changed, at most so long; applies all that has come. False: nothing came."""
        try:
            name, change = self._events.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            return False
        while True:
            self._objects[name] = change(self._objects[name])
            try:
                name, change = self._events.get_nowait()
            except queue.Empty:
                return True

    def _watch(self, name: str, kind: Kind, version: str) -> None:
        """Until the end of the block. What cannot pass is raised where somebody waits, not lost with this thread."""
        while not self._stop.is_set():
            try:
                version = self._follow_once(name, kind, version) or self._list_again(name, kind)
            except ApiError as problem:
                if problem.status in (401, 403, 404):
                    self._events.put((name, _raising(problem)))
                    return
                self._stop.wait(1)
                version = ""
            except (KeyError, TypeError, ValueError) as problem:
                self._events.put((name, _raising(problem)))
                return

    def _follow_once(self, name: str, kind: Kind, version: str) -> str:
        """Follows one watch to its end; the version to go on from, empty where a new list is needed."""
        if not version:
            return ""
        for event in self._cluster.watch(kind.path, version, seconds=_WATCH_SECONDS, **kind.query):
            if self._stop.is_set() or event["type"] == "ERROR":
                return ""
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._events.put((name, _change(event["type"], event["object"], kind)))
        return version

    def _list_again(self, name: str, kind: Kind) -> str:
        if self._stop.is_set():
            return ""
        items, version = self._cluster.list_at(kind.path, **kind.query)
        fresh = {item["metadata"]["uid"]: kind.parse(item) for item in items}
        self._events.put((name, lambda _old: fresh))
        return version


def _change(event: str, item: Json, kind: Kind) -> Callable[[dict[str, t.Any]], dict[str, t.Any]]:
    uid = item["metadata"]["uid"]
    if event == "DELETED":
        return lambda old: {key: value for key, value in old.items() if key != uid}
    parsed = kind.parse(item)
    return lambda old: old | {uid: parsed}


def _raising(problem: Exception) -> Callable[[dict[str, t.Any]], dict[str, t.Any]]:
    def change(_old: dict[str, t.Any]) -> dict[str, t.Any]:
        raise problem

    return change
