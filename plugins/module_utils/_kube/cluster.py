# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The port to one cluster: static paths in, JSON out. It alone speaks HTTP.

Requests go through the client's urllib3 pool with credentials of ``kubernetes.config``: the typed APIs cost 0.4 s at the
first touch, and ``rest_client.request`` changed its signature in client 37 and cannot stream.
"""

from __future__ import annotations

import contextlib
import copy
import json
import time
import typing as t
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlencode

with contextlib.suppress(ImportError):  # comes with kubernetes, whose absence is told when a verb runs
    import urllib3

from ansible_collections.meshops.istio.plugins.module_utils._kube.auth import connection, sendable
from ansible_collections.meshops.istio.plugins.module_utils._kube.json_values import Unreadable, text
from ansible_collections.meshops.istio.plugins.module_utils._kube.kubeconfig import kubeconfig_file
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.json_text import read_json

FIELD_MANAGER = "meshops"
PAGE = 500
_CONNECT_SECONDS, _READ_SECONDS = 10, 60
_PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each further try: an API server that restarts is back within them."""
_LONGEST_PAUSE = 10.0
_PASSING = frozenset({0, 429, 500, 502, 503, 504})
_NOT_DONE = frozenset({429})
"""After these a request may be sent again whatever it asks: it was turned away before anything was done."""
_LISTS = 3
"""How often a list is begun whose ``continue`` runs out (410): the API server keeps a version for 5 minutes."""

_WHOLE = "application/json"
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Json = dict[str, t.Any]
Found = t.TypeVar("Found")
Value = t.TypeVar("Value")


class ApiError(MeshError):
    """What the API server answered instead of doing it."""

    kind = "api"

    def __init__(self, status: int, reason: str, message: str, method: str, path: str, retry_after: float = 0) -> None:
        super().__init__(
            _WHAT.get(status, "The API server refused the request."),
            where=f"{method} {path}",
            why=message,
            do=_advice(status),
        )
        self.status, self.reason, self.retry_after = status, reason, retry_after


def unless_forbidden(read: Callable[[], Found]) -> Found | None:
    """For who only tells what there is: None for what this user may not see (403). Any other problem is one."""
    try:
        return read()
    except ApiError as problem:
        if problem.status != 403:
            raise
        return None


_WHAT = {0: "The API server cannot be reached.", 429: "The API server has too much to do."}


def _advice(status: int) -> str:
    return {
        0: "check the address in the kubeconfig, the network and the certificates; a run can simply be started again",
        401: "the credentials are not accepted: log in again, or correct the token",
        403: "grant this user the right that the message names, or use another user",
        429: "it is overloaded, or limits this user (kubectl get flowschemas): run again later",
        409: "somebody else changed the object meanwhile: run again",
    }.get(status, "")


