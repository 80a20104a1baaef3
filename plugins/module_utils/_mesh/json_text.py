# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON that somebody else wrote: into an annotation, a ConfigMap, an answer. Pure."""

from __future__ import annotations

import json
import typing as t


def read_json(text: str | bytes) -> t.Any:
    """What it says. ValueError for what is no JSON, and for what is nested too deep for Python to read (RecursionError by itself)."""
    try:
        return json.loads(text)
    except RecursionError as problem:
        raise ValueError("it is nested too deep") from problem
