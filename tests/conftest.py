# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What real istiods answered: always the figures in the repository, and all of the recordings where MESH_RECORDINGS names their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.figures.table import Figures, drawn, recorded

SOURCES = {"figures": None} | ({"recordings": Path(os.environ["MESH_RECORDINGS"])} if os.environ.get("MESH_RECORDINGS") else {})


@pytest.fixture(params=list(SOURCES.values()), ids=list(SOURCES), scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return recorded(request.param) if request.param else drawn()
