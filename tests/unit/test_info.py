# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What mesh_info is made of: which parts are asked for, who installed what, who is connected, and what does not agree."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.meshops.istio.plugins.filter.workloads import workloads as filtered
from ansible_collections.meshops.istio.plugins.module_utils._kube import istiods, mesh_config
from ansible_collections.meshops.istio.plugins.module_utils._kube.snapshot import control_plane
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse
from ansible_collections.meshops.istio.plugins.module_utils._kube.workloads import workload
from ansible_collections.meshops.istio.plugins.module_utils._mesh.connections import (
    Connection,
    Connections,
    Heard,
    Istiod,
    Sync,
    connections,
    refusals,
    with_versions,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.disagreements import NOT_CONNECTED, Source, disagreements
from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.installer import By, managed_by
from ansible_collections.meshops.istio.plugins.module_utils._mesh.mesh_config import differing_roots, undiscovered
from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import DATAPLANE_MODE
from ansible_collections.meshops.istio.plugins.module_utils._mesh.pinned import reader, unread
from ansible_collections.meshops.istio.plugins.module_utils._mesh.referrers import Pinned
from ansible_collections.meshops.istio.plugins.module_utils._mesh.services import Service, Services
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.subsets import Subset, chosen
from ansible_collections.meshops.istio.plugins.module_utils._mesh.trouble import trouble
from ansible_collections.meshops.istio.plugins.module_utils._mesh.wishes import Wish, wish
from ansible_collections.meshops.istio.plugins.module_utils._mesh.workloads import Gateway, Proxy
from tests.unit.figures.table import Figures
from tests.unit.meshes import NEW, OLD, deployment, mesh, namespace, plane, proxy, tag, unrevisioned

Json = dict[str, t.Any]
ALL = frozenset(Subset)
M, W, C, V = Subset.MIN, Subset.WORKLOADS, Subset.CONNECTIONS, Subset.VERSIONS

ASKED: dict[str, tuple[list[str], set[Subset]]] = {
    "min is always there": (["workloads"], {M, W}),
    "but where it is left out": (["workloads", "!min"], {W}),
    "nothing but min": (["!all"], {M}),
    "everything": (["all"], set(ALL)),
    "everything but one": (["all", "!connections"], set(ALL) - {C}),
    "a name beats its exclusion": (["!all", "connections", "!connections"], {M, C}),
    "only one": (["!all", "!min", "versions"], {V}),
}


@pytest.mark.parametrize(("asked", "parts"), ASKED.values(), ids=ASKED)
def test_parts_are_asked_for_as_with_setup(asked: list[str], parts: set[Subset]) -> None:
    """Seen with ansible-core 2.19 to 2.21: ``gather_subset: '!network'`` alone gathers min."""
    assert chosen(asked) == parts


@pytest.mark.parametrize("name", ["pods", "!pods", "", "!"])
def test_what_is_no_part_is_refused(name: str) -> None:
    with pytest.raises(MeshError, match="nothing that can be gathered"):
        chosen([name])


def istiod(image: str = "docker.io/istio/pilot:1.29.6", **metadata: t.Any) -> Json:
    labels = {"app": "istiod", "istio.io/rev": "1-29-6"} | metadata.pop("labels", {})
    spec = {"template": {"spec": {"containers": [{"name": "discovery", "image": image}]}}}
    return {"metadata": {"name": "istiod-1-29-6", "namespace": "istio-system", "uid": "1", "labels": labels, **metadata}, "spec": spec}


HELM = {"meta.helm.sh/release-name": "istiod-1-29-6"}
OWNING = {"install.operator.istio.io/owning-resource-namespace": "istio-system", "operator.istio.io/managed": "Reconcile"}
REVISION_OF_SAIL = {"apiVersion": "sailoperator.io/v1", "kind": "IstioRevision", "name": "default-v1-29-6"}
OURS = {"manager": "meshops", "operation": "Apply"}
INSTALLERS: dict[str, tuple[Json, By, str]] = {
    "helm": (istiod(annotations=HELM, labels={"app.kubernetes.io/managed-by": "Helm"}), By.HELM, "release-name=istiod-1-29-6"),
    "istioctl": (istiod(labels=OWNING), By.ISTIOCTL, "owning-resource-namespace=istio-system"),
    "Sail, which renders charts": (istiod(annotations=HELM, ownerReferences=[REVISION_OF_SAIL]), By.SAIL, "IstioRevision/default-v1-29-6"),
    "asmcli, which runs istioctl": (istiod("gcr.io/gke-release/asm/pilot:1.9.8-asm.6", labels=OWNING), By.ASMCLI, "1.9.8-asm.6"),
    "asmcli with a mirror": (istiod("mirror.example.com/pilot:1.28.2-asm.4", labels=OWNING), By.ASMCLI, "1.28.2-asm.4"),
    "this collection, from what istioctl renders": (istiod(labels=OWNING, managedFields=[OURS]), By.MESHOPS, "field manager meshops"),
    "this collection has only scaled it": (istiod(labels=OWNING, managedFields=[OURS | {"operation": "Update"}]), By.ISTIOCTL, "label"),
    "nobody that is known": (istiod(), By.UNKNOWN, "neither"),
}


@pytest.mark.parametrize(("item", "by", "evidence"), INSTALLERS.values(), ids=INSTALLERS)
def test_who_installed_a_control_plane(item: Json, by: By, evidence: str) -> None:
    found = control_plane(item, workload("Deployment")(item))
    assert found is not None
    assert found.installed.by is by
    assert evidence in found.installed.evidence


def test_who_manages_what_does_not_run_here() -> None:
    assert managed_by("asm-managed-rapid", "https://10.1.2.3/inject").by is By.GOOGLE
    url = "https://meshconfig.googleapis.com:443/inject/projects/p"
    assert managed_by("anything", url).evidence == "its injector calls meshconfig.googleapis.com:443"
    assert managed_by("remote", "https://istiod.example.com/inject").by is By.UNKNOWN


WISHES: dict[str, tuple[PodShape, str | None, Wish]] = {
    "a label": (PodShape({"sidecar.istio.io/inject": "true"}), None, Wish.IN),
    "a label beats an annotation": (PodShape({"sidecar.istio.io/inject": "false"}, {"sidecar.istio.io/inject": "true"}), None, Wish.OUT),
    "an annotation": (PodShape({}, {"sidecar.istio.io/inject": "false"}), None, Wish.OUT),
    "another word counts for nothing from 1.27": (PodShape({"sidecar.istio.io/inject": "off"}), "1.30.3", Wish.DEFAULT),
    "and did before": (PodShape({"sidecar.istio.io/inject": "off"}), "1.26.8", Wish.OUT),
    "yes did, too": (PodShape({}, {"sidecar.istio.io/inject": "Yes"}), "1.26.8", Wish.IN),
    "a revision": (PodShape({"istio.io/rev": "1-30-3"}), None, Wish.IN),
    "the network of its node": (PodShape({"sidecar.istio.io/inject": "true"}, {}, True), None, Wish.OUT),
    "nothing": (PodShape(), None, Wish.DEFAULT),
}


@pytest.mark.parametrize(("pod", "version", "wished"), WISHES.values(), ids=WISHES)
def test_what_a_pod_asks_for_itself(pod: PodShape, version: str | None, wished: Wish) -> None:
    assert wish(pod, version) is wished


# who is connected


def test_what_a_real_istiod_says_of_its_proxies(figures: Figures) -> None:
    for revision, said in figures.proxies.items():
        for one, found in zip(said, istiods.parse(json.dumps(said).encode()), strict=True):
            assert f"{found.pod}.{found.namespace}" == one["proxy"]
            assert (found.version, found.cluster, found.sync) == (revision.replace("-", "."), "Kubernetes", Sync.SYNCED)


OF_1_9 = {"proxy": "web-1.shop", "istio_version": "1.9.8-asm.6", "cluster_sent": "a", "cluster_acked": "a"}
SAID: dict[str, tuple[object, list[Sync]]] = {
    "null is none": (None, []),
    "none": ([], []),
    "of 1.9, which lists no resources": ([OF_1_9], [Sync.SYNCED]),
    "of 1.9, behind": ([OF_1_9 | {"listener_sent": "b", "listener_acked": "a"}], [Sync.PENDING]),
    "what was never asked for does not count": ([OF_1_9 | {"resources": {"x": {"sent": "", "acked": ""}}}], [Sync.SYNCED]),
    "behind": ([OF_1_9 | {"resources": {"x": {"sent": "b", "acked": "a"}, "y": {"sent": "c", "acked": "c"}}}], [Sync.PENDING]),
    "refused": ([OF_1_9 | {"resources": {"x": {"sent": "b", "acked": "a", "lastError": "no such cluster"}}}], [Sync.REFUSED]),
    "an error that is over": ([OF_1_9 | {"resources": {"x": {"sent": "b", "acked": "b", "lastError": "it was"}}}], [Sync.SYNCED]),
}


@pytest.mark.parametrize(("said", "syncs"), SAID.values(), ids=SAID)
def test_whether_a_proxy_has_taken_what_it_was_sent(said: object, syncs: list[Sync]) -> None:
    assert [one.sync for one in istiods.parse(json.dumps(said).encode())] == syncs


@pytest.mark.parametrize("said", [b"", b"404 page not found", b'{"error": 1}', b"[1]", b'[{"no": "proxy"}]', b"[null]"])
def test_an_answer_that_is_none_is_not_read_as_nobody(said: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError, KeyError)):
        istiods.parse(said)


