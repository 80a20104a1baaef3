# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real istiods of 1.26.8, 1.29.6 and 1.30.3 answered, to hold against what we say they would.

The files here are drawn from a folder of recordings by ``python -m tests.unit.figures FOLDER``. They are answers, no code of Istio's.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
    """``versions`` of the revisions and ``webhooks`` by state; ``pods``, ``objects`` and ``refusals`` by what was asked.

    ``doubles`` are pods that a second configuration takes too, which somebody has made beside those of a state.
    """

    versions: Mapping[str, Mapping[str, str]]
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
    """All that a folder of recordings holds."""

    def read(name: str) -> t.Any:
        return json.loads((folder / name).read_text())

    states, pods = read("states.json"), read("injected-pods.json")
    rows = [json.loads(line) for line in (folder / "decisions.jsonl").read_text().splitlines()]
    return Figures(
        versions={name: {plane["revision"]: plane["version"] for plane in state["control_planes"]} for name, state in states.items()},
        webhooks={name: read(state["webhooks"]) for name, state in states.items()},
        decisions=tuple(Decision(*(row[field] for field in Decision.__slots__)) for row in rows),
        pods={name: pod for name, pod in pods.items() if "annotations" in pod},
        objects=read("objects.json"),
        refusals={name: one["message"] for name, one in read("failures.json").items()},
        proxies=read("connected-proxies.json")["syncz"],
        doubles=read("two-injectors.json"),
    )


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