class Cluster:
    """One cluster. ``dry_run`` turns every write into a server-side dry run, so that check mode takes the same path."""

    def __init__(self, params: Mapping[str, t.Any], *, dry_run: bool) -> None:
        self._client = connection(params)
        self.settings = self._client.configuration
        self._pool: urllib3.PoolManager = self._client.rest_client.pool_manager
        self._user: str | None = params["impersonate_user"]
        self._groups: tuple[str, ...] = tuple(params["impersonate_groups"] or ())
        self._accept = _WHOLE
        self.dry_run = dry_run
        self.host: str = self.settings.host
        if params["cluster_uid"]:
            self._pin(params["cluster_uid"])

    def uid(self) -> str:
        """What tells this cluster from any other: the UID of its namespace kube-system."""
        found = self.get("/api/v1/namespaces/kube-system") or {}
        return str(found.get("metadata", {}).get("uid", ""))

    def kubeconfig(self) -> contextlib.AbstractContextManager[str]:
        """A file with the same login, for programs beside us."""
        return kubeconfig_file(self.settings, self._user, self._groups)

    def login(self) -> list[str]:
        """The headers of a request, a line each: for what is not one of these requests."""
        return [f"{name}: {value}" for name, value in self._headers("").items() if name != "Accept"]

    def _pin(self, wanted: str) -> None:
        found = self.uid()
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

    def text(self, path: str) -> str:
        """What something behind the API server's proxy answers."""
        response = self._send("GET", path, None, "", {}, _READ_SECONDS)
        try:
            return response.read().decode(errors="replace")
        except (OSError, urllib3.exceptions.HTTPError) as problem:
            raise ApiError(0, "", f"the answer broke off: {problem}", "GET", path) from problem
        finally:
            response.release_conn()

    def items(self, path: str, **query: str) -> Iterator[Json]:
        """All items of a list, for what is few: all of their JSON is held at once."""
        return iter(self.values(path, _as_it_is, **query))

    def metadata_alone(self) -> Cluster:
        """The same cluster, whose lists hold each object's metadata alone: the API server leaves out the rest, a Secret's data too."""
        other = copy.copy(self)
        other._accept = _METADATA
        return other

    def values(self, path: str, parse: Callable[[Json], Value], **query: str) -> list[Value]:
        """What becomes of each item of a list. A page is parsed and dropped before the next one is asked for."""
        return self.values_at(path, parse, **query)[0]

    def values_at(self, path: str, parse: Callable[[Json], Value], **query: str) -> tuple[list[Value], str]:
        """The same, and the version to watch from. A list that runs out half way is begun anew, so that nothing is in it twice."""
        for _turn in range(_LISTS - 1):
            try:
                return self._pages(path, parse, query)
            except ApiError as problem:
                if problem.status != 410:
                    raise
        return self._pages(path, parse, query)

    def _pages(self, path: str, parse: Callable[[Json], Value], query: Mapping[str, str]) -> tuple[list[Value], str]:
        found: list[Value] = []
        token = ""
        while True:
            items, version, token = self._page(path, query, token)
            found += (_parsed(item, parse, path) for item in items)
            del items
            if not token:
                return found, version

    def _page(self, path: str, query: Mapping[str, str], token: str) -> tuple[list[Json], str, str]:
        """Its items, the version of the list, and what the next page is asked for with; empty for the last."""
        page = self._read(path, **query, limit=str(PAGE), **({"continue": token} if token else {}))
        metadata, items = page.get("metadata"), page.get("items") or []
        if not isinstance(metadata, dict) or "resourceVersion" not in metadata or not isinstance(items, list):
            raise ApiError(0, "", "the answer is no list of Kubernetes objects", "GET", path)
        return items, str(metadata["resourceVersion"]), str(metadata.get("continue") or "")

    def create(self, path: str, body: Json, *, patient: bool = True) -> Json:
        """Not ``patient`` is for what 429 is an answer to: an eviction that a PodDisruptionBudget does not allow."""
        passing = _NOT_DONE if patient else frozenset()
        return self._again("POST", path, body, "application/json", self._write_query(), passing=passing)

    def dry_create(self, path: str, body: Json) -> Json:
        """The object as it would be made, by a dry run on the server: nothing is stored, in check mode or not."""
        return self._again("POST", path, body, "application/json", {"fieldManager": FIELD_MANAGER, "dryRun": "All"}, passing=_NOT_DONE)

    def replace(self, path: str, body: Json) -> Json:
        """The whole object in one write, as it was read and changed: its resourceVersion makes it fail with 409 where somebody was faster.

        Sent again after a lost connection, that is 409 too, and whoever reads again finds it done.
        """
        return self._again("PUT", path, body, "application/json", self._write_query())

    def delete(self, path: str, *, uid: str = "", version: str = "", dry_run: bool = False) -> None:
        """Gone afterwards; one that is not there is as good. With ``uid`` and ``version`` only that very state of it, else 409."""
        judged = {name: value for name, value in (("uid", uid), ("resourceVersion", version)) if value}
        dry_run = dry_run or self.dry_run
        dry: Json = {"dryRun": ["All"]} if dry_run else {}  # the API server does not read the query of a DELETE that has a body
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": judged, **dry} if judged else None
        try:
            self._json("DELETE", path, body, "application/json" if body else "", {"dryRun": "All"} if dry_run else {})
        except ApiError as problem:
            if problem.status != 404:
                raise

    def ask(self, path: str, body: Json) -> Json:
        """A POST that is a question and stores nothing (access reviews)."""
        return self._again("POST", path, body, "application/json", {}, passing=_NOT_DONE)

    def merge(self, path: str, patch: Mapping[str, object]) -> Json:
        return self._again("PATCH", path, patch, "application/merge-patch+json", self._write_query())

    def apply(self, path: str, body: Mapping[str, object], *, dry_run: bool = False) -> Json:
        """Server-side apply: we own what ``body`` says and nothing else, and take it from whoever had it. Returns what comes of it."""
        query = self._write_query() | {"force": "true"} | ({"dryRun": "All"} if dry_run else {})
        return self._again("PATCH", path, body, "application/apply-patch+yaml", query)

    def watch(self, path: str, version: str, *, seconds: int, **query: str) -> Watch:
        """Events from a version on, for at most that many seconds. A version that is too old ends in an ERROR event or 410."""
        query |= {"watch": "1", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        return Watch(self._send("GET", path, None, "", query, seconds + 15), path)

    def _write_query(self) -> dict[str, str]:
        return {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if self.dry_run else {})

    def _read(self, path: str, **query: str) -> Json:
        return self._again("GET", path, None, "", query)

    def _again(
        self, method: str, path: str, body: object, content: str, query: Mapping[str, str], *, passing: frozenset[int] = _PASSING
    ) -> Json:
        """Reads and patches may be done twice: those say how an object should be and not how to change it."""
        for pause in _PAUSES:
            try:
                return self._json(method, path, body, content, query)
            except ApiError as problem:
                if problem.status not in passing or isinstance(problem.__cause__, urllib3.exceptions.SSLError):
                    raise
                time.sleep(min(problem.retry_after or pause, _LONGEST_PAUSE))
        return self._json(method, path, body, content, query)

    def _json(self, method: str, path: str, body: object, content: str, query: Mapping[str, str]) -> Json:
        response = self._send(method, path, body, content, query, _READ_SECONDS)
        try:
            answer = read_json(response.read())
        except (ValueError, OSError, urllib3.exceptions.HTTPError) as problem:
            raise ApiError(0, "", f"the answer cannot be read: {problem}", method, path) from problem
        finally:
            response.release_conn()
        if not isinstance(answer, dict):
            raise ApiError(0, "", "the answer is no Kubernetes object", method, path)
        return answer

    def _send(
        self, method: str, path: str, body: object, content: str, query: Mapping[str, str], seconds: float
    ) -> urllib3.BaseHTTPResponse:
        headers = self._headers(content)
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response = self._pool.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=seconds),
            )
        except urllib3.exceptions.HTTPError as problem:
            raise ApiError(0, "", str(problem), method, path) from problem
        if response.status >= 400:
            raise _refusal(response, method, path)
        return response

    def _headers(self, content: str) -> urllib3.HTTPHeaderDict:
        """``auth_settings`` is asked at each request: it renews tokens that expire."""
        headers = urllib3.HTTPHeaderDict({"Accept": self._accept})
        if content:
            headers.add("Content-Type", content)
        for setting in self.settings.auth_settings().values():
            if setting["in"] == "header" and setting["value"]:
                headers.add(setting["key"], sendable(str(setting["value"]).strip(), "the token: api_key, or what the kubeconfig gives"))
        if self.settings.username:
            headers.extend(urllib3.make_headers(basic_auth=f"{self.settings.username}:{self.settings.password}"))
        if self._user:
            headers.add("Impersonate-User", sendable(self._user, "impersonate_user"))
        for group in self._groups:  # one header each
            headers.add("Impersonate-Group", sendable(group, "impersonate_groups"))
        return headers


