# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small JSON client for the lab and the tests. It shares no code with what is under test, so that a bug cannot hide in both."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import tempfile
import time
import typing as t
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import urllib3
import yaml

Json = dict[str, t.Any]
Query = str | int | bool
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
LONGEST_WATCH = 240


class ApiProblem(Exception):
    """What the API server answered when it was not a success; ``status`` is 0 where it did not answer at all."""

    def __init__(self, status: int, reason: str, message: str, body: object = None) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message, self.body = status, reason, message, body


class Api:
    """One cluster, as the current context of a kubeconfig with a client certificate names it. Safe to share between threads."""

    def __init__(self, kubeconfig: Path) -> None:
        self.server, context = _connection(kubeconfig)
        self._pool = urllib3.PoolManager(maxsize=32, ssl_context=context, retries=False)

    def get(self, path: str, **query: Query) -> Json:
        return self._call("GET", path, query)

    def post(self, path: str, body: Mapping[str, t.Any], **query: Query) -> Json:
        return self._call("POST", path, query, body)

    def put(self, path: str, body: Mapping[str, t.Any], **query: Query) -> Json:
        return self._call("PUT", path, query, body)

    def patch(self, path: str, body: object, content_type: str = MERGE, **query: Query) -> Json:
        return self._call("PATCH", path, query, body, content_type)

    def delete(self, path: str, **query: Query) -> Json:
        return self._call("DELETE", path, query)

    def watch(self, path: str, *, timeout: float | None = None, since: Json | None = None, **query: Query) -> Iterator[Json]:
        """Events of a list path: what is there comes first as ADDED, then what changes, through every reconnect.

        An object that went while the connection was down comes as DELETED, so that a mirror of the events is never wrong for long.
        With ``since``, a list that the caller has seen already, only what came after it. Ends only when ``timeout`` seconds have passed.
        """
        end = None if timeout is None else time.monotonic() + timeout
        known: dict[str, Json] = {_key(item): item for item in since["items"]} if since else {}
        version: str = since["metadata"]["resourceVersion"] if since else ""
        while end is None or time.monotonic() < end:
            try:
                if not version:
                    listing = self.get(path, **query)
                    version = listing["metadata"]["resourceVersion"]
                    yield from _relisted(listing, known)
                seconds = LONGEST_WATCH if end is None else max(1, min(LONGEST_WATCH, int(end - time.monotonic()) + 1))
                for event in self._stream(path, {**query, "watch": True, "allowWatchBookmarks": True, "resourceVersion": version}, seconds):
                    if event["type"] == "ERROR":  # 410: the version is too old to continue from
                        version = ""
                        break
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        _remember(event, known)
                        yield event
            except (ApiProblem, urllib3.exceptions.HTTPError) as problem:
                if isinstance(problem, ApiProblem) and problem.status in (400, 401, 403, 404, 405):
                    raise
                if isinstance(problem, ApiProblem) and problem.status == 410:
                    version = ""
                time.sleep(0.1)

    def until(self, path: str, met: Callable[[list[Json]], bool], *, timeout: float, what: str, **query: Query) -> list[Json]:
        """Follow a list path by watch until its objects are as wished. TimeoutError says what was waited for."""
        listing = self.get(path, **query)
        mirror: dict[str, Json] = {_key(item): item for item in listing["items"]}
        if met(list(mirror.values())):  # an empty list would send no event, and half a list must not be judged
            return list(mirror.values())
        for event in self.watch(path, timeout=timeout, since=listing, **query):
            _remember(event, mirror)
            if met(list(mirror.values())):
                return list(mirror.values())
        raise TimeoutError(f"waited {timeout:.0f} s for {what}")

    def pass_on(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        """Somebody's request as it is, with this client's login; the answer as it comes."""
        return self._pool.request(method, self.server + path, body=body or None, headers=headers, preload_content=False, timeout=300.0)

    def _call(
        self, method: str, path: str, query: Mapping[str, Query], body: object = None, content_type: str = "application/json"
    ) -> Json:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self._pool.request(method, _url(self.server + path, query), body=data, headers=headers, timeout=60.0)
        except urllib3.exceptions.HTTPError as problem:
            raise ApiProblem(0, "NoAnswer", str(problem)) from problem
        value = _parsed(answer.data)
        if answer.status >= 400:
            raise _problem(answer.status, value)
        return value if isinstance(value, dict) else {"text": value}

    def _stream(self, path: str, query: Mapping[str, Query], seconds: int) -> Iterator[Json]:
        url = _url(self.server + path, {**query, "timeoutSeconds": seconds})
        answer = self._pool.request("GET", url, preload_content=False, timeout=urllib3.Timeout(connect=5.0, read=seconds + 10.0))
        with contextlib.closing(answer):
            if answer.status >= 400:
                raise _problem(answer.status, _parsed(answer.read()))
            rest = b""
            while chunk := answer.read1():
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())


def _key(item: Json) -> str:
    return f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"


def _remember(event: Json, known: dict[str, Json]) -> None:
    if event["type"] == "DELETED":
        known.pop(_key(event["object"]), None)
    else:
        known[_key(event["object"])] = event["object"]


def _relisted(listing: Json, known: dict[str, Json]) -> Iterator[Json]:
    """The difference between what was known and a fresh list, as events."""
    now = {_key(item): item for item in listing["items"]}
    gone = [known.pop(key) for key in list(known) if key not in now]
    known.update(now)
    yield from ({"type": "DELETED", "object": item} for item in gone)
    yield from ({"type": "ADDED", "object": item} for item in now.values())


def _url(base: str, query: Mapping[str, Query]) -> str:
    values = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    return f"{base}?{urllib.parse.urlencode(values)}" if values else base


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data) if data else {}
    except ValueError:
        return data.decode(errors="replace")


def _problem(status: int, value: object) -> ApiProblem:
    if isinstance(value, dict):
        return ApiProblem(status, str(value.get("reason", "")), str(value.get("message", "")), value)
    return ApiProblem(status, "", str(value)[:500], value)


def _connection(kubeconfig: Path) -> tuple[str, ssl.SSLContext]:
    """The server's address and a TLS context with the user's certificate."""
    config = yaml.safe_load(kubeconfig.read_text())
    current = next(item["context"] for item in config["contexts"] if item["name"] == config["current-context"])
    cluster = next(item["cluster"] for item in config["clusters"] if item["name"] == current["cluster"])
    user = next(item["user"] for item in config["users"] if item["name"] == current["user"])
    context = ssl.create_default_context(cadata=_material(cluster, "certificate-authority", kubeconfig).decode())
    # The certificates of a kwokctl cluster lack the key identifiers that Python 3.13 asks for by default.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    with tempfile.TemporaryDirectory() as folder:  # the ssl module reads client certificates from files only
        certificate, key = Path(folder, "crt"), Path(folder, "key")
        certificate.write_bytes(_material(user, "client-certificate", kubeconfig))
        key.touch(mode=0o600)
        key.write_bytes(_material(user, "client-key", kubeconfig))
        context.load_cert_chain(certificate, key)
    return cluster["server"].rstrip("/"), context


def _material(entry: Json, name: str, kubeconfig: Path) -> bytes:
    inline = entry.get(f"{name}-data")
    return base64.b64decode(inline) if inline else (kubeconfig.parent / entry[name]).read_bytes()
