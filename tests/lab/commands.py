# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be run inside a pod of a control plane: ``pilot-discovery request``, which asks the process behind that very pod."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from .api import Json

EXEC = "Exec"
"""KWOK's kind: how a command in a container of one pod is run, here on this machine."""
APPLY = "application/apply-patch+yaml"
_PORT = "LAB_ISTIOD_PORT"
_VERSION = "kwok.x-k8s.io/v1alpha1"
_PROGRAM = """#!/bin/sh
exec {python} -IS {request} "$@"
"""


def commands(folder: Path) -> None:
    """The programs of that container, for the PATH of kwok."""
    folder.mkdir()
    program = folder / "pilot-discovery"
    request = Path(__file__).parent / "istiod" / "request.py"
    program.write_text(_PROGRAM.format(python=shlex.quote(sys.executable), request=shlex.quote(str(request))))
    program.chmod(0o755)


def exec_for(pod: Json, port: int) -> tuple[str, Json]:
    """The path of the object, and the object, by which a command in that pod finds the process behind it. It goes with the pod."""
    metadata = pod["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
    body: Json = {
        "apiVersion": _VERSION,
        "kind": EXEC,
        "metadata": {"name": metadata["name"], "ownerReferences": [owner]},
        "spec": {"execs": [{"containers": ["discovery"], "local": {"envs": [{"name": _PORT, "value": str(port)}]}}]},
    }
    return f"/apis/{_VERSION}/namespaces/{metadata['namespace']}/execs/{metadata['name']}", body
