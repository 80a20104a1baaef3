# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection as the tests use it: a verb called in this process, a task or a playbook as a user starts it, and who wrote what."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.meshops.istio.plugins.module_utils._runtime.options import argument_spec
from ansible_collections.meshops.istio.plugins.module_utils._runtime.run import perform
from tests.lab import mesh, real
from tests.lab.build import binaries
from tests.lab.cluster import CHECKOUT, Cluster

VERBS = "ansible_collections.meshops.istio.plugins.module_utils._verbs"
PROGRAMS = Path(sys.executable).parent
IMPERSONATION = ("K8S_AUTH_IMPERSONATE_USER", "K8S_AUTH_IMPERSONATE_GROUPS")
QUESTIONS = ("dryRun=All", "/selfsubjectaccessreviews", "/selfsubjectreviews", "/proxy/inject")
"""In what is sent as a create and stores nothing."""
RECORDED = "patch .*/configmaps/meshops-upgrade$"
Facts = dict[str, t.Any]
Point = Callable[[Sequence[str]], bool]
"""Where a run is, by what it has written so far."""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    code: int
    text: str

    @property
    def changed(self) -> int:
        return sum(int(number) for number in re.findall(r"changed=(\d+)", self.text))

    @property
    def said(self) -> str:
        """In one line: Ansible breaks long ones."""
        return " ".join(self.text.split())

    def succeeded(self) -> Ran:
        assert self.code == 0, self.text
        assert "is unsupported in variable storage" not in self.said, "a result holds what is no plain value"
        return self


