# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all tests share: what real istiods answered, and that no property fails because the machine is busy.

Always the figures in the repository, and all of the recordings where MESH_RECORDINGS names their folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.unit.figures.table import Figures, drawn, recorded

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

SOURCES = {"figures": None} | ({"recordings": Path(os.environ["MESH_RECORDINGS"])} if os.environ.get("MESH_RECORDINGS") else {})


@pytest.fixture(params=list(SOURCES.values()), ids=list(SOURCES), scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return recorded(request.param) if request.param else drawn()