WEB = deployment("web", "shop")
SHOP = namespace("shop", injection="enabled")


def connection(version: str = "1.29.6", sync: Sync = Sync.SYNCED, cluster: str = "Kubernetes") -> Connection:
    return Connection("shop", "web-0", cluster, version, sync)


def told(found: Snapshot, *said: Connection, revision: str = OLD, unread: str = "") -> Connections:
    return connections((Heard(Istiod("istio-system", "istiod-1", revision), said, unread),), found)


def with_proxy(one: Proxy | None, label: str = "enabled") -> Snapshot:
    found = mesh((namespace("shop", injection=label),), pods=((WEB, one),))
    return replace(found, control_planes=(replace(plane(OLD, "1.29.6"), cluster_id="Kubernetes"),))


CONNECTED: dict[str, tuple[Proxy | None, tuple[Connection, ...] | None, str, tuple[Source, ...]]] = {
    "all agree": (proxy(), (connection(),), OLD, ()),
    "nothing is known of connections": (proxy(), None, OLD, ()),
    "connected to another revision": (proxy(), (connection(),), NEW, (Source.CONNECTION,)),
    "nobody knows it": (proxy(), (), OLD, (Source.CONNECTION,)),
    "only a pod of that name in another cluster": (proxy(), (connection(cluster="eu-2"),), OLD, (Source.CONNECTION,)),
    "another version than its image has": (proxy(), (connection("1.29.7"),), OLD, (Source.VERSION,)),
    "an image that tells nothing agrees": (proxy(version=None), (connection(),), OLD, ()),
    "the status says another": (replace(proxy(), status=NEW), (connection(),), OLD, (Source.STATUS,)),
    "stale": (proxy(NEW), (), NEW, (Source.CONNECTION, Source.PREDICTION)),
    "no istiod of its revision was asked: that is somewhere else": (proxy(NEW), (), OLD, (Source.PREDICTION,)),
    "no sidecar, and a new pod would get one": (None, (), OLD, (Source.PREDICTION,)),
    "a sidecar of an unknown revision": (proxy(revision=t.cast("str", None)), (), OLD, ()),
}


