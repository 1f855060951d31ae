"""Where events were lost, nothing is claimed that is not known, and nothing counted twice."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.ring_buffer import LossMark
from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.domain.model.syscalls import CallRole
from container_tracer.fakes.tiny_kernel import TinyKernel
from container_tracer.fakes.trace_stage import Drained, TraceStage

LOST = SpanOutcome.LOST
GAP = (LossMark(1, 10, 20),)


@pytest.fixture
def stage() -> TraceStage:
    stage = TraceStage()
    stage.add(7, 8)
    return stage


def brief(drained: Drained) -> list[tuple[int, int, SpanOutcome, bool, bool]]:
    """Start, end, outcome, and whether entry and return were seen."""
    return [
        (one.start, one.end, one.outcome, one.argument is not None, one.result is not None)
        for one in drained.listed
    ]


def test_a_call_with_a_gap_inside_becomes_two_halves(stage: TraceStage) -> None:
    stage.events.enter(7, "read", 3, at=5).leave(7, "read", 4, at=25)
    drained = stage.drain(losses=GAP)
    assert brief(drained) == [(5, 20, LOST, True, False), (20, 25, LOST, False, True)]
    assert [(one.argument, one.result) for one in drained.listed] == [(3, None), (None, 4)]
    assert drained.calls.events == 2


def test_a_gap_on_any_cpu_counts_for_a_task_may_have_been_there(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5, cpu=0).leave(7, "read", at=25, cpu=0)
    assert len(brief(stage.drain(losses=[LossMark(3, 10, 20)]))) == 2


@pytest.mark.parametrize(("start", "end"), [(1, 9), (5, 10), (20, 25), (21, 25)])
def test_a_call_before_or_after_a_gap_is_whole(stage: TraceStage, start: int, end: int) -> None:
    stage.events.enter(7, "read", at=start).leave(7, "read", at=end)
    assert brief(stage.drain(losses=GAP)) == [(start, end, SpanOutcome.RETURNED, True, True)]


@pytest.mark.parametrize(("start", "end"), [(12, 14), (5, 11), (19, 25)])
def test_a_call_that_touches_a_gap_may_be_two(stage: TraceStage, start: int, end: int) -> None:
    stage.events.enter(7, "read", at=start).leave(7, "read", at=end)
    over = min(20, end)
    assert brief(stage.drain(losses=GAP)) == [
        (start, over, LOST, True, False),
        (over, end, LOST, False, True),
    ]


def test_open_calls_end_with_the_gap_and_their_return_is_lost_too(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5).enter(8, "read", at=20)
    assert brief(stage.drain(losses=GAP)) == [(5, 20, LOST, True, False)]
    stage.events.leave(7, "read", at=30).leave(8, "read", at=31)
    assert brief(stage.drain()) == [
        (20, 30, LOST, False, True),
        (20, 31, SpanOutcome.RETURNED, True, True),
    ]


def test_a_call_open_since_earlier_drains_ends_with_the_gap(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5)
    stage.drain()
    assert brief(stage.drain(losses=GAP)) == [(5, 20, LOST, True, False)]


@pytest.mark.parametrize("seen", [True, False])
def test_a_lone_return_after_a_gap_is_lost_and_the_next_has_no_match(
    stage: TraceStage, seen: bool
) -> None:
    if seen:
        stage.events.enter(7, "read", at=1).leave(7, "read", at=2)
    stage.drain(losses=GAP)
    stage.events.leave(7, "read", at=30).leave(7, "read", at=31)
    assert brief(stage.drain()) == [
        (20, 30, LOST, False, True),
        (30, 31, SpanOutcome.NO_MATCH, False, True),
    ]


def test_the_first_return_of_a_task_born_before_a_gap_is_lost(stage: TraceStage) -> None:
    stage.events.fork(7, 50, at=5)
    stage.drain(losses=GAP)
    stage.events.leave(50, "clone", at=30)
    assert brief(stage.drain()) == [(20, 30, LOST, False, True)]


def test_a_task_born_after_a_gap_has_lost_nothing(stage: TraceStage) -> None:
    stage.events.fork(7, 50, at=25).leave(50, "clone", at=30)
    assert brief(stage.drain(losses=GAP)) == [(25, 30, SpanOutcome.CHILD_RETURN, False, True)]


def test_gaps_given_twice_change_nothing(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5)
    stage.drain(losses=GAP)
    stage.events.enter(8, "read", at=22)
    assert brief(stage.drain(losses=[*GAP, *GAP])) == []
    stage.events.leave(7, "read", at=30).leave(8, "read", at=31)
    assert brief(stage.drain(losses=GAP)) == [
        (20, 30, LOST, False, True),
        (22, 31, SpanOutcome.RETURNED, True, True),
    ]


def test_a_gap_beyond_the_horizon_gives_no_call_that_ends_before_it_starts(
    stage: TraceStage,
) -> None:
    gap = [LossMark(1, 10, 50)]
    stage.events.enter(7, "read", at=5)
    assert brief(stage.drain(losses=gap)) == [(5, 50, LOST, True, False)]
    stage.events.leave(7, "read", at=35).enter(7, "read", at=40)
    assert brief(stage.drain(losses=gap)) == [
        (35, 35, LOST, False, True),
        (40, 50, LOST, True, False),
    ]
    stage.events.leave(7, "read", at=60).enter(7, "read", at=61).leave(7, "read", at=62)
    assert brief(stage.drain(losses=gap)) == [
        (50, 60, LOST, False, True),
        (61, 62, SpanOutcome.RETURNED, True, True),
    ]


def test_several_gaps_end_calls_at_the_end_of_the_first_that_touches_them(
    stage: TraceStage,
) -> None:
    stage.events.enter(7, "read", at=5).enter(8, "read", at=25)
    drained = stage.drain(losses=[LossMark(0, 10, 20), LossMark(1, 30, 40)])
    assert brief(drained) == [(5, 20, LOST, True, False), (25, 40, LOST, True, False)]


def test_a_gap_from_the_beginning_of_time_touches_all_before_its_end(stage: TraceStage) -> None:
    stage.events.leave(7, "read", at=5).enter(8, "read", at=6)
    stage.events.enter(7, "read", at=30).leave(7, "read", at=31)
    assert brief(stage.drain(losses=[LossMark(0, 0, 20)])) == [
        (5, 5, LOST, False, True),
        (6, 20, LOST, True, False),
        (30, 31, SpanOutcome.RETURNED, True, True),
    ]


MOMENTS = st.integers(990, 1_400)
MARKS = st.lists(
    st.builds(
        lambda cpu, ends: LossMark(cpu, *sorted(ends)),
        st.integers(0, 2),
        st.tuples(MOMENTS, MOMENTS),
    ),
    max_size=3,
)
STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 199), st.sampled_from([0, 1, 1, 5])),
    min_size=40,
    max_size=160,
)


def drains(
    kernel: TinyKernel, marks: Sequence[LossMark], horizons: set[int]
) -> Iterator[tuple[TraceStage, Drained, list[LossMark]]]:
    """Lose events, drain up to each horizon, and give the marks as they become due."""
    stage, waiting = TraceStage.watching(kernel), [*marks]
    left = [
        event
        for event in kernel.events.events
        if not any(
            one.cpu == event.cpu and one.since_ns < event.time_ns < one.until_ns for one in marks
        )
    ]
    for since, until in pairwise([0, *sorted(horizons), 1 << 40]):
        due = [one for one in waiting if one.since_ns < until]
        waiting = [one for one in waiting if one.until_ns >= until]
        chunk = [event for event in left if since <= event.time_ns < until]
        yield stage, stage.drain(chunk, losses=due, now_ns=min(until, 2_000)), due


@settings(max_examples=150, derandomize=True, deadline=None)
@given(STEPS, MARKS, st.sets(MOMENTS, max_size=6))
def test_every_entry_and_return_of_somebodys_is_in_exactly_one_call(
    steps: list[tuple[int, int, int]], marks: list[LossMark], horizons: set[int]
) -> None:
    ends, in_calls = 0, 0
    for stage, drained, _ in drains(TinyKernel.ran(steps), marks, horizons):
        role = stage.events.syscalls.role[drained.table.event_id]
        is_end = np.isin(role, [CallRole.ENTRY, CallRole.RETURN, CallRole.MOMENT])
        ends += int(np.count_nonzero(is_end & (drained.whose.task >= 0)))
        in_calls += drained.calls.events
        assert ends == in_calls + stage.pairing.open_calls().events


@settings(max_examples=150, derandomize=True, deadline=None)
@given(STEPS, MARKS, st.sets(MOMENTS, max_size=6))
def test_no_call_spans_a_gap_unmarked_or_ends_before_it_starts(
    steps: list[tuple[int, int, int]], marks: list[LossMark], horizons: set[int]
) -> None:
    for _, drained, due in drains(TinyKernel.ran(steps), marks, horizons):
        ends = [one.end for one in drained.listed]
        assert ends == sorted(ends)
        for call in drained.listed:
            assert call.start <= call.end
            touched = [one for one in due if one.since_ns < call.end and one.until_ns > call.start]
            assert not touched or call.outcome == LOST
            assert call.argument is not None or call.result is not None


@settings(max_examples=100, derandomize=True, deadline=None)
@given(STEPS, MARKS, st.sets(MOMENTS, max_size=6))
def test_whole_calls_are_true_whatever_was_lost_around_them(
    steps: list[tuple[int, int, int]], marks: list[LossMark], horizons: set[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    whole = [
        (one.start, one.end, one.tid, one.call, one.argument, one.result)
        for one in kernel.calls
        if one.outcome == SpanOutcome.RETURNED
    ]
    for _, drained, _ in drains(kernel, marks, horizons):
        for one in drained.listed:
            if one.outcome == SpanOutcome.RETURNED:
                found = (one.start, one.end, one.tid, one.call, one.argument, one.result)
                assert found in whole
