# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pins the newest versions of the Python tools: one lock file for 3.11, 3.12 and 3.13, one for the floor, and one for the benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.tools.tree import ROOT

HEADER = """\
# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by `make lock` from {source}.

"""


def main() -> None:
    folder = ROOT / "tests" / "tools"
    for name in ("requirements", "floor", "bench"):
        source, lock = folder / f"{name}.in", folder / f"{name}.lock"
        uv = [
            str(Path(sys.executable).with_name("uv")),
            "pip",
            "compile",
            "--quiet",
            "--upgrade",
            "--universal",
            "--python-version",
            "3.11",
        ]
        # no header, no annotations and no index: whose registry it was is nobody's business
        plain = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
        done = subprocess.run([*uv, *plain, str(source)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{source.relative_to(ROOT)} could not be pinned:\n{done.stderr}")
        lock.write_text(HEADER.format(source=source.name) + done.stdout)
        print(f"{lock.relative_to(ROOT)}: {sum(line[:1].isalnum() for line in done.stdout.splitlines())} packages")


if __name__ == "__main__":
    main()
