# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Draws the figures from a folder of recordings: few enough to keep, and none of the behaviours left out.

A decision stays if it is the first of its state with its namespace labels and answer, or the first with its pod, its answer and the
versions that gave it. Of a webhook stays what decides whether it is asked, of an object its name and Istio's labels, of the connected
proxies one for each revision.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .table import HERE, Decision, Figures, Json, istios, lines, recorded


def draw(figures: Figures) -> dict[str, object]:
    return {
        "versions": figures.versions,
        "configs": figures.configs,
        "webhooks": {name: [_selecting(item) for item in items] for name, items in figures.webhooks.items()},
        "decisions": tuple(_distinct(figures.decisions, figures.versions)),
        "pods": figures.pods,
        "objects": {name: [_named(item) for item in items] for name, items in figures.objects.items()},
        "refusals": figures.refusals,
        "doubles": [{field: one[field] for field in ("configurations", "namespace", "asked", "revision")} for one in figures.doubles],
        "proxies": {revision: proxies[:1] for revision, proxies in figures.proxies.items()},
    }


def _distinct(decisions: Iterable[Decision], versions: Mapping[str, Mapping[str, str]]) -> Iterator[Decision]:
    seen: set[str] = set()
    for one in decisions:
        answer = [one.asked, one.revision]
        who = sorted(versions[one.state][revision] for revision in one.asked)
        keys = {json.dumps(key, sort_keys=True) for key in ([one.state, one.namespace, answer], [one.pod, who, answer])}
        if not keys <= seen:
            yield one
        seen |= keys


def _selecting(configuration: Json) -> Json:
    labels = {name: value for name, value in configuration["metadata"]["labels"].items() if name.startswith("istio.io/")}
    entries = [
        {"name": entry["name"], "clientConfig": entry["clientConfig"]}
        | {kind: entry[kind] for kind in ("namespaceSelector", "objectSelector", "rules", "failurePolicy", "reinvocationPolicy")}
        for entry in configuration["webhooks"]
    ]
    return {"metadata": {"name": configuration["metadata"]["name"], "labels": labels}, "webhooks": entries}


def _named(item: Json) -> Json:
    return {field: item[field] for field in ("kind", "namespace", "name")} | {"labels": istios(item["labels"])}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tests.unit.figures FOLDER")
    for name, content in draw(recorded(Path(sys.argv[1]))).items():
        (HERE / f"{name}.json").write_text(lines(content))