@pytest.mark.parametrize(("has", "said", "by", "against"), CONNECTED.values(), ids=CONNECTED)
def test_what_is_told_of_a_pod_agrees_or_does_not(
    has: Proxy | None, said: tuple[Connection, ...] | None, by: str, against: tuple[Source, ...]
) -> None:
    found = with_proxy(has)
    connected = None if said is None else told(found, *said, revision=by)
    assert tuple(source for one in disagreements(found, connected) for source in one.says.against) == against


def test_whom_nobody_was_heard_of_is_not_called_cut_off() -> None:
    """One istiod that could not be asked may be the very one."""
    found = with_proxy(proxy())
    silent = Heard(Istiod("istio-system", "istiod-2", OLD), unread="forbidden")
    some = connections((*told(found).heard, silent), found)
    assert disagreements(found, some) == ()
    assert some.unknowns() == (
        "istio-system/istiod-2: its connections could not be read (forbidden), so that who is connected to it is not known.",
    )
    assert disagreements(found, told(found))[0].says.connected == NOT_CONNECTED


def test_what_cannot_be_predicted_contradicts_nobody() -> None:
    """Conditions that Istio never sets: whether the injector is asked is not known, so that nobody is called unserved or stale either."""
    open_ended = replace(unrevisioned(), entries=tuple(replace(entry, unclear="it has conditions") for entry in unrevisioned().entries))
    found = replace(with_proxy(proxy(NEW)), injectors=(open_ended,))
    assert not found.judged[0].decision.known
    assert disagreements(found) == ()
    assert [one.what for one in trouble(found, (), Services())] == ['Proxies of "1-30-3" run on without a control plane.']


