# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program beside us (helm, istioctl): how it is started, how long it may take, and how its end is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import count

RENDERING, WRITING = 120.0, 900.0
"""Seconds that a program may take to read and render, and to change a cluster; a hook of helm's alone may take 300."""
_ELSEWHERE = ("HELM_KUBE", "ISTIOCTL_")
_OURS = frozenset({"KUBECONFIG", "HELM_NAMESPACE", "HELM_DRIVER", "ISTIOCONFIG"})


class ProgramError(MeshError):
    """It hung, died, or could not be started."""

    kind = "program"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended by itself."""

    code: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """Its own error, without the warnings and log lines around it."""
        lines = self.lines
        errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error:")]
        return (errors or lines or ("it said nothing",))[-1]

    @property
    def lines(self) -> tuple[str, ...]:
        """What it said beside its answer; worth a warning where it said so and succeeded."""
        return tuple(line.strip() for line in self.err.splitlines() if line.strip())


@dataclass(frozen=True, slots=True)
class Program:
    path: str
    name: str
    """As a message has it."""
    do: str
    """What to do where it is not there."""

    def check(self) -> None:
        if shutil.which(self.path) is None:
            raise self._missing("not found in PATH")

    def run(self, *words: str, given: str = "", seconds: float = RENDERING) -> Ran:
        """``given`` goes through the pipe: it may hold secrets, and a file would outlive a kill.

        It has a process group of its own, since a wrapper's children would hold the pipe open after the wrapper is gone.
        """
        try:
            # run_command belongs to AnsibleModule, and a verb mostly runs without one
            process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
                [self.path, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env=_environment(),
                start_new_session=True,
            )
        except OSError as problem:
            raise self._missing(problem.strerror or "it cannot be run") from problem
        try:
            out, err = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired as hung:
            said = _end(process).strip() or "it said nothing"
            raise ProgramError(
                f"{self.name} {words[0]} did not come to an end in {count(round(seconds), 'second')}, and was ended.",
                where=self.path,
                why=f"it hangs; the last that it said: {said.splitlines()[-1]}",
                do="run the same command by hand to see what it waits for, then start again",
            ) from hung
        except BaseException:
            _end(process)
            raise
        if process.returncode < 0:
            raise ProgramError(
                f"{self.name} {words[0]} died: it was killed by signal {_signal(-process.returncode)}.",
                where=self.path,
                why=Ran(0, out, err).why,
                do="see whether the machine ran out of memory or somebody ended it, then start again",
            )
        return Ran(process.returncode, out, err)

    def _missing(self, why: str) -> MeshError:
        return ProgramError(f"There is no {self.name}.", where=f'"{self.path}"', why=why, do=self.do)


def _end(process: subprocess.Popen[str]) -> str:
    """Ends all of its group, and returns what it had said as errors."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[1]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _environment() -> dict[str, str]:
    """Without what would lead it to another cluster, user, namespace or store than the one that we look at."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_ELSEWHERE) and name not in _OURS}
