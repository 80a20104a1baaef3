# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""This machine as if it were another: what is delegated to it goes the whole way of a module, without an SSH server."""

from __future__ import annotations

import os
from pathlib import Path

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: elsewhere
short_description: This machine as if it were another
description: Runs commands here, and is not called local.
author: The meshops.istio authors (@meshops)
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(Local):
    transport = "elsewhere"

    def put_file(self, in_path: str, out_path: str) -> None:
        """What is copied to the other machine is told in the file ELSEWHERE."""
        with Path(os.environ["ELSEWHERE"]).open("a") as told:
            told.write(f"{out_path}\n")
        super().put_file(in_path, out_path)
