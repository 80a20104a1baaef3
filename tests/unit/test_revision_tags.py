# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tag may point at and replace, who follows it, and where it can be proved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Entry, Injector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.snapshot import Snapshot
from ansible_collections.meshops.istio.plugins.module_utils._mesh.tags import (
    canonical,
    check_free,
    check_tag,
    followers,
    following,
    has_service,
    move,
    places,
)
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import NEVER, entries

from .meshes import NEW, OLD, deployment, mesh, namespace, proxy, tag, unrevisioned

NAMESPACE = "istio-system"
REVISION = Injector(f"istio-sidecar-injector-{NEW}", NEW, None, entries(NEW), f"istiod-{NEW}", NAMESPACE, ready=True)
NO_CA = replace(REVISION, entries=tuple(replace(entry, has_ca=False) for entry in REVISION.entries))


def disabled(injector: Injector) -> Injector:
    return replace(injector, entries=tuple(Entry(e.name, NEVER, NEVER, True, disabled=True) for e in injector.entries))


UNFIT = {
    "there is none": ((unrevisioned(),), 'no control plane "1-30-3" that injects'),
    "only a tag has that revision": ((unrevisioned(), tag("prod", NEW)), 'no control plane "1-30-3" that injects'),
    "there are two": ((REVISION, replace(REVISION, name="by-hand")), "has 2 injectors"),
    "it has no caBundle": ((NO_CA,), "cannot inject"),
    "nobody answers": ((replace(REVISION, ready=False),), "no ready endpoint"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_control_plane_that_no_tag_can_point_at(case: str) -> None:
    injectors, said = UNFIT[case]
    with pytest.raises(MeshError) as raised:
        canonical(injectors, NEW)
    assert said in raised.value.text()


@pytest.mark.parametrize("name", ["Prod", "prod.eu", "-prod", "prod-", "", "p" * 44])
def test_a_name_that_kubernetes_would_not_take(name: str) -> None:
    with pytest.raises(MeshError):
        check_tag(name)


def test_a_tag_is_not_called_like_a_control_plane_except_default() -> None:
    for revisions in ((), (NEW,)):
        with pytest.raises(MeshError, match="A control plane is called"):
            check_free(NEW, (REVISION,), revisions)
    check_free("default", (unrevisioned(),), (OLD,))
    check_free("prod", (REVISION, tag("prod", NEW)), (NEW,))


def test_the_first_default_tag_takes_over_from_the_unrevisioned_injector() -> None:
    moving = move((unrevisioned(), REVISION), "default", REVISION, NAMESPACE)
    assert moving.yields == unrevisioned()
    assert [injector.name for injector in moving.then] == [REVISION.name, "istio-revision-tag-default"]
    assert (moving.tag.revision, moving.tag.service, len(moving.tag.entries)) == (NEW, f"istiod-{NEW}", 4)


def test_one_that_is_disabled_already_is_left_alone() -> None:
    there = (disabled(unrevisioned()), tag("default", OLD), REVISION)
    moving = move(there, "default", REVISION, NAMESPACE)
    assert moving.yields is None
    assert [injector.revision for injector in moving.then if injector.tag] == [NEW]


@pytest.mark.parametrize("by", ["the tag", "the unrevisioned one", "the disabled one"])
def test_injection_by_default_is_carried_along(by: str) -> None:
    """Without its entry, all namespaces that say nothing would lose their sidecars, silently."""
    everywhere = entries("default", everywhere=True)
    old = replace(unrevisioned(), entries=everywhere)
    there = {
        "the tag": replace(tag("default", OLD), entries=everywhere),
        "the unrevisioned one": old,
        "the disabled one": disabled(old),
    }
    assert len(move((there[by], REVISION), "default", REVISION, NAMESPACE).tag.entries) == 5
    assert len(move((there[by], REVISION), "prod", REVISION, NAMESPACE).tag.entries) == 2


def test_a_tag_keeps_the_name_that_it_has() -> None:
    """``istioctl tag set --webhook-name`` gives it any."""
    there = replace(tag("prod", OLD), name="ours")
    assert move((there, REVISION), "prod", REVISION, NAMESPACE).tag.name == "ours"


def test_another_injector_for_the_same_pods_is_refused() -> None:
    by_hand = Injector("by-hand", "elsewhere", None, entries("prod"))
    with pytest.raises(MeshError) as raised:
        move((by_hand, REVISION), "prod", REVISION, NAMESPACE)
    assert "by-hand: a namespace with istio.io/rev=prod" in raised.value.text()


def test_tags_have_a_service_from_1_28() -> None:
    assert [has_service(version) for version in ("1.27.3", "1.28.0", "1.30.3", None)] == [False, True, True, True]


SPACES = (namespace("shop", injection="enabled"), namespace("pay", rev="prod"), namespace("free"), namespace("kube-system"))


def test_where_a_tag_can_be_proved() -> None:
    wishes = {"sidecar.istio.io/inject": "true"}
    then = move((unrevisioned(), REVISION), "prod", REVISION, NAMESPACE).then
    assert list(following(then, SPACES, "prod")) == ["pay"]
    found = [(place.namespace, dict(place.labels)) for place in places(then, SPACES, "prod")]
    assert found == [("pay", wishes), ("free", wishes | {"istio.io/rev": "prod"})]
    then = move((unrevisioned(), REVISION), "default", REVISION, NAMESPACE).then
    assert list(following(then, SPACES, "default")) == ["shop"]
    assert [place.namespace for place in places(then, SPACES, "default")] == ["shop", "free"]


def followed(snapshot: Snapshot, name: str) -> tuple[str, ...]:
    return followers(snapshot, name, lambda injector: injector.tag == name)


def test_who_follows_a_tag() -> None:
    asks, pinned = {"sidecar.istio.io/inject": "true"}, {"istio.io/rev": "prod"}
    pods = tuple(
        (deployment(name, space, labels=labels), proxy(NEW, "1.30.3"))
        for name, space, labels in (("a", "free", asks), ("b", "free", pinned), ("c", "free", {}), ("d", "shop", pinned))
    )
    snapshot = mesh(SPACES, pods, (disabled(unrevisioned()), tag("default", NEW), tag("prod", NEW), REVISION))
    assert followed(snapshot, "default") == ("namespace shop", "free/deploy/a")
    assert followed(snapshot, "prod") == ("namespace pay", "free/deploy/b")
    assert followed(snapshot, "nosuch") == ()


def test_what_is_being_deleted_follows_nothing() -> None:
    """Neither the namespace nor what is still in it: the API server takes no new pods there."""
    going = replace(namespace("shop", injection="enabled"), deleting=True)
    free = replace(namespace("free"), deleting=True)
    asks = deployment("b", "free", labels={"sidecar.istio.io/inject": "true"})
    snapshot = mesh(
        (going, free), ((deployment("a", "shop"), proxy(NEW, "1.30.3")), (asks, proxy(NEW, "1.30.3"))), (tag("default", NEW), REVISION)
    )
    assert followed(snapshot, "default") == ()


def test_what_another_injector_takes_too_does_not_keep_a_tag() -> None:
    both = mesh(SPACES, (), (unrevisioned(), tag("default", NEW), REVISION))
    assert followed(both, "default") == ()
