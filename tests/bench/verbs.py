# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a verb asks the API server: every request that leaves this process while it runs, and the same lists by a bare client."""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from unittest import mock
from urllib.parse import parse_qsl, urlencode, urlsplit

import urllib3
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import perform
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Verb
from tests.lab.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    accept: str

    @property
    def page(self) -> bool:
        """Whether it asks for one page of a list."""
        return self.method == "GET" and "limit" in dict(self.query)

    @property
    def lists(self) -> bool:
        """Whether it asks for the first."""
        return self.page and "continue" not in dict(self.query)


def done(verb: Verb[t.Any], options: Mapping[str, object]) -> dict[str, t.Any]:
    """The result of a verb in this process; it must not fail."""
    checked = ArgumentSpecValidator(argument_spec(verb)).validate(dict(options))
    result: dict[str, t.Any] = perform(verb, checked.validated_parameters, check_mode=False, say=lambda _line: None)
    if result.get("failed"):
        raise SystemExit(f"a verb failed: {result['msg']}")
    return result


def asked_by(verb: Verb[t.Any], options: Mapping[str, object]) -> list[Request]:
    asked: list[Request] = []
    send = urllib3.PoolManager.request

    def noted(pool: urllib3.PoolManager, method: str, url: str, **more: t.Any) -> t.Any:
        parts = urlsplit(url)
        asked.append(Request(method, parts.path, tuple(parse_qsl(parts.query)), more["headers"]["Accept"]))
        return send(pool, method, url, **more)

    with mock.patch.object(urllib3.PoolManager, "request", noted):
        done(verb, options)
    return asked


def replayed(lab: Cluster, lists: Iterable[Request]) -> int:
    """The same lists by a bare client, one after another, each page parsed and dropped. Returns how many pages there were."""
    return sum(_pages(lab, one) for one in lists)


def _pages(lab: Cluster, one: Request) -> int:
    query, number = dict(one.query), 0
    while number == 0 or query["continue"]:
        answer = lab.api.pass_on("GET", f"{one.path}?{urlencode(query)}", b"", {"Accept": one.accept})
        query["continue"] = json.loads(answer.read())["metadata"].get("continue", "")
        answer.release_conn()
        number += 1
    return number
