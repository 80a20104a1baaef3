# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real istiods of 1.26.8, 1.29.6 and 1.30.3 answered, to hold against what we say they would.

The files here are drawn from a folder of recordings by ``python -m tests.unit.figures FOLDER``. They are answers, no code of Istio's.
"""

from __future__ import annotations

import json
import re
import typing as t
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent

Json = dict[str, t.Any]


@dataclass(frozen=True, slots=True)
class Decision:
    """One pod, sent to a real API server. ``asked`` tells how often each revision's istiod was called."""

    state: str
    namespace: dict[str, str]
    pod: Json
    asked: dict[str, int]
    revision: str | None

    @property
    def text(self) -> str:
        return f"{self.state}: namespace {self.namespace}, pod {self.pod}"


@dataclass(frozen=True, slots=True)
class Figures:
    """``versions``, ``configs`` of injectors and ``webhooks`` by state; ``pods``, ``objects`` and ``refusals`` by what was asked.

    ``doubles`` are pods that a second configuration takes too, which somebody has made beside those of a state.
    """

    versions: Mapping[str, Mapping[str, str]]
    configs: Mapping[str, Mapping[str, Json]]
    webhooks: Mapping[str, list[Json]]
    decisions: tuple[Decision, ...]
    pods: Mapping[str, Json]
    objects: Mapping[str, list[Json]]
    refusals: Mapping[str, str]
    proxies: Mapping[str, list[Json]]
    doubles: list[Json]


def drawn() -> Figures:
    """The figures of this folder."""
    found = {name: json.loads((HERE / f"{name}.json").read_text()) for name in Figures.__slots__}
    return Figures(**(found | {"decisions": tuple(Decision(**one) for one in found["decisions"])}))


def recorded(folder: Path) -> Figures:
    """All that a folder of recordings holds. States and decisions are always there; of what else is not, the figures here are taken."""
    states = json.loads((folder / "states.json").read_text())
    rows = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    found = replace(
        drawn(),
        versions={name: {plane["revision"]: plane["version"] for plane in state["control_planes"]} for name, state in states.items()},
        configs={name: {plane["revision"]: config(plane["set"]) for plane in state["control_planes"]} for name, state in states.items()},
        webhooks={name: json.loads((folder / state["webhooks"]).read_text()) for name, state in states.items()},
        decisions=tuple(Decision(*(row[field] for field in Decision.__slots__)) for row in rows),
    )
    for name, (field, of) in _OTHERS.items():
        if (folder / name).is_file():
            found = replace(found, **{field: of(json.loads((folder / name).read_text()))})
    return found


_OTHERS: dict[str, tuple[str, t.Callable[[t.Any], t.Any]]] = {
    "injected-pods.json": ("pods", lambda item: {name: pod for name, pod in item.items() if "annotations" in pod}),
    "objects.json": ("objects", lambda item: item),
    "failures.json": ("refusals", lambda item: {name: one["message"] for name, one in item.items()}),
    "connected-proxies.json": ("proxies", lambda item: item["syncz"]),
    "two-injectors.json": ("doubles", lambda item: item),
}


def config(given: Iterable[str]) -> Json:
    """What the ConfigMap of an injector says that was installed with these values, as ``--set`` takes them."""
    values: Json = {}
    for one in given:
        path, _equals, value = one.partition("=")
        _put(values, [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.|(?=\[)", path.removeprefix("values."))], value)
    webhook = values.get("sidecarInjectorWebhook", {})
    return {
        "policy": values.get("global", {}).get("proxy", {}).get("autoInject", "enabled"),
        "neverInjectSelector": webhook.get("neverInjectSelector", []),
        "alwaysInjectSelector": webhook.get("alwaysInjectSelector", []),
        "templates": dict.fromkeys(("sidecar", "gateway", *webhook.get("templates", {})), ""),
    }


def _put(values: t.Any, path: list[str], value: str) -> None:
    """``[0]`` in a path is an item of a list."""
    key: t.Any = int(path[0][1:-1]) if path[0].startswith("[") else path[0]
    if isinstance(values, list) and len(values) <= key:
        values.append(None)
    if len(path) == 1:
        values[key] = value
        return
    there = values[key] if isinstance(values, list) else values.get(key)
    if there is None:
        there = [] if path[1].startswith("[") else {}
        values[key] = there
    _put(there, path[1:], value)


def istios(labels: Mapping[str, str]) -> dict[str, str]:
    """Without those that any Helm chart puts on its objects."""
    return {name: value for name, value in labels.items() if not name.startswith(("app.kubernetes.io/", "helm.sh/"))}


def lines(value: object) -> str:
    """JSON with one line for each member of the outermost list or mapping, so that a change shows as what it is."""

    def one(item: object) -> str:
        return json.dumps(asdict(item) if isinstance(item, Decision) else item)

    if isinstance(value, Mapping):
        return "{\n" + ",\n".join(f"{json.dumps(key)}: {one(item)}" for key, item in value.items()) + "\n}\n"
    if isinstance(value, (list, tuple)):
        return "[\n" + ",\n".join(map(one, value)) + "\n]\n"
    return one(value)
