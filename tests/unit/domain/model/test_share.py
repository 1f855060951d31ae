"""A session's share: its window, its filter, its limit, and what it counts."""

import numpy as np
import pytest
from attrs import evolve

from container_tracer.domain.model.ring_buffer import LossMark
from container_tracer.domain.model.share import FOREVER, SessionShare, to_spans
from container_tracer.domain.model.spans import SpanBatch, SpanFilter, SpanOutcome
from container_tracer.fakes.trace_stage import BOXES, TraceStage


@pytest.fixture
def stage() -> TraceStage:
    """Task 7 in container 0, and 8 in container 1."""
    stage = TraceStage()
    stage.add(7)
    stage.add(8, container=1)
    return stage


def share(
    stage: TraceStage,
    since: int = 0,
    until: int = FOREVER,
    *,
    containers: tuple[int, ...] = (0, 1),
    max_spans: int = 0,
    spans: SpanFilter | None = None,
) -> SessionShare:
    """Have a share named `s`."""
    return stage.share(
        SessionShare(
            session_id="s",
            spans=spans or SpanFilter(),
            containers={*containers},
            since_ns=since,
            until_ns=until,
            max_spans=max_spans,
        )
    )


def taken(stage: TraceStage) -> SpanBatch:
    return stage.drain().spans["s"]


def brief(batch: SpanBatch) -> list[tuple[int, int, SpanOutcome, int]]:
    """Start, end, outcome and number of events of each span."""
    events = batch.entered.astype(int) + batch.returned.astype(int)
    columns = (batch.start_ns, batch.end_ns, batch.outcome, events)
    return [
        (start, end, SpanOutcome(outcome), count)
        for start, end, outcome, count in zip(*(one.tolist() for one in columns), strict=True)
    ]


def call(stage: TraceStage, start: int, end: int, *, tid: int = 7, result: int = 0) -> None:
    stage.events.enter(tid, "read", at=start).leave(tid, "read", result, at=end)


def test_a_share_that_has_not_begun_takes_nothing(stage: TraceStage) -> None:
    mine = stage.share(SessionShare(session_id="s", spans=SpanFilter(), containers={0}))
    call(stage, 5, 9)
    assert len(taken(stage)) == 0
    assert mine.statistics.attributed == 0


def test_a_share_takes_calls_of_its_containers_only(stage: TraceStage) -> None:
    mine = share(stage, containers=(1,))
    call(stage, 5, 9)
    call(stage, 6, 10, tid=8)
    call(stage, 7, 11, tid=99)
    batch = taken(stage)
    assert brief(batch) == [(6, 10, SpanOutcome.RETURNED, 2)]
    assert batch.containers[batch.container[0]] == BOXES[1]
    assert (mine.statistics.attributed, mine.statistics.passed, mine.statistics.spans) == (2, 2, 1)


def test_a_share_of_containers_that_have_no_events_takes_nothing(stage: TraceStage) -> None:
    mine = share(stage, containers=(2, 77))
    call(stage, 5, 9)
    assert len(taken(stage)) == 0
    assert mine.statistics.attributed == 0


