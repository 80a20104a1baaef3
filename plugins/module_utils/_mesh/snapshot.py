# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""All that was read of a cluster at one time, and what it means. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from ansible_collections.meshops.istio.plugins.module_utils._mesh.budgets import Budget
from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Decision, Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installer import UNKNOWN, Installed
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import Asks, Namespace
from ansible_collections.meshops.istio.plugins.module_utils._mesh.settings import Istiod, Settings
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import USUAL_NAMESPACE, entries, webhook_of
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Judged, Owner, Pod, Standing, Workload, judge

POD, DEPLOYMENT = "Pod", "Deployment"


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A revision's istiod, as its Deployment tells."""

    revision: str
    namespace: str
    name: str
    version: str | None
    deployment: Workload
    installed: Installed = UNKNOWN
    cluster_id: str = ""
    """What its proxies of this cluster call the cluster; empty where that is not known."""
    settings: Settings | None = None
    """Of its injector; None where they cannot be seen."""

    @property
    def ready(self) -> bool:
        return 0 < self.deployment.replicas <= self.deployment.available


@dataclass(frozen=True)
class Snapshot:
    control_planes: tuple[ControlPlane, ...]
    injectors: tuple[Injector, ...]
    namespaces: tuple[Namespace, ...]
    workloads: tuple[Workload, ...]
    pods: tuple[Pod, ...]
    budgets: tuple[Budget, ...] = ()
    hidden: tuple[str, ...] = ()
    """Kinds that this user may not list: whatever there is of them is unknown."""

    def sees(self, kind: str) -> bool:
        """Whether all that there is of a kind has been read."""
        return kind not in self.hidden

    @cached_property
    def namespace(self) -> Mapping[str, Namespace]:
        return {namespace.name: namespace for namespace in self.namespaces}

    @cached_property
    def there(self) -> frozenset[str]:
        """Revisions that something answers for: a Deployment, an injector that is called by a url, or one whose Service has endpoints."""
        called = {one.revision for one in self.injectors if one.ready or (one.url and not one.tag)}
        return frozenset({plane.revision for plane in self.control_planes} | called)

    @cached_property
    def versions(self) -> Mapping[str, str | None]:
        return {plane.revision: plane.version for plane in self.control_planes}

    @cached_property
    def istiods(self) -> Mapping[str, Istiod]:
        """What is known of each revision; of two control planes that share one, only what is the same."""
        found: dict[str, Istiod] = {}
        for plane in self.control_planes:
            one, other = Istiod(plane.version, plane.settings), found.get(plane.revision)
            found[plane.revision] = one if other in (None, one) else Istiod()
        return found

    @cached_property
    def _pods_of(self) -> Mapping[tuple[str, Owner], tuple[Pod, ...]]:
        owned: dict[tuple[str, Owner], list[Pod]] = defaultdict(list)
        for pod in self.pods:
            owned[pod.namespace, pod.owner].append(pod)
        return {key: tuple(pods) for key, pods in owned.items()}

    def pods_of(self, workload: Workload) -> tuple[Pod, ...]:
        return self._pods_of.get(workload.owner, ())

    def decide(self, namespace: str, pod: PodShape) -> Decision:
        """What a new pod would get in a namespace."""
        return decide(pod, namespace, self.namespace[namespace].labels, self.injectors, self.istiods)

    def gets(self, namespace: str) -> Decision:
        """What a plain pod would get in a namespace."""
        if namespace not in self._plain:
            self._plain[namespace] = self.decide(namespace, PodShape())
        return self._plain[namespace]

    @cached_property
    def _plain(self) -> dict[str, Decision]:
        """What has been decided already: many ask."""
        return {}

    @cached_property
    def judged(self) -> tuple[Judged, ...]:
        """Every workload that has something to do with the mesh or could have, with its standing."""
        return self.within(self.namespace)

    @cached_property
    def staying(self) -> tuple[Judged, ...]:
        """The same without namespaces that are being deleted, where the API server takes no new pods (admission NamespaceLifecycle)."""
        return tuple(judged for judged in self.judged if not self.namespace[judged.workload.namespace].deleting)

    def within(self, namespaces: Iterable[str]) -> tuple[Judged, ...]:
        """The workloads of these namespaces, in the order in which they were read."""
        names = set(namespaces) & self.namespace.keys()
        return tuple(self._judge(place) for place in sorted(place for name in names for place in self._places.get(name, ())))

    @cached_property
    def _places(self) -> Mapping[str, tuple[int, ...]]:
        """Where the workloads of each namespace stand: to look for them among all, for each namespace, would be a square."""
        found: dict[str, list[int]] = defaultdict(list)
        for place, workload in enumerate(self.workloads):
            found[workload.namespace].append(place)
        return {name: tuple(places) for name, places in found.items()}

    @cached_property
    def _judged(self) -> dict[int, Judged]:
        """What has been judged already: many ask."""
        return {}

    def _judge(self, place: int) -> Judged:
        if place not in self._judged:
            workload = self.workloads[place]
            decision = self.decide(workload.namespace, workload.template)
            judged = judge(workload, self.pods_of(workload), decision, self.versions.get(decision.revision or ""))
            self._judged[place] = judged if self.sees(POD) else replace(judged, seen=False)
        return self._judged[place]

    def check_known(self, namespaces: Iterable[str]) -> None:
        """Raises MeshError for names that no namespace has."""
        unknown = sorted(set(namespaces) - self.namespace.keys())
        if unknown:
            do = "correct the names, or create the namespaces first"
            raise MeshError("Some namespaces do not exist.", where=", ".join(unknown), do=do)

    def unknowns(self) -> tuple[str, ...]:
        """What this user may not list, each as a sentence."""
        return tuple(f"{kind}: this user may not list any, so that what there is of them is not known." for kind in self.hidden)

    def standing(self, standing: Standing, namespaces: Iterable[str]) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.within(namespaces) if judged.standing is standing)

    def injected_by(self, revision: str) -> tuple[str, ...]:
        """Namespaces whose plain pods get this revision now, by whatever name they ask for it."""
        return tuple(n.name for n in self.namespaces if not n.deleting and self.gets(n.name).revision == revision)

    def may_need(self, revision: str) -> tuple[str, ...]:
        """The same, with those of which it is not excluded."""
        return tuple(n.name for n in self.namespaces if not n.deleting and self.gets(n.name).may_get(revision))

    def asking(self, asks: Callable[[Namespace], Asks | None]) -> Snapshot:
        """The same cluster with other labels on some namespaces: the start of every prediction."""
        changed = ((namespace, asks(namespace)) for namespace in self.namespaces)
        return replace(self, namespaces=tuple(n if then is None else n.asking(then) for n, then in changed))

    def with_revision(self, revision: str, version: str | None, settings: Settings | None = None) -> Snapshot:
        """The same cluster as if a control plane of that revision stood there already, with the chart's settings or these."""
        if any(injector.revision == revision and not injector.tag for injector in self.injectors):
            return self
        deployment = Workload("Deployment", "", f"istiod-{revision}", "", PodShape())
        plane = ControlPlane(revision, "", f"istiod-{revision}", version, deployment, settings=settings or Settings())
        return replace(self, injectors=(*self.injectors, expected_injector(revision)), control_planes=(*self.control_planes, plane))


def expected_injector(revision: str) -> Injector:
    """What a revisioned istiod of 1.10 to 1.30 brings."""
    return Injector(webhook_of(revision, USUAL_NAMESPACE), revision, None, entries(revision))
