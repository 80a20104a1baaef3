# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scenario of molecule, ``default`` on the lab: a line where it passes, its whole output where it fails.

python -m tests.tools.scenario         the lab
python -m tests.tools.scenario kind    kind with Istio's own charts; needs Docker, a network, kind, kubectl and helm
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.lab.build import binaries
from tests.tools.tree import ROOT

BIN = Path(sys.executable).parent


def main(name: str) -> int:
    programs = [str(BIN), *([str(binaries())] if name == "default" else [])]
    environment = os.environ | {
        "PATH": os.pathsep.join([*programs, os.environ.get("PATH", "")]),
        "ANSIBLE_COLLECTIONS_PATH": str(BIN.parent / "collections"),
        "ANSIBLE_HOME": str(BIN.parent / "ansible"),
        "NO_COLOR": "1",
    }
    started = time.monotonic()
    done = subprocess.run(
        [str(BIN / "molecule"), "test", "--scenario-name", name],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # A playbook that is not there is no error for molecule
    steps = re.search(r"actions=(\d+)\s+successful=\1\s", done.stdout)
    passed = done.returncode == 0 and steps is not None
    print(
        f"molecule {name}: {f'{steps[1]} steps passed' if passed and steps else 'FAILED'}, {time.monotonic() - started:.0f} s", flush=True
    )
    if not passed:
        print(done.stdout, flush=True)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["default"])))
