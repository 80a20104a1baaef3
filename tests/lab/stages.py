# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the simulated kubelet does, as KWOK stages: pods are ready at once, or have the fault that their annotation asks for.

Pods of a control plane (label ``app: istiod``) only get to Running here: ``standins.py`` makes them Ready when their process answers.
"""

from __future__ import annotations

import typing as t

FAULT = "lab.meshops.io/fault"
IMAGE_PULL, CRASH, NEVER_READY, SLOW_START = "image-pull", "crash", "never-ready", "slow-start"
SIDECAR_IMAGE, SIDECAR_CRASH = "sidecar-image-pull", "sidecar-crash"
FAULTS = (IMAGE_PULL, CRASH, NEVER_READY, SLOW_START, SIDECAR_IMAGE, SIDECAR_CRASH)
FAULT_WITH = "lab.meshops.io/fault-with"
"""Only pods that this revision has injected have the fault."""
SLOW_END = "lab.meshops.io/slow-end"
"""Pods with this annotation take their time to end."""
SLOW_SECONDS = 3
ISTIOD = "istiod"

Stage = dict[str, t.Any]

_NOTES = ".metadata.annotations"
_INJECTED = f'{_NOTES}["istio.io/rev"]'
_FAULT_KEY = f'if ({_NOTES}["{FAULT_WITH}"] // {_INJECTED}) == {_INJECTED} then {_NOTES}["{FAULT}"] else null end'
_SLOW_END_KEY = f'{_NOTES}["{SLOW_END}"]'
_SIDECAR = 'eq .name "istio-proxy"'
_APP_KEY = '.metadata.labels["app"]'
_READY_KEY = '.status.conditions.[] | select( .type == "Ready" ) | .status'

_PULLING = 'waiting:\n      reason: ImagePullBackOff\n      message: {{ printf "Back-off pulling image %q" .image | Quote }}'
_CRASHING = "waiting:\n      reason: CrashLoopBackOff\n      message: back-off 40s restarting failed container"
_LAST = """
  lastState:
    terminated:
      exitCode: 1
      reason: Error
      startedAt: {{ $now | Quote }}
      finishedAt: {{ $now | Quote }}"""

_STATUS = """
{{ $now := Now }}
conditions:
- {lastTransitionTime: {{ $now | Quote }}, status: "True", type: Initialized}
- {lastTransitionTime: {{ $now | Quote }}, status: "<READY>", type: ContainersReady<REASON>}
- {lastTransitionTime: {{ $now | Quote }}, status: "<READY>", type: Ready<REASON>}
{{ range .spec.readinessGates }}
- {lastTransitionTime: {{ $now | Quote }}, status: "True", type: {{ .conditionType | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- image: {{ .image | Quote }}
  imageID: ""
  name: {{ .name | Quote }}
  {{ if <FAULTY> }}
  ready: false
  started: false
  restartCount: <RESTARTS>
  state:
    <STATE>
  {{ else }}
  ready: <CONTAINER_READY>
  started: true
  restartCount: 0
  state:
    running: {startedAt: {{ $now | Quote }}}
  {{ end }}
{{ end }}
initContainerStatuses:
{{ range .spec.initContainers }}
- image: {{ .image | Quote }}
  imageID: ""
  name: {{ .name | Quote }}
  {{ if <FAULTY_INIT> }}
  ready: false
  started: false
  restartCount: <RESTARTS>
  state:
    <STATE>
  {{ else if eq .restartPolicy "Always" }}
  ready: true
  started: true
  restartCount: 0
  state:
    running: {startedAt: {{ $now | Quote }}}
  {{ else }}
  ready: true
  started: false
  restartCount: 0
  state:
    terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}}
  {{ end }}
{{ end }}
{{ with NodeIPsWith .spec.nodeName }}
hostIP: {{ index . 0 | Quote }}
hostIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ if not .status.podIP }}
{{ with PodIPsWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "") }}
podIP: {{ index . 0 | Quote }}
podIPs:
{{ range . }}
- ip: {{ . | Quote }}
{{ end }}
{{ end }}
{{ end }}
phase: <PHASE>
startTime: {{ or .status.startTime $now | Quote }}
"""

_NODE_STATUS = """
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- lastHeartbeatTime: {{ $now | Quote }}
  lastTransitionTime: {{ $now | Quote }}
  message: {{ .message | Quote }}
  reason: {{ .reason | Quote }}
  status: {{ .status | Quote }}
  type: {{ .type | Quote }}
{{ end }}
{{ with NodePort }}
daemonEndpoints:
  kubeletEndpoint:
    Port: {{ . }}
{{ end }}
phase: Running
"""


def stages() -> list[Stage]:
    not_istiod = _where(_APP_KEY, "NotIn", ISTIOD)
    istiod = _where(_APP_KEY, "In", ISTIOD)
    pending = _where(".status.phase", "In", "Pending")
    once = _where(".status.podIP", "DoesNotExist")  # is enough where the phase stays Pending
    return [
        # A node's version, addresses and room are posted with it. kwok renews its lease by itself.
        _stage("node-ready", [_where(_READY_KEY, "NotIn", "True")], {"statusTemplate": _NODE_STATUS}, kind="Node"),
        _stage("pod-delete", [_where(".metadata.deletionTimestamp", "Exists"), _where(_SLOW_END_KEY, "DoesNotExist")], {"delete": True}),
        _slow(_stage("pod-slow-end", [_where(".metadata.deletionTimestamp", "Exists"), _where(_SLOW_END_KEY, "Exists")], {"delete": True})),
        _pod("pod-ready", _status(ready=True), pending, not_istiod, _where(_FAULT_KEY, "NotIn", *FAULTS)),
        _pod("pod-istiod", _status(ready=False), pending, istiod, _where(_FAULT_KEY, "NotIn", IMAGE_PULL, CRASH)),
        _pod("pod-never-ready", _status(ready=False), pending, not_istiod, _where(_FAULT_KEY, "In", NEVER_READY, SLOW_START)),
        _pod(
            "pod-slow-start",
            _status(ready=True),
            _where(".status.phase", "In", "Running"),
            not_istiod,
            _where(_FAULT_KEY, "In", SLOW_START),
            _where(_READY_KEY, "NotIn", "True"),
            delay=SLOW_SECONDS,
        ),
        _pod(
            "pod-image-pull",
            _status(ready=False, phase="Pending", state=_PULLING, faulty="true"),
            pending,
            _where(_FAULT_KEY, "In", IMAGE_PULL),
            once,
        ),
        _pod(
            "pod-crash", _status(ready=False, state=_CRASHING + _LAST, restarts=3, faulty="true"), pending, _where(_FAULT_KEY, "In", CRASH)
        ),
        _pod(
            "pod-sidecar-image-pull",
            _status(ready=False, phase="Pending", state=_PULLING, faulty=_SIDECAR, init=_SIDECAR),
            pending,
            _where(_FAULT_KEY, "In", SIDECAR_IMAGE),
            once,
        ),
        _pod(
            "pod-sidecar-crash",
            _status(ready=False, phase="Pending", state=_CRASHING + _LAST, restarts=3, faulty=_SIDECAR, init=_SIDECAR),
            pending,
            _where(_FAULT_KEY, "In", SIDECAR_CRASH),
            once,
        ),
    ]


def _pod(name: str, status: str, *conditions: Stage, delay: int = 0) -> Stage:
    alive = _where(".metadata.deletionTimestamp", "DoesNotExist")
    stage = _stage(name, [alive, *conditions], {"statusTemplate": status})
    return _slow(stage, delay) if delay else stage


def _slow(stage: Stage, seconds: int = SLOW_SECONDS) -> Stage:
    stage["spec"]["delay"] = {"durationMilliseconds": seconds * 1000}
    return stage


def _stage(name: str, conditions: list[Stage], following: Stage, kind: str = "Pod") -> Stage:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {"resourceRef": {"apiGroup": "v1", "kind": kind}, "selector": {"matchExpressions": conditions}, "next": following},
    }


def _where(key: str, operator: str, *values: str) -> Stage:
    return {"key": key, "operator": operator} | ({"values": list(values)} if values else {})


def _status(
    *, ready: bool, phase: str = "Running", state: str = "running: {}", restarts: int = 0, faulty: str = "false", init: str = "false"
) -> str:
    """``faulty`` and ``init`` say of each container, and of each init container, whether it has that state, as a template's condition."""
    values = {
        "CONTAINER_READY": str(ready).lower(),
        "READY": str(ready),
        "REASON": "" if ready else ", reason: ContainersNotReady",
        "RESTARTS": str(restarts),
        "STATE": state,
        "PHASE": phase,
        "FAULTY": faulty,
        "FAULTY_INIT": init,
    }
    text = _STATUS
    for name, value in values.items():
        text = text.replace(f"<{name}>", value)
    return text
