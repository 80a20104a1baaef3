# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Builds the collection's archive from what git knows, so that no private file of the checkout gets into it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tools import tree


def build(output: Path) -> Path:
    """The path of the archive; one of the same version that is there is replaced."""
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree.copy(Path(folder, "istio"))
        command = [str(Path(sys.executable).with_name("ansible-galaxy")), "collection", "build", "--force", "--output-path", str(output)]
        done = subprocess.run(command, cwd=Path(folder, "istio"), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the archive could not be built:\n{done.stdout}{done.stderr}")
    return max(output.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)


if __name__ == "__main__":
    print(build(Path(sys.argv[1]).absolute()))