class Watch:
    """Events as they come, to be gone through once."""

    def __init__(self, response: urllib3.BaseHTTPResponse, path: str) -> None:
        self._response, self._path = response, path

    def __iter__(self) -> Iterator[Json]:
        try:
            rest = b""
            for chunk in self._response.stream(65536, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (read_json(line) for line in lines if line)
        except (ValueError, OSError, urllib3.exceptions.HTTPError) as problem:
            raise ApiError(0, "", f"the watch broke off: {problem}", "WATCH", self._path) from problem
        finally:
            self._response.close()

    def close(self) -> None:
        """From another thread: wakes the one that waits for an event, and ends its iteration."""
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # over already, or urllib3 before 2.3
            self._response.shutdown()


def _parsed(item: Json, parse: Callable[[Json], Value], path: str) -> Value:
    """What no parser has thought of ends in an error that names the object, not in a traceback."""
    try:
        return parse(item)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as problem:
        called = "/".join(filter(None, (text(item, "metadata", "namespace"), text(item, "metadata", "name"))))
        raise Unreadable(
            "An object of the cluster is not as Kubernetes makes them.",
            where=f"{called or 'one without a name'}, in {path}",
            why=f"{type(problem).__name__}: {problem}",
            do="look at it with kubectl get --output yaml; if it looks right there, report it",
        ) from problem


def _as_it_is(item: Json) -> Json:
    return item


def _refusal(response: urllib3.BaseHTTPResponse, method: str, path: str) -> ApiError:
    try:
        text = response.read().decode(errors="replace")
    except (OSError, urllib3.exceptions.HTTPError) as problem:  # the status is known all the same
        text = f"the answer broke off: {problem}"
    finally:
        response.release_conn()
    try:
        status = read_json(text)
    except ValueError:
        status = {}
    if not isinstance(status, dict):
        status = {}
    after = response.headers.get("Retry-After", "")
    message = str(status.get("message") or text[:300])
    return ApiError(response.status, str(status.get("reason") or ""), message, method, path, float(after) if after.isdigit() else 0)
