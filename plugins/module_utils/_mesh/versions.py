# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the versions of Kubernetes, control planes and proxies go together. Pure.

Sources: istio.io, "Supported releases" and "Canary upgrades"; the minimum of Kubernetes is istioctl's own
(istioctl/pkg/install/k8sversion/version.go, 1.9 to 1.31).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from ansible_collections.meshops.istio.plugins.module_utils._mesh.findings import Finding, Topic, blocker, warning
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.waves import Target
from ansible_collections.meshops.istio.plugins.module_utils._mesh.words import listed

_KUBERNETES = (
    ((1, 9, 0), (1, 17)),
    ((1, 16, 0), (1, 22)),
    ((1, 20, 0), (1, 25)),
    ((1, 24, 0), (1, 28)),
    ((1, 25, 0), (1, 29)),
    ((1, 28, 2), (1, 30)),
    ((1, 30, 0), (1, 32)),
)
"""From which Istio on which Kubernetes is needed at least, where that is known."""
_READS_V1 = (1, 24)
_MOST_AT_ONCE = 2
"""Minor versions that an upgrade by revisions may skip to."""
Numbers = tuple[int, int, int]


def version_findings(
    snapshot: Snapshot, target: Target, old: str | None, names: Sequence[str], kubernetes: str | None
) -> Iterator[Finding]:
    """``kubernetes`` is what the API server says of itself; None is not known."""
    to = numbers(target.version)
    if to is None:
        yield warning(
            Topic.VERSIONS,
            f'Which Istio "{target.revision}" runs is not known',
            why="neither mesh_version nor an image says it, so that versions are not compared",
            do="set mesh_version",
        )
        return
    yield from _kubernetes(to, target.version or "", kubernetes)
    yield from _step(snapshot, target, old, to)
    yield from _proxies(snapshot, target, names, to)


def _kubernetes(to: Numbers, version: str, kubernetes: str | None) -> Iterator[Finding]:
    least = next((needed for since, needed in reversed(_KUBERNETES) if to >= since), None)
    here = numbers(kubernetes)
    if least and here is None:
        yield warning(Topic.VERSIONS, "The version of Kubernetes is not known", why=f"Istio {version} needs {_minor(least)} or newer")
    elif least and here and here[:2] < least:
        yield warning(
            Topic.VERSIONS,
            f"Kubernetes is older than Istio {version} supports",
            where=f"the API server is {kubernetes}",
            why=f"it asks for {_minor(least)} or newer; istioctl only warns too, and the proof of the new istiod tells",
            do="upgrade Kubernetes first, or choose an older Istio (mesh_version)",
        )


def _step(snapshot: Snapshot, target: Target, old: str | None, to: Numbers) -> Iterator[Finding]:
    plane = next((one for one in snapshot.control_planes if one.revision == old), None)
    if old is None or (plane and plane.revision == target.revision):
        return
    said = plane.version if plane else None
    here = numbers(said)
    if here is None:
        why = "its image tells no version" if plane else "it has no Deployment here: it is managed, or called by a url"
        yield warning(Topic.VERSIONS, f'Which Istio "{old}" runs is not known', why=f"{why}, so that the step is not judged")
    elif to[0] == here[0] and to[1] - here[1] > _MOST_AT_ONCE:
        yield blocker(
            Topic.VERSIONS,
            f"From Istio {said} to {target.version} are more than two minor versions.",
            where=f'control planes "{old}" and "{target.revision}"',
            why="an upgrade by revisions may skip one minor version, not more; what changed between is announced for that alone",
            do=f"go by way of {here[0]}.{here[1] + _MOST_AT_ONCE}, which is an upgrade of its own",
        )
    elif to < here:
        yield warning(
            Topic.VERSIONS,
            f"This goes back, from Istio {said} to {target.version}",
            why="the older one may not know what the newer one has served, and running proxies are newer than it until they restart",
            do="check that mesh_version is what you mean; an upgrade that is under way is taken back by meshops.istio.rollback",
        )


def _proxies(snapshot: Snapshot, target: Target, names: Sequence[str], to: Numbers) -> Iterator[Finding]:
    """A data plane may be older than its control plane, never newer; one that is not restarted keeps what it has."""
    newer: list[str] = []
    for judged in snapshot.within(names):
        found = {pod.proxy.version for pod in judged.pods if pod.proxy and (numbers(pod.proxy.version) or to)[:2] > to[:2]}
        newer += [f"{judged.workload.path} ({', '.join(sorted(filter(None, found)))})"] if found else []
    if newer:
        yield warning(
            Topic.VERSIONS,
            f"Proxies are newer than Istio {target.version}",
            where=listed(newer, most=10),
            why="a proxy must not be newer than its control plane; those that set their own image stay so after the restart",
            do="take sidecar.istio.io/proxyImage out of their templates, or choose a newer Istio",
        )


def crd_findings(target: Target, served: Collection[str] | None, lowered: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """``served`` are the versions of networking.istio.io that the API server has; ``lowered`` is what CRDs would lose."""
    to = numbers(target.version)
    if lowered:
        yield blocker(
            Topic.VERSIONS,
            "Some CRDs would lose what they have.",
            where="; ".join(f"{name}: {listed(gone)}" for name, gone in sorted(lowered.items())),
            why="they are of a newer Istio than what is rendered, and objects in the cluster may use it",
            do="leave apply_shared (mesh_apply_shared) out: the CRDs that are there serve older control planes too",
        )
    if to and to[:2] >= _READS_V1 and served is not None and "v1" not in served:
        yield warning(
            Topic.VERSIONS,
            f"The CRDs are older than Istio {target.version} needs",
            where=f"networking.istio.io is served as {', '.join(sorted(served)) or 'nothing at all'}",
            why="newer control planes read version v1 of it, which came with Istio 1.22",
            do="apply the CRDs of the new version first (chart base); they serve the old control plane too",
        )


def numbers(version: str | None) -> Numbers | None:
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", version or "")
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def _minor(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
