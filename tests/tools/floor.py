# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The unit tests on the oldest that is supported; says so where there is no such Python."""

from __future__ import annotations

import subprocess
import sys

from tests.tools.tree import ROOT

PYTHON = ROOT / ".venv" / "floor" / "bin" / "python"


def main() -> int:
    if not PYTHON.exists():
        print("floor: NOT RUN, there is no Python 3.11 on this machine", flush=True)
        return 0
    command = [str(PYTHON), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = done.stdout.rstrip().splitlines()
    if done.returncode:
        print(f"floor: FAILED on {_versions()}\n{done.stdout}", flush=True)
    else:
        print(f"floor: {lines[-1]} on {_versions()}", flush=True)
    return done.returncode


def _versions() -> str:
    text = (
        "import platform, importlib.metadata as m; "
        "print(f\"Python {platform.python_version()}, ansible-core {m.version('ansible-core')}, kubernetes {m.version('kubernetes')}\")"
    )
    return subprocess.run([str(PYTHON), "-c", text], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
