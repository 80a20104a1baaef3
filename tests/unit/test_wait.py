# SPDX-FileCopyrightText: 2026 The meshops.istio authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a wait ends, by a clock that the test moves."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

import pytest

from ansible_collections.meshops.istio.plugins.module_utils._mesh.errors import MeshError
from ansible_collections.meshops.istio.plugins.module_utils._mesh.progress import Progress
from ansible_collections.meshops.istio.plugins.module_utils._verbs.verb import Context
from ansible_collections.meshops.istio.plugins.module_utils._verbs.wait import Late, Patience, wait_until

FAILING = Progress(0, 1, ("deploy/api in shop",), failing=MeshError("the quota is used up"))
FATAL = Progress(0, 1, fatal=MeshError("refused"))
WAITING = Progress(0, 1, ("deploy/api in shop: 1 of 2 pods",))
DONE = Progress(1, 1)


class Time:
    """Clock and watch in one: a wait for a change moves the time, by what was asked for or until the next event."""

    def __init__(self, events: float) -> None:
        self.now, self.events, self.said = 100.0, events, list[str]()
        self.lost: str | None = None

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += min(seconds, self.events)
        return seconds >= self.events


def waited(steps: Iterator[Progress], *, timeout: float = 600, grace: float = 60, events: float = 1, lost: str | None = None) -> Time:
    time = Time(events)
    time.lost = lost
    context = Context(t.cast("t.Any", None), False, time.said.append, time.clock)
    wait_until("restarts", t.cast("t.Any", time), lambda: next(steps), context, Patience(timeout, grace))
    return time


def forever(step: Progress) -> Iterator[Progress]:
    while True:
        yield step


def test_it_returns_when_the_step_is_finished() -> None:
    assert waited(iter([WAITING, WAITING, DONE])).now == 102


def test_a_fatal_step_ends_it_at_once() -> None:
    with pytest.raises(MeshError, match="refused"):
        waited(iter([FATAL]))


def test_what_fails_may_come_right_within_the_grace_time() -> None:
    assert waited(iter([FAILING, FAILING, WAITING, FAILING, DONE]), grace=2).now == 104


@pytest.mark.parametrize("events", [1.0, 1000.0], ids=["busy", "silent"])
def test_what_goes_on_failing_ends_it_when_the_grace_time_is_over(events: float) -> None:
    with pytest.raises(MeshError, match="the quota is used up"):
        waited(forever(FAILING), grace=7, events=events)


BORNE = Progress(1, 2, borne=("deploy/ill in shop is no worse",))


def test_what_is_borne_has_the_grace_time_and_then_ends_the_wait() -> None:
    assert waited(forever(BORNE), grace=7).now == 107
    assert waited(forever(BORNE), grace=60, timeout=7).now == 107
    assert waited(iter([BORNE, BORNE, Progress(2, 2)]), grace=60).now == 102, "it has come right"


def test_what_is_borne_ends_nothing_while_something_else_is_left_or_it_gets_further() -> None:
    with pytest.raises(Late):
        waited(forever(Progress(1, 3, borne=BORNE.borne)), grace=7, timeout=30)
    with pytest.raises(MeshError, match="the quota is used up"):
        waited(forever(Progress(0, 2, failing=FAILING.failing, borne=BORNE.borne)), grace=7)
    further = [Progress(0, 1, borne=BORNE.borne, pods=number) for number in range(10) for _turn in range(5)]
    assert waited(iter([*further, *further[-1:] * 9]), grace=7).now == 152


def test_a_timeout_says_what_was_waited_for_and_what_to_do() -> None:
    with pytest.raises(Late) as late:
        waited(forever(WAITING), timeout=30)
    assert "deploy/api in shop: 1 of 2 pods" in late.value.text()
    assert "goes on where it was" in late.value.text()


def test_the_timeout_counts_from_the_last_progress() -> None:
    steps = [Progress(done, 4) for done in range(4) for _turn in range(25)]
    assert waited(iter([*steps, Progress(4, 4)]), timeout=30).now == 200
    with pytest.raises(Late):
        waited(iter([*steps, *steps[-25:]]), timeout=30)


def test_what_ends_by_itself_and_is_never_done_counts_as_progress() -> None:
    """Jobs: each one that has come to its end is one less to wait for, and nothing that was done."""
    steps = [Progress(0, total) for total in range(4, 0, -1) for _turn in range(25)]
    assert waited(iter([*steps, Progress(0, 0)]), timeout=30).now == 200
    pods = [Progress(0, total, pods=done) for total in (2, 1) for done in range(3) for _turn in range(25)]
    assert waited(iter([*pods, Progress(0, 0)]), timeout=30).now == 250


def test_less_to_wait_for_is_progress_once_only() -> None:
    with pytest.raises(Late):
        waited(iter([Progress(0, total) for total in [3, 2] * 40]), timeout=30)


@pytest.mark.parametrize("turns", [[2, 1], [1, 0, 1, 0]], ids=["less", "to and fro"])
def test_what_only_comes_back_is_no_progress(turns: list[int]) -> None:
    with pytest.raises(Late):
        waited(iter([Progress(done, 3) for done in turns * 40]), timeout=30)


def test_a_lost_api_server_is_told_on_the_line_and_in_the_error() -> None:
    lost = "the API server cannot be reached since 10:00:00 UTC (Connection refused)"
    assert waited(iter([WAITING, DONE]), lost=lost).said == [f"restarts: 0 of 1 done, waiting for deploy/api in shop: 1 of 2 pods; {lost}"]
    with pytest.raises(Late) as late:
        waited(forever(WAITING), timeout=30, lost=lost)
    assert late.value.why == lost


def test_the_same_line_is_said_again_only_as_a_heartbeat() -> None:
    said = waited(iter([WAITING] * 65 + [DONE])).said
    assert said == ["restarts: 0 of 1 done, waiting for deploy/api in shop: 1 of 2 pods"] * 3
