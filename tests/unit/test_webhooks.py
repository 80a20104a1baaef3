# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entries of injectors, as real ones have them; and who would take the same pod."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.meshops.istio.plugins.module_utils._kube.disabled import disabled, given_back
from ansible_collections.meshops.istio.plugins.module_utils._kube.disabled import entries as prior_entries
from ansible_collections.meshops.istio.plugins.module_utils._kube.webhooks import parse, rendered, selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.decide import decide
from ansible_collections.meshops.istio.plugins.module_utils._mesh.injection import Injector, PodShape
from ansible_collections.meshops.istio.plugins.module_utils._mesh.overlap import common, overlaps
from ansible_collections.meshops.istio.plugins.module_utils._mesh.selectors import Operator, Requirement, Selector
from ansible_collections.meshops.istio.plugins.module_utils._mesh.webhooks import entries, injects_everywhere, webhook_of, webhook_of_tag

from .figures.table import drawn
from .meshes import NEW, OLD, tag, unrevisioned

RECORDED = {f"{state}: {item['metadata']['name']}": item for state, items in drawn().webhooks.items() for item in items}


@pytest.mark.parametrize("name", RECORDED)
def test_the_entries_are_those_of_real_ones(name: str) -> None:
    """Byte for byte, in the same order: 1.26.8 to 1.30.3, revisions, unrevisioned, tags, injection by default."""
    real = parse(RECORDED[name])
    assert real is not None
    written = [
        (one.name, rendered(one.namespaces), rendered(one.objects))
        for one in entries(real.alias, "1.30.3", everywhere=injects_everywhere(real.entries))
    ]
    assert written == [(one["name"], one["namespaceSelector"], one["objectSelector"]) for one in RECORDED[name]["webhooks"]]
    called = webhook_of_tag(real.tag, "istio-system") if real.tag else webhook_of(real.revision, "istio-system")
    assert called == real.name


def test_how_many_entries_there_are() -> None:
    counted = [len(entries(name, version)) for name, version in ((NEW, "1.10.0"), (OLD, None), (NEW, "1.9.9"), (OLD, "1.9.9"))]
    assert [*counted, len(entries(OLD, everywhere=True)), len(entries(NEW, everywhere=True))] == [2, 4, 1, 1, 5, 2]


@pytest.mark.parametrize(
    ("name", "namespace", "pod", "takes"),
    [
        (OLD, {"istio-injection": "enabled"}, {}, True),
        (OLD, {"istio-injection": "enabled"}, {"sidecar.istio.io/inject": "false"}, False),
        (OLD, {"istio.io/rev": "default"}, {}, False),
        (OLD, {}, {"sidecar.istio.io/inject": "true"}, False),
        ("asm-195-2", {"istio.io/rev": "asm-195-2"}, {}, True),
        ("asm-195-2", {"istio.io/rev": "asm-195-2", "istio-injection": "enabled"}, {}, False),
        ("asm-195-2", {}, {"istio.io/rev": "asm-195-2"}, False),
    ],
)
def test_before_1_10_only_namespaces_are_asked(name: str, namespace: dict[str, str], pod: dict[str, str], takes: bool) -> None:
    """istio.md 1.4; entry ``sidecar-injector.istio.io``, which is written as Istio's own chart wrote it."""
    (entry,) = entries(name, "1.9.5-asm.2")
    assert entry.name == "sidecar-injector.istio.io"
    assert (entry.namespaces.matches(namespace) and entry.objects.matches(pod)) is takes


def test_the_unrevisioned_one_of_1_9_is_written_in_its_old_form() -> None:
    (entry,) = entries(OLD, "1.9.9")
    assert rendered(entry.namespaces) == {"matchLabels": {"istio-injection": "enabled"}}


KEYS, VALUES = ("istio-injection", "istio.io/rev", "team"), ("enabled", "a", "b")
REQUIREMENTS = some.builds(
    lambda key, operator, values: Requirement(key, operator, () if operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST) else values),
    some.sampled_from(KEYS),
    some.sampled_from(Operator),
    some.lists(some.sampled_from(VALUES), min_size=1, max_size=2, unique=True).map(tuple),
)
SELECTORS = some.builds(
    Selector,
    some.lists(REQUIREMENTS, max_size=4).map(tuple),
    some.dictionaries(some.sampled_from(KEYS), some.sampled_from(VALUES), max_size=2).map(lambda labels: tuple(labels.items())),
)
ALL_LABELS = [
    {key: value for key, value in zip(KEYS, values, strict=True) if value is not None}
    for values in itertools.product((None, *VALUES, "something else"), repeat=len(KEYS))
]


@given(SELECTORS)
def test_what_is_read_is_written_the_same(one: Selector) -> None:
    assert selector(rendered(one)) == one


@given(SELECTORS, SELECTORS)
def test_labels_that_both_match_are_found_where_there_are_any(one: Selector, other: Selector) -> None:
    found = common(one, other)
    if found is None:
        assert not [labels for labels in ALL_LABELS if one.matches(labels) and other.matches(labels)]
    else:
        assert one.matches(found)
        assert other.matches(found)


REVISION = Injector("istio-sidecar-injector-1-30-3", NEW, None, entries(NEW))
OVERLAPS: dict[str, tuple[Injector, Injector, str | None]] = {
    "a default tag beside an active unrevisioned injector": (tag("default", NEW), unrevisioned(), "istio.io/rev=default"),
    "a tag that is called like a revision": (tag(NEW, OLD), REVISION, f"istio.io/rev={NEW}"),
    "a tag of its own": (tag("prod", NEW), REVISION, None),
    "a revision beside an unrevisioned one": (REVISION, unrevisioned(), None),
    "1.9 beside a default tag": (tag("default", NEW), Injector("old", OLD, None, entries(OLD, "1.9.9")), "istio-injection=enabled"),
    "1.9 beside another revision": (REVISION, Injector("old", "asm-195-2", None, entries("asm-195-2", "1.9.9")), None),
}


@pytest.mark.parametrize("case", OVERLAPS)
def test_two_injectors_that_take_the_same_pod(case: str) -> None:
    one, other, label = OVERLAPS[case]
    found = list(overlaps(one, [other]))
    assert [overlap.text.removeprefix("a namespace with ") for overlap in found] == ([label] if label else [])
    for overlap in found:
        assert decide(PodShape(overlap.pod), "any", overlap.namespace, [one, other], {}).twice


@pytest.mark.parametrize("name", RECORDED)
def test_what_is_disabled_can_be_given_back(name: str) -> None:
    real = RECORDED[name]
    off = disabled(real)
    injector = parse(off)
    assert injector is not None
    assert injector.disabled
    assert disabled(off) == off, "twice is as good as once"
    assert prior_entries(off) == prior_entries(real)
    assert given_back(off) == real
    assert given_back(real) == real
