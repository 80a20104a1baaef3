# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A list of the API server that is kept up to date."""

from __future__ import annotations

import threading

from ..api import Api, Json


class Mirror:
    """Complete from the start: an answer from half a list would be a wrong one."""

    def __init__(self, api: Api, path: str) -> None:
        self._listing = api.get(path)
        self._objects = {item["metadata"]["name"]: item for item in self._listing["items"]}
        self._lock = threading.Lock()
        threading.Thread(target=self._follow, args=(api, path), daemon=True).start()

    def objects(self) -> list[Json]:
        with self._lock:
            return list(self._objects.values())

    def _follow(self, api: Api, path: str) -> None:
        for event in api.watch(path, since=self._listing):
            name = event["object"]["metadata"]["name"]
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(name, None)
                else:
                    self._objects[name] = event["object"]
