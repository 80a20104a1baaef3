# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a workload is really rolled out, and when a control plane is really there. Pure.

Source: Kubernetes documentation, "Deployment status"; kubectl's own ``rollout status`` counts the same fields
(k8s.io/kubectl pkg/polymorphichelpers/rollout_status.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import SIDECAR, Pod, Workload

_FATAL = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_IMAGE = frozenset({"ImagePullBackOff", "ErrImagePull"})
_BROKEN = _IMAGE | {"CrashLoopBackOff", "RunContainerError", "CreateContainerError", "CreateContainerConfigError"}
_REFUSED = ("denied the request", "denied request", "failed calling webhook", "violates PodSecurity")
"""How an admission webhook, a ValidatingAdmissionPolicy, a webhook that cannot be reached and Pod Security say no."""


def rolled_out(workload: Workload) -> bool:
    """All wanted pods are of the newest template, none of an older one is left, and they are available.

    Of a StatefulSet with a partition, as many are wanted as are not below it; with OnDelete none, and only what is there counts.
    """
    return not rolling(workload) and workload.available >= (workload.updated if _wholly(workload) else workload.replicas)


def rolling(workload: Workload) -> bool:
    """Pods of an older template are being replaced, or its newest template has not been seen: not the same as unhealthy."""
    if workload.observed < workload.generation or workload.updated < workload.rolls:
        return True
    return _wholly(workload) and workload.total > workload.updated


def _wholly(workload: Workload) -> bool:
    """Its controller brings all its pods to the newest template."""
    return not workload.on_delete and not workload.partition


def rollout(workload: Workload, pods: Iterable[Pod], *, ours: bool = True) -> Progress:
    """How far one workload's rollout is; ``pods`` are those of its newest template, as far as they can be told.

    What breaks the sidecar's own containers, and a refusal, end the wait at once where the rollout is ``ours``: it is what was just done.
    A rollout that was found under way may have been mended since: its controller tells nothing new until it tries again.
    """
    if rolled_out(workload):
        return Progress(1, 1)
    left = workload.total - workload.updated if _wholly(workload) else 0
    ready = min(workload.updated if _wholly(workload) else workload.total, workload.available)
    line = f"{at(workload)}: {ready} of {workload.replicas} pods" + (f", {left} old" if left > 0 else "")
    if workload.observed < workload.generation:  # what its status says is about an older template
        return Progress(0, 1, (line,))
    return replace(trouble(workload, pods, line, ours=ours), pods=ready)


def trouble(workload: Workload, pods: Iterable[Pod], line: str, *, ours: bool = True) -> Progress:
    """What stands in the way of pods that should become ready; ``line`` says how far they are."""
    stuck = next((pod for pod in pods if pod.waiting and not pod.deleting and not pod.finished), None)
    reason = workload.failure or (f"pod {stuck.name}: {waits_for(stuck)}" if stuck else "")
    if not reason:
        return Progress(0, 1, (line,))
    problem = MeshError(
        f"{at(workload)} does not roll out.",
        where=f"namespace {workload.namespace}",
        why=reason,
        do=f"kubectl -n {workload.namespace} describe {workload.short}",
    )
    waiting = (f"{line} ({reason.split(':')[0] if workload.failure else stuck.waiting if stuck else ''})",)
    if (stuck and (stuck.waiting in _FATAL or (ours and sidecar_broken(stuck)))) or (ours and refused(workload.failure)):
        return Progress(0, 1, waiting, fatal=problem)
    return Progress(0, 1, waiting, failing=problem)


def at(workload: Workload) -> str:
    """``deploy/api in pay``."""
    return f"{workload.short} in {workload.namespace}"


def waits_for(pod: Pod) -> str:
    return f"{pod.container}: {pod.waiting}" if pod.container else pod.waiting


def sidecar_broken(pod: Pod) -> bool:
    """A container that injection adds cannot run: what was just caused, and nothing that waiting would mend."""
    return pod.container in SIDECAR and pod.waiting in _BROKEN


def refused(failure: str) -> bool:
    """The API server does not take the pods: waiting does not change its mind."""
    return any(words in failure for words in _REFUSED)


def together(parts: Sequence[Progress]) -> Progress:
    """Several waits as one; the first thing that fails is the one that is told."""
    return Progress(
        done=sum(part.done for part in parts),
        total=sum(part.total for part in parts),
        waiting=tuple(line for part in parts for line in part.waiting),
        fatal=next((part.fatal for part in parts if part.fatal), None),
        failing=next((part.failing for part in parts if part.failing), None),
        pods=sum(part.pods for part in parts),
        borne=tuple(line for part in parts for line in part.borne),
    )


def control_plane_ready(
    revision: str, deployment: Workload | None, pods: Iterable[Pod], injectors: Iterable[Injector], endpoints: int, least: int = 1
) -> Progress:
    """Rolled out with at least so many pods, endpoints ready, and a caBundle in every webhook entry: only then is no pod refused.

    An entry without a caBundle and failurePolicy Fail refuses every pod that it matches. An image that cannot be pulled
    ends this wait at once: unlike a workload's, it is the one that was just asked for.
    """
    if deployment is None:
        return Progress(0, 4, (f"Deployment of {revision}: not there yet",))
    parts = [_strict(rollout(deployment, pods))]
    few = () if deployment.available >= least else (f"{deployment.available} of {least} replicas",)
    parts.append(Progress(int(not few), 1, few))
    parts.append(Progress(int(endpoints > 0), 1, () if endpoints else ("no ready endpoint of its Service",)))
    mine = [injector for injector in injectors if injector.revision == revision]
    without = [f"{i.name}: {entry.name} has no caBundle" for i in mine for entry in i.entries if not entry.has_ca]
    parts.append(Progress(int(bool(mine) and not without), 1, tuple(without) if mine else ("no MutatingWebhookConfiguration of it",)))
    return together(parts)


def _strict(progress: Progress) -> Progress:
    failing = progress.failing
    if failing and any(reason in failing.why for reason in _IMAGE):
        return replace(progress, fatal=failing, failing=None)
    return progress