def test_an_injector_that_may_be_passed_over_refuses_nobody() -> None:
    lenient = replace(unrevisioned(), service="istiod", namespace="istio-system")
    lenient = replace(lenient, entries=tuple(replace(entry, lenient=True) for entry in lenient.entries))
    said = trouble(mesh((SHOP,), injectors=(lenient,)), (), NOBODY)[0]
    assert said.what == 'The injector of "default" cannot be called: pods that ask for it get no sidecar.'
    assert "failurePolicy Ignore" in said.why


def test_what_does_not_agree_is_said_in_one_sentence() -> None:
    found = with_proxy(replace(proxy(), status=NEW), label="disabled")
    said = disagreements(found, told(found, connection("1.30.3"), revision=NEW))[0].text()
    assert said == (
        "shop/deploy/web (web-0): the sidecar is of default; its status says 1-30-3; it is connected to istiod of 1-30-3; "
        "its image is of 1.29.6, and its istiod was told 1.30.3; new pods get no sidecar"
    )


def test_an_image_that_tells_no_version_is_filled_in_by_its_istiod() -> None:
    found = with_proxy(proxy(version=None))
    pod = with_versions(found, told(found, connection("1.28.0"))).pods[0]
    assert pod.proxy is not None
    assert pod.proxy.version == "1.28.0"


def test_refusals_and_what_is_pending_are_told_apart() -> None:
    found = with_proxy(proxy())
    refused = replace(connection(sync=Sync.REFUSED), error="no such cluster")
    said = list(refusals(told(found, refused, connection(sync=Sync.PENDING))))
    assert [str(one.weight) for one in said] == ["warning", "note"]
    assert "web-0 says: no such cluster" in said[0].why


# what is wrong


NOBODY = Services(seen=frozenset({"istio-system"}))
TROUBLE: dict[str, tuple[Snapshot, str, str]] = {
    "both labels": (
        mesh((namespace("shop", injection="enabled", rev=NEW),)),
        "Namespaces have both labels",
        "expects what is not so: its new pods get the sidecar of default",
    ),
    "both labels, and nobody serves the one that counts": (
        mesh((namespace("shop", injection="enabled", rev=NEW),), injectors=(tag("prod", OLD),)),
        "ask for sidecars by istio-injection=enabled, which nobody serves",
        "neither an unrevisioned control plane nor a default tag",
    ),
    "a word that istio-injection does not know": (
        mesh((namespace("shop", injection="true"),)),
        "ask for sidecars by istio-injection=true, which nobody serves",
        "knows enabled and disabled",
    ),
    "two injectors": (
        mesh((SHOP,), injectors=(unrevisioned(), tag("default", NEW))),
        "Pods are taken by 2 injectors",
        "the one whose name sorts last wins: new pods get the sidecar of default now",
    ),
    "ambient and a sidecar": (
        mesh((namespace("shop", injection="enabled", **{DATAPLANE_MODE: "ambient"}),)),
        "are in ambient mode, and their pods get sidecars",
        "counts for nothing",
    ),
    "a pod that asks for a revision that is not there": (
        mesh((namespace("shop"),), pods=((deployment("web", "shop", labels={"istio.io/rev": "gone"}), None),)),
        "ask for a sidecar by their own labels, and nobody serves them",
        "silently",
    ),
    "a gateway that nobody would inject": (
        mesh((namespace("edge", rev="gone"),), pods=((replace(deployment("gw", "edge"), gateway=Gateway.INJECTED), proxy()),)),
        "Gateways are made by injection, and nobody would inject them",
        "does not start",
    ),
    "proxies without a control plane": (
        mesh((namespace("shop", rev="gone"),), pods=((WEB, proxy("gone")),)),
        'Proxies of "gone" run on without a control plane',
        "no certificates when theirs run out",
    ),
}


@pytest.mark.parametrize(("found", "what", "why"), TROUBLE.values(), ids=TROUBLE)
def test_what_is_wrong_is_named_with_its_cause(found: Snapshot, what: str, why: str) -> None:
    said = [one for one in trouble(found, (), Services()) if what in one.what]
    assert len(said) == 1, [one.what for one in trouble(found, (), Services())]
    assert why in said[0].why
    assert said[0].where
    assert said[0].do


