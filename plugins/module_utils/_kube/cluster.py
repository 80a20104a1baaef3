# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The port to one cluster: static paths in, JSON out. It alone speaks HTTP.

Requests go through the client's urllib3 pool with credentials of ``kubernetes.config``: the typed APIs cost 0.4 s at the
first touch, and ``rest_client.request`` changed its signature in client 37 and cannot stream.
"""

from __future__ import annotations

import json
import time
import typing as t
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import urllib3
from ansible_collections.meshops.istio.plugins.module_utils._kube.auth import connection
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError

FIELD_MANAGER = "meshops"
PAGE = 500
_TIMEOUT = urllib3.Timeout(connect=10, read=60)
_PAUSES = (0.2, 0.5, 1.0, 2.0)
"""Seconds before each further try of a read."""

Json = dict[str, t.Any]


class ApiError(MeshError):
    """What the API server answered instead of doing it."""

    kind = "api"

    def __init__(self, status: int, reason: str, message: str, method: str, path: str) -> None:
        super().__init__(
            "The API server refused the request." if status else "The API server cannot be reached.",
            where=f"{method} {path}",
            why=message,
            do=_advice(status),
        )
        self.status, self.reason = status, reason


def _advice(status: int) -> str:
    return {
        0: "check the address in the kubeconfig, the network and the certificates; a run can simply be started again",
        401: "the credentials are not accepted: log in again, or correct the token",
        403: "grant this user the right that the message names, or use another user",
        409: "somebody else changed the object meanwhile: run again",
    }.get(status, "")


class Cluster:
    """One cluster. ``dry_run`` turns every write into a server-side dry run, so that check mode takes the same path."""

    def __init__(self, params: Mapping[str, t.Any], *, dry_run: bool) -> None:
        self._client = connection(params)
        self._settings = self._client.configuration
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._impersonate = _impersonation(params)
        self.dry_run = dry_run
        self.host: str = self._settings.host
        if params["cluster_uid"]:
            self._pin(params["cluster_uid"])

    def _pin(self, wanted: str) -> None:
        found = (self.get("/api/v1/namespaces/kube-system") or {}).get("metadata", {}).get("uid")
        if found != wanted:
            raise MeshError(
                "This is another cluster than the one that was meant.",
                where=self.host,
                why=f"the UID of its namespace kube-system is {found}, cluster_uid says {wanted}",
                do="correct the kubeconfig or context of this host, or its cluster_uid",
            )

    def get(self, path: str) -> Json | None:
        """One object; None where it does not exist."""
        try:
            return self._read(path)
        except ApiError as problem:
            if problem.status == 404:
                return None
            raise

    def items(self, path: str, **query: str) -> Iterator[Json]:
        """All items of a list, a page at a time. A kind that the server does not know is an empty list."""
        return iter(self.list_at(path, **query)[0])

    def list_at(self, path: str, **query: str) -> tuple[list[Json], str]:
        """All items, and the version to watch from."""
        items: list[Json] = []
        token = ""
        while True:
            page = self._read(path, limit=str(PAGE), **query, **({"continue": token} if token else {}))
            items += page.get("items") or []
            token = page["metadata"].get("continue") or ""
            if not token:
                return items, page["metadata"]["resourceVersion"]

    def create(self, path: str, body: Json) -> Json:
        return self._json("POST", path, body, "application/json", self._write_query())

    def ask(self, path: str, body: Json) -> Json:
        """A POST that is a question and stores nothing (access reviews)."""
        return self._json("POST", path, body, "application/json", {})

    def merge(self, path: str, patch: Mapping[str, object]) -> Json:
        return self._json("PATCH", path, patch, "application/merge-patch+json", self._write_query())

    def strategic(self, path: str, patch: Mapping[str, object]) -> Json:
        return self._json("PATCH", path, patch, "application/strategic-merge-patch+json", self._write_query())

    def watch(self, path: str, version: str, *, seconds: int) -> Iterator[Json]:
        """Events from a version on, for at most that many seconds. A version that is too old ends in an ERROR event or 410."""
        query = {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        response = self._send("GET", path, None, "", query, urllib3.Timeout(connect=10, read=seconds + 15))
        try:
            rest = b""
            for chunk in response.stream(65536, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        except urllib3.exceptions.HTTPError as problem:
            raise ApiError(0, "", str(problem), "WATCH", path) from problem
        finally:
            response.close()

    def _write_query(self) -> dict[str, str]:
        return {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if self.dry_run else {})

    def _read(self, path: str, **query: str) -> Json:
        """A read may be tried again; a write never is, since it may have been done."""
        for pause in _PAUSES:
            try:
                return self._json("GET", path, None, "", query)
            except ApiError as problem:
                if problem.status not in (0, 429, 500, 502, 503, 504):
                    raise
            time.sleep(pause)
        return self._json("GET", path, None, "", query)

    def _json(self, method: str, path: str, body: object, content: str, query: Mapping[str, str]) -> Json:
        response = self._send(method, path, body, content, query, _TIMEOUT)
        try:
            answer: Json = json.loads(response.read())
        except (ValueError, urllib3.exceptions.HTTPError) as problem:
            raise ApiError(0, "", f"the answer cannot be read: {problem}", method, path) from problem
        finally:
            response.release_conn()
        return answer

    def _send(
        self, method: str, path: str, body: object, content: str, query: Mapping[str, str], timeout: urllib3.Timeout
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", **self._impersonate, **self._credentials()}
        if content:
            headers["Content-Type"] = content
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=False,
                retries=False,
                timeout=timeout,
            )
        except urllib3.exceptions.HTTPError as problem:
            raise ApiError(0, "", str(problem), method, path) from problem
        if response.status >= 400:
            raise _refusal(response, method, path)
        return response

    def _credentials(self) -> dict[str, str]:
        """Asked at each request: ``auth_settings`` renews tokens that expire."""
        settings = self._settings.auth_settings().values()
        return {setting["key"]: setting["value"] for setting in settings if setting["in"] == "header" and setting["value"]}


def _impersonation(params: Mapping[str, t.Any]) -> dict[str, str]:
    user = {"Impersonate-User": params["impersonate_user"]} if params["impersonate_user"] else {}
    groups = {"Impersonate-Group": ",".join(params["impersonate_groups"])} if params["impersonate_groups"] else {}
    return user | groups


def _refusal(response: urllib3.BaseHTTPResponse, method: str, path: str) -> ApiError:
    text = response.read().decode(errors="replace")
    response.release_conn()
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    return ApiError(response.status, str(status.get("reason") or ""), str(status.get("message") or text[:300]), method, path)
