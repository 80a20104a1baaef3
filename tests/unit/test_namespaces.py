# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moving a namespace and taking it back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.meshops.istio.plugins.module_utils._mesh.namespaces import (
    LAST,
    PRIOR,
    Namespace,
    move_to,
    read_prior,
    restore,
    undo,
)

VALUES = st.none() | st.sampled_from(["", "enabled", "disabled", "default", "prod", "1-29-6", "1-30-3"])
OTHERS = st.dictionaries(st.sampled_from(["team", "env"]), st.text("ab", max_size=3))


def _namespace(injection: str | None, revision: str | None, others: dict[str, str]) -> Namespace:
    asks = {"istio-injection": injection, "istio.io/rev": revision}
    return Namespace("shop", "1", "1", others | {key: value for key, value in asks.items() if value is not None}, None)


def _after(namespace: Namespace, patch: dict[str, object]) -> Namespace:
    """What an API server makes of a merge patch."""
    metadata = patch["metadata"]
    assert isinstance(metadata, dict)
    labels = {key: value for key, value in {**namespace.labels, **metadata["labels"]}.items() if value is not None}
    notes = metadata["annotations"]
    return replace(namespace, labels=labels, prior=read_prior(notes[PRIOR]), last=read_prior(notes[LAST]))


@given(VALUES, VALUES, OTHERS, st.lists(st.sampled_from(["1-30-3", "1-31-0"]), min_size=1, max_size=3))
def test_whatever_the_labels_were_any_number_of_moves_is_undone_exactly(
    injection: str | None, revision: str | None, others: dict[str, str], steps: list[str]
) -> None:
    before = _namespace(injection, revision, others)
    now = before
    for step in steps:
        move = move_to(now, step)
        now = _after(now, move.patch()) if move.needed else now
        assert not move_to(now, step).needed, "a second run would write again"
    back = restore(now)
    assert (_after(now, back.patch()) if back.needed else now) == before


@given(VALUES, VALUES, OTHERS, st.lists(st.sampled_from(["1-30-3", "1-31-0"]), min_size=1, max_size=3), st.booleans())
@example(None, "1-30-3", {}, ["1-31-0", "1-30-3", "1-31-0"], False)
def test_the_last_move_alone_is_undone_exactly(
    injection: str | None, revision: str | None, others: dict[str, str], steps: list[str], running: bool
) -> None:
    """Of a first upgrade to nothing recorded at all; of a second one to what the first has left."""
    before = _namespace(injection, revision, others)
    for step in steps:
        move = move_to(before, step)
        moved = _after(before, move.patch()) if move.needed else before
        if move.needed:
            back = _after(moved, undo(moved, step, running=running).patch())
            assert back.labels == before.labels
            if not running:
                recorded = None if before.prior == before.asks else before.prior  # it leads to where the namespace is already
                assert (back.prior, back.last) == (recorded, None), "the record as it was"
            assert restore(back).then == restore(moved).then, "the first way back is still known where pods run the revision"
            assert not undo(back, step, running=running).needed, "what is undone is not undone again"
            assert not undo(moved, "another", running=running).needed, "another revision's move is left alone"
        before = moved


def test_an_annotation_that_is_not_ours_to_understand_is_no_record() -> None:
    assert [read_prior(text) for text in (None, "", "{", "[]", "[" * 100_000, '{"other": "label"}')] == [None] * 6