OFF = unrevisioned()
OFF = replace(OFF, entries=tuple(replace(entry, disabled=True) for entry in OFF.entries))
GIVEN_BACK = {
    "one that istioctl has disabled": (
        OFF,
        "revision_tag with tag=default and revision=default puts the default tag in its place; or "
        "kubectl delete mutatingwebhookconfiguration istio-sidecar-injector, and install default again as it was",
    ),
    "one that remembers": (replace(OFF, remembers=True), "or injection_webhook with revision=default gives it back"),
    "one of a revision": (replace(OFF, revision=NEW, remembers=True), f"injection_webhook with revision={NEW} gives it back"),
    "a tag": (replace(OFF, revision=NEW, tag="prod"), f"revision_tag with tag=prod and revision={NEW} writes it anew"),
}


@pytest.mark.parametrize(("injector", "do"), GIVEN_BACK.values(), ids=GIVEN_BACK)
def test_a_disabled_injector_is_given_back_by_what_can_do_it(injector: Injector, do: str) -> None:
    (said,) = [one for one in trouble(mesh((), injectors=(injector,)), (), Services()) if "is disabled" in one.what]
    assert said.do.endswith(do)


WELL = {
    "nobody asks": mesh((namespace("shop"),)),
    "opted out": mesh((namespace("shop", injection="disabled"),)),
    "served": mesh((SHOP,), pods=((WEB, proxy()),)),
    "a tag beside it": mesh((SHOP, namespace("pay", rev="prod")), injectors=(unrevisioned(), tag("prod", OLD))),
}


@pytest.mark.parametrize("found", WELL.values(), ids=WELL)
def test_a_mesh_that_is_well_has_nothing_wrong(found: Snapshot) -> None:
    """Also where nothing is known of Services: unknown is not gone."""
    assert trouble(found, (), Services()) == ()


# mesh config and objects


def test_the_mesh_config_of_a_control_plane() -> None:
    mesh_yaml = (
        "trustDomain: td\ndefaultConfig: {meshId: m}\nrootNamespace: istio-system\ndiscoverySelectors: [{matchLabels: {mesh: 'yes'}}]"
    )
    values = {"global": {"network": "n1", "multiCluster": {"clusterName": "eu-1"}, "caAddress": "", "meshID": "other"}}
    found = mesh_config.parse(mesh_yaml, json.dumps(values))
    assert (found.trust_domain, found.mesh_id, found.network, found.cluster_name, found.ca_address) == ("td", "m", "n1", "eu-1", None)
    told = list(undiscovered(mesh((SHOP, namespace("pay", injection="enabled", mesh="yes"))), {OLD: found}))
    assert [one.where for one in told] == ["namespaces shop"]
    assert mesh_config.parse("", "{}").trust_domain == "cluster.local"


def test_more_than_one_root_of_trust_is_named() -> None:
    one, two = replace(unrevisioned(), roots=frozenset({"a" * 64})), replace(tag("prod", NEW), roots=frozenset({"b" * 64}))
    assert list(differing_roots(mesh((), injectors=(one,)), frozenset({"a" * 64}))) == []
    assert len(list(differing_roots(mesh((), injectors=(one, two)), frozenset()))) == 1
    assert len(list(differing_roots(mesh((), injectors=(one,)), frozenset({"b" * 64})))) == 1


READERS = {
    "a control plane's own": ("virtualservices.networking.istio.io", OLD, OLD),
    "a tag is no name for Istio's kinds": ("virtualservices.networking.istio.io", "prod", None),
    "a tag is one for the Gateway API's": ("gateways.gateway.networking.k8s.io", "prod", OLD),
    "nobody's": ("gateways.gateway.networking.k8s.io", "gone", None),
}


@pytest.mark.parametrize(("resource", "label", "by"), READERS.values(), ids=READERS)
def test_who_reads_an_object_with_a_revision(resource: str, label: str, by: str | None) -> None:
    found, one = mesh((), injectors=(unrevisioned(), tag("prod", OLD))), Pinned(resource, "shop", "one", label)
    assert reader(one, found, NOBODY) == by
    assert bool(list(unread((one,), found, NOBODY))) == (by is None)
    unseen = replace(found, control_planes=(), hidden=("Deployment",))
    assert not list(unread((one,), unseen, NOBODY)), "who may not see the control planes does not know that there is none"


# the filter


def fact(path: str, standing: str, proxies: dict[str, int], gets: str | None = OLD) -> Json:
    name, short, _rest = path.split("/")
    kind = {"deploy": "Deployment", "sts": "StatefulSet"}[short]
    return {"path": path, "namespace": name, "kind": kind, "standing": standing, "proxies": proxies, "gets": gets}


