# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checkout as git sees it: tracked files and new ones, without what is ignored."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NO_YAML = r"tests/lab/charts/[^/]+/templates/.*\.yaml"
"""Helm's templates, which are called .yaml and are none before helm has rendered them."""


def files() -> list[str]:
    """Relative paths, sorted; a file that was removed but is still in the index is not among them."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in listed.split("\0") if name and os.path.lexists(ROOT / name)})


def copy(to: Path, names: Iterable[str] | None = None) -> None:
    """Makes ``to`` an exact copy of it, or of these files; a folder that was there before is replaced."""
    shutil.rmtree(to, ignore_errors=True)
    for name in files() if names is None else names:
        target = to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