@dataclass
class Tool:
    """The collection on one lab, as a user of its own: so the API server's audit log tells exactly what the tool wrote."""

    lab: Cluster
    folder: Path
    user: str = field(default_factory=lambda: f"tester-{secrets.token_hex(4)}")
    said: list[str] = field(default_factory=list)

    def verb(self, name: str, *, check_mode: bool = False, **options: object) -> Facts:
        """One verb in this process, with its options checked as Ansible checks them."""
        verb = importlib.import_module(f"{VERBS}.{name}").VERB
        checked = ArgumentSpecValidator(argument_spec(verb)).validate({**self.login(), **options})
        assert not checked.error_messages, checked.error_messages
        return perform(verb, checked.validated_parameters, check_mode=check_mode, say=self.said.append)

    def changes(self, name: str, *, check_mode: bool = False, **options: object) -> bool:
        """Whether a verb that must succeed changed something, or would."""
        result = self.verb(name, check_mode=check_mode, **options)
        assert not result.get("failed"), f"{name}: {result['msg']}"
        return bool(result["changed"])

    def fails(self, name: str, **options: object) -> str:
        """The message of a verb that must fail, and must not have written anything."""
        before = self.writes()
        result = self.verb(name, **options)
        assert result.get("failed"), result
        assert self.writes() == before, f"{name} failed, and has written before that"
        return str(result["msg"])

    def task(self, name: str, options: Mapping[str, object], *words: str) -> Facts:
        """One task as the command ``ansible`` runs it; ``-B 60 -P 1`` takes the way through the module."""
        arguments = json.dumps({**self.login(), **options})
        command = ["ansible", "localhost", "-m", f"meshops.istio.{name}", "-a", arguments, *words]
        text = self.run(command).text
        found = re.search(r"localhost \| (?:SUCCESS|CHANGED|FAILED!?) => (\{.*\})", text, re.DOTALL)
        assert found, text
        return t.cast("Facts", json.loads(found[1]))

    def play(
        self,
        playbook: str,
        *words: str,
        hosts: Mapping[str, Mapping[str, object]] | None = None,
        impersonate: bool = True,
        **variables: object,
    ) -> Ran:
        """A playbook of the collection on this lab, or on the hosts given."""
        process = self.started(playbook, *words, hosts=hosts, impersonate=impersonate, **variables)
        try:
            text, _nothing = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            kill(process)
            raise
        return Ran(process.returncode, text)

    def started(
        self,
        playbook: str,
        *words: str,
        hosts: Mapping[str, Mapping[str, object]] | None = None,
        impersonate: bool = True,
        **variables: object,
    ) -> subprocess.Popen[str]:
        """The same, running: in a process group of its own, so that all of it can be killed."""
        inventory = self.folder / "fleet.yml"
        named = hosts or {"lab": {"mesh_kubeconfig": str(self.lab.kubeconfig)}}
        inventory.write_text(yaml.safe_dump({"all": {"hosts": dict(named), "vars": variables}}))
        command = [str(PROGRAMS / "ansible-playbook"), "-i", str(inventory), f"meshops.istio.{playbook}", *words]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env={name: value for name, value in self.environment().items() if impersonate or name not in IMPERSONATION},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def killed(self, point: Point, playbook: str, **variables: object) -> None:
        """A playbook that is ended at a point, counted from its start, as a machine that loses power would end it.

        One that comes to its end first was too fast: the point says nothing then, and the test fails.
        """
        start = self.lab.audit_log.stat().st_size
        process = self.started(playbook, **variables)
        try:
            until(lambda: point(self.writes(start=start)) or process.poll() is not None, "the point")
            assert process.poll() is None, "it was over before it could be killed"
        finally:
            kill(process)
        until(lambda: not self._workers(), "its workers to go with it", 10)

    def _workers(self) -> list[str]:
        """Processes of a playbook of ours. Ansible's workers have sessions of their own: what kills the play does not reach them."""
        inventory = os.fsencode(self.folder / "fleet.yml")
        found = [one for one in Path("/proc").glob("[0-9]*") if inventory in _words(one)]
        return [one.name for one in found]

    def run(self, command: list[str], **environment: str) -> Ran:
        done = subprocess.run(
            [str(PROGRAMS / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment() | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=300,
        )
        return Ran(done.returncode, done.stdout)

    def environment(self) -> dict[str, str]:
        environment = self.lab.environment()
        environment.pop("KUBECONFIG", None)
        return environment | {
            "PATH": f"{PROGRAMS}:{environment['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".venv" / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_ASYNC_DIR": str(self.folder / "async"),  # else the two ends may disagree on what the home is
            "ANSIBLE_NOCOWS": "1",
            "ANSIBLE_NOCOLOR": "1",
            "K8S_AUTH_IMPERSONATE_USER": self.user,
            "K8S_AUTH_IMPERSONATE_GROUPS": "system:masters",
        }

    def writes(self, lab: Cluster | None = None, *, start: int = 0) -> list[str]:
        """What this user has tried to write so far, by the API server's own audit log: ``patch /api/v1/namespaces/shop``. No dry runs.

        ``start`` is the size that the log had, where only what came after it matters, and soon.
        """
        return [_text(event) for event in self._events(lab or self.lab, start)]

    def restarts(self, lab: Cluster | None = None) -> Counter[str]:
        """How often it has stamped which workload: ``shop/api``. Helm's patches of its own Deployment are none."""
        done = (_text(event) for event in self._events(lab or self.lab) if _code(event) < 400)
        found = (re.fullmatch(r"patch /apis/apps/v1/namespaces/(.*)/deployments/(.*)", write) for write in done)
        return Counter(f"{one[1]}/{one[2]}" for one in found if one and one[1] != mesh.NAMESPACE)

    def conflicts(self) -> int:
        """How often the API server told this user that somebody else was faster."""
        return sum(_code(event) == 409 for event in self._events(self.lab))

    def _events(self, lab: Cluster, start: int = 0) -> Iterator[Facts]:
        with lab.audit_log.open() as log:
            log.seek(start)
            lines = [line for line in log if self.user in line and line.endswith("\n")]
        for event in map(json.loads, lines):
            who = {event.get("impersonatedUser", {}).get("username"), event["user"]["username"]}
            asked = event["requestURI"]
            if self.user in who and not any(part in asked for part in QUESTIONS):
                yield event

    def login(self) -> dict[str, object]:
        return {"kubeconfig": str(self.lab.kubeconfig), "impersonate_user": self.user, "impersonate_groups": ["system:masters"]}


def _text(event: Facts) -> str:
    return f"{event['verb']} {event['requestURI'].partition('?')[0]}"


def _code(event: Facts) -> int:
    return int(event.get("responseStatus", {}).get("code", 0))


def control_plane(revision: str, version: str, **more: t.Any) -> dict[str, object]:
    """Options of ``control_plane`` for the lab's own chart, or for one that a real istioctl has rendered."""
    values = mesh.merged({"global": {"tag": version}}, more.pop("values", {}))
    chart, given = mesh.istiod_chart(revision, version, values=values) if real.wanted() else (str(mesh.CHARTS / "istiod"), values)
    helm = str(binaries() / "helm")
    return {"revision": revision, "version": version, "chart": chart, "values": given, "helm": helm, **more}


def variables(revision: str, version: str, **more: t.Any) -> dict[str, object]:
    """The same as variables of role ``mesh``."""
    return {f"mesh_{name}": value for name, value in control_plane(revision, version, **more).items()}


def kill(process: subprocess.Popen[str]) -> None:
    """All of it at once, if it is there still."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _words(process: Path) -> list[bytes]:
    """Of its command line; none for one that has gone, or is a zombie."""
    with contextlib.suppress(OSError):
        return (process / "cmdline").read_bytes().split(b"\0")
    return []


def written(pattern: str, times: int = 1) -> Point:
    """So many writes of this kind have been done."""
    return lambda writes: sum(bool(re.search(pattern, write)) for write in writes) >= times


def until(met: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """For what has nothing to watch: the audit log of the API server."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.01)