FOUND = {
    "workloads": [
        fact("shop/deploy/web", "stale", {OLD: 1}, NEW),
        fact("pay/sts/db", "stale", {OLD: 1, NEW: 1}, NEW),
        fact("pay/deploy/api", "current", {NEW: 2}, NEW),
        fact("mail/deploy/out", "orphaned", {OLD: 1}, None),
    ],
    "namespaces": [{"name": name} for name in ("shop", "pay", "mail")],
}
CHOSEN: dict[str, tuple[Json, list[str]]] = {
    "all, sorted": ({}, ["mail/deploy/out", "pay/deploy/api", "pay/sts/db", "shop/deploy/web"]),
    "the stale ones of a wave": ({"standing": "stale", "namespaces": ["pay"]}, ["pay/sts/db"]),
    "of two standings": ({"standing": ["current", "orphaned"]}, ["mail/deploy/out", "pay/deploy/api"]),
    "with a sidecar of a revision": ({"revision": OLD, "kinds": "Deployment"}, ["mail/deploy/out", "shop/deploy/web"]),
    "that would get a revision": ({"gets": NEW, "kinds": ["StatefulSet"]}, ["pay/sts/db"]),
    "none in an empty wave": ({"namespaces": []}, []),
}


@pytest.mark.parametrize(("asked", "paths"), CHOSEN.values(), ids=CHOSEN)
def test_the_filter_takes_what_the_play_is_about(asked: Json, paths: list[str]) -> None:
    assert [one["path"] for one in filtered(FOUND, **asked)] == paths


WRONG: dict[str, tuple[object, Json, str]] = {
    "no result of mesh_info": ([1], {}, "There are no workloads in this"),
    "not read": ({"namespaces": []}, {}, "gather_subset"),
    "a standing that is none": (FOUND, {"standing": "stael"}, "choose from current, stale, orphaned"),
    "a namespace that is not there": (FOUND, {"namespaces": ["pya"]}, "Some namespaces do not exist.\n  where: pya"),
}


@pytest.mark.parametrize(("found", "asked", "says"), WRONG.values(), ids=WRONG)
def test_the_filter_does_not_answer_what_it_cannot_know(found: object, asked: Json, says: str) -> None:
    with pytest.raises(AnsibleFilterError, match=says):
        filtered(found, **asked)


# the states about which istioctl analyze says nothing


def recorded(figures: Figures, state: str) -> list[Injector]:
    return [found for item in figures.webhooks[state] if (found := parse(item))]


def test_what_is_left_of_an_uninstalled_revision_is_told_exactly(figures: Figures) -> None:
    """Recorded, C: ``istioctl uninstall`` takes the revision and the default tag, and leaves the tag prod that a user made."""
    state = next(name for name in figures.webhooks if "prod and default tag old" in name)
    left = [one for one in recorded(figures, state) if one.tag == "prod" or one.revision == NEW]
    there = {("istio-system", f"istiod-{NEW}"): Service("istio-system", f"istiod-{NEW}")}
    services = Services(
        there, frozenset({"istio-system"}), frozenset(), {("istio-system", f"istiod-{NEW}"): 1}, frozenset({"istio-system"})
    )
    left = [replace(one, entries=tuple(replace(entry, has_ca=True) for entry in one.entries)) for one in left]  # they are not recorded
    asking = (namespace("pay", rev="1-29-6"), namespace("shop", rev="prod"), namespace("old", injection="enabled"))
    found = replace(mesh(asking, injectors=tuple(left)), control_planes=(plane(NEW, "1.30.3"),))
    said = {one.what: (one.where, one.do) for one in trouble(found, (), services)}
    assert said == {
        'Tag "prod" cannot be called: pods that ask for it are refused.': (
            "MutatingWebhookConfiguration istio-revision-tag-prod; namespaces shop",
            f"revision_tag with tag=prod and revision={NEW}; or with state=absent, where nobody follows it",
        ),
        "Namespaces ask for sidecars by istio.io/rev=1-29-6, which nobody serves.": (
            "namespaces pay",
            f"namespace_injection with namespaces=pay and revision={NEW}, then workload_restart",
        ),
        "Namespaces ask for sidecars by istio-injection=enabled, which nobody serves.": (
            "namespaces old",
            f"revision_tag with tag=default and revision={NEW}; "
            f"or namespace_injection with namespaces=old and revision={NEW}, then workload_restart",
        ),
    }