WINDOWS = {
    "inside": ((10, 20), [(10, 20, SpanOutcome.RETURNED, 2)], 2),
    "began before": ((5, 15), [(10, 15, SpanOutcome.BEGAN_BEFORE, 1)], 1),
    "returned at the very start": ((5, 10), [(10, 10, SpanOutcome.BEGAN_BEFORE, 1)], 1),
    "returned after": ((15, 25), [(15, 20, SpanOutcome.UNFINISHED, 1)], 1),
    "entered at the very end": ((20, 25), [(20, 20, SpanOutcome.UNFINISHED, 1)], 1),
    "before": ((5, 9), [], 0),
    "after": ((21, 25), [], 0),
    "around": ((5, 25), [], 0),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_a_call_is_clipped_to_the_window_and_so_are_its_events(
    stage: TraceStage, case: str
) -> None:
    (start, end), expected, events = WINDOWS[case]
    mine = share(stage, 10, 20)
    call(stage, start, end)
    batch = taken(stage)
    assert brief(batch) == expected
    assert batch.events == events == mine.statistics.attributed == mine.statistics.passed
    assert mine.statistics.incomplete_spans == sum(one[2].incomplete for one in expected)


def test_what_was_lost_before_the_window_is_no_loss_of_this_session(stage: TraceStage) -> None:
    stage.drain(losses=[LossMark(0, 1, 5)])
    share(stage, 10)
    stage.events.leave(7, "read", at=12).leave(8, "read", at=13)
    assert [one[2] for one in brief(taken(stage))] == [SpanOutcome.BEGAN_BEFORE] * 2


def test_what_was_lost_inside_the_window_is(stage: TraceStage) -> None:
    share(stage, 10)
    stage.drain(losses=[LossMark(0, 11, 15)])
    stage.events.leave(7, "read", at=20)
    assert brief(taken(stage)) == [(15, 20, SpanOutcome.LOST, 1)]


@pytest.mark.parametrize(
    ("spans", "kept"),
    [
        (SpanFilter(), 3),
        (SpanFilter(names=frozenset({"fstat"})), 1),
        (SpanFilter(names=frozenset({"getpid"})), 0),
        (SpanFilter(min_duration_ns=10), 2),
        (SpanFilter(errors_only=True), 1),
    ],
)
def test_what_the_filter_drops_is_counted_as_filtered_out(
    stage: TraceStage, spans: SpanFilter, kept: int
) -> None:
    mine = share(stage, spans=spans)
    call(stage, 10, 19)
    call(stage, 20, 30, result=-2)
    stage.events.enter(8, "newfstat", at=20).leave(8, "newfstat", at=40)
    assert taken(stage).events == 2 * kept
    assert (mine.statistics.attributed, mine.statistics.filtered_out) == (6, 6 - 2 * kept)


def test_first_returns_of_children_and_events_of_no_call_are_filtered_out(
    stage: TraceStage,
) -> None:
    mine = share(stage)
    stage.events.enter(7, "clone", at=1).fork(7, 50, at=2).leave(50, "clone", at=3)
    stage.events.wake(7, at=4).rename(50, b"x", at=5).leave(7, "clone", 50, at=6).end(50, at=7)
    assert brief(taken(stage)) == [(1, 6, SpanOutcome.RETURNED, 2)]
    assert (mine.statistics.attributed, mine.statistics.filtered_out) == (7, 5)


def test_a_child_born_before_the_window_returns_in_no_span(stage: TraceStage) -> None:
    mine = share(stage, 10)
    stage.events.fork(7, 50, at=5).leave(50, "clone", at=12)
    assert len(taken(stage)) == 0
    assert (mine.statistics.attributed, mine.statistics.filtered_out) == (1, 1)


def test_entered_calls_are_open_until_they_return(stage: TraceStage) -> None:
    mine = share(stage, 10)
    stage.events.enter(7, "read", at=5).enter(8, "read", at=12)
    stage.drain()
    assert (mine.statistics.attributed, mine.statistics.open, mine.statistics.passed) == (1, 1, 1)
    stage.events.leave(8, "read", at=13)
    assert taken(stage).events == 2
    assert (mine.statistics.open, mine.statistics.passed) == (0, 2)


def test_events_are_counted_by_cpu(stage: TraceStage) -> None:
    mine = share(stage, 10)
    stage.events.enter(7, "read", at=5, cpu=0).leave(7, "read", at=11, cpu=3)
    stage.events.wake(8, at=12, cpu=3).wake(8, at=13, cpu=1)
    stage.drain()
    stage.drain(stage.events.wake(8, at=14, cpu=1).events)
    assert mine.statistics.attributed_by_cpu == {1: 2, 3: 2}


# The limit.


def test_a_limit_is_reached_to_the_span_and_nothing_comes_after(stage: TraceStage) -> None:
    mine = share(stage, max_spans=3)
    for at in range(10, 60, 10):
        call(stage, at, at + 5)
    assert [one[1] for one in brief(taken(stage))] == [15, 25, 35]
    assert (mine.full, mine.until_ns, mine.statistics.spans) == (True, 35, 3)
    assert (mine.statistics.attributed, mine.statistics.passed) == (6, 6)
    call(stage, 100, 105)
    assert len(taken(stage)) == 0
    assert len(stage.finish("s")) == 0
    assert (mine.statistics.attributed, mine.statistics.spans) == (6, 3)


def test_a_limit_is_reached_over_several_drains(stage: TraceStage) -> None:
    mine = share(stage, max_spans=3)
    counts = []
    for at in range(10, 60, 10):
        call(stage, at, at + 5)
        counts.append(len(taken(stage)))
    assert counts == [1, 1, 1, 0, 0]
    assert mine.full


def test_a_limit_counts_only_what_the_filter_keeps(stage: TraceStage) -> None:
    mine = share(stage, max_spans=1, spans=SpanFilter(errors_only=True))
    call(stage, 10, 15)
    assert (len(taken(stage)), mine.full) == (0, False)
    call(stage, 20, 25, result=-2)
    call(stage, 30, 35, result=-2)
    assert (len(taken(stage)), mine.full, mine.until_ns) == (1, True, 25)
    assert (mine.statistics.attributed, mine.statistics.filtered_out) == (4, 2)


def test_calls_that_end_together_with_the_last_one_are_filtered_out(stage: TraceStage) -> None:
    mine = share(stage, max_spans=2)
    stage.add(9, 10)
    for tid in (7, 8, 9, 10):
        stage.events.enter(tid, "read", at=tid)
    for tid in (7, 8, 9, 10):
        stage.events.leave(tid, "read", at=20)
    assert len(taken(stage)) == 2
    counts = mine.statistics
    assert (counts.attributed, counts.passed, counts.filtered_out, counts.open) == (8, 4, 4, 0)


def test_calls_open_when_the_limit_is_reached_are_filtered_out(stage: TraceStage) -> None:
    mine = share(stage, max_spans=1)
    stage.events.enter(8, "read", at=5)
    call(stage, 10, 15)
    assert len(taken(stage)) == 1
    counts = mine.statistics
    assert (counts.attributed, counts.passed, counts.filtered_out, counts.open) == (3, 2, 1, 0)
    stage.events.leave(8, "read", at=20)
    assert len(taken(stage)) == 0
    assert (counts.attributed, counts.passed) == (3, 2)


def test_a_limit_of_zero_is_none(stage: TraceStage) -> None:
    mine = share(stage)
    call(stage, 10, 15)
    assert (len(taken(stage)), mine.full) == (1, False)


# The end.


def test_finishing_gives_what_had_not_returned_when_the_window_closed(stage: TraceStage) -> None:
    mine = share(stage, 10)
    stage.events.enter(7, "read", 3, at=12).enter(8, "read", at=5)
    stage.drain()
    mine.until_ns = 30
    batch = stage.finish("s")
    assert brief(batch) == [(12, 30, SpanOutcome.UNFINISHED, 1)]
    assert batch.arguments[0, 0] == 3
    assert (mine.statistics.open, mine.statistics.passed) == (0, 1)


def test_finishing_leaves_out_what_was_entered_after_the_window(stage: TraceStage) -> None:
    share(stage, 10, 20)
    stage.events.enter(7, "read", at=25)
    stage.drain()
    assert len(stage.finish("s")) == 0


def test_finishing_keeps_to_filter_and_limit(stage: TraceStage) -> None:
    mine = share(stage, 10, 50, max_spans=1, spans=SpanFilter(min_duration_ns=20))
    stage.events.enter(7, "read", at=15).enter(8, "read", at=40)
    stage.drain()
    assert brief(stage.finish("s")) == [(15, 50, SpanOutcome.UNFINISHED, 1)]
    assert (mine.statistics.filtered_out, mine.statistics.passed, mine.full) == (1, 1, True)


def test_finishing_with_nothing_open_gives_nothing(stage: TraceStage) -> None:
    share(stage, 10, 20)
    assert len(stage.finish("s")) == 0


def test_spans_are_on_the_wall_clock_and_share_the_tables(stage: TraceStage) -> None:
    call(stage, 10, 15)
    calls = stage.drain().calls
    tables = stage.tables
    batch = to_spans(calls, evolve(tables, wall_offset_ns=1_000))
    assert (batch.start_ns.tolist(), batch.end_ns.tolist()) == ([1_010], [1_015])
    assert batch.containers is tables.containers
    assert np.array_equal(batch.tid, calls.tid)
