"""Containers that join a share and leave it: whose events are whose, and that all are counted."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.share import SessionShare
from container_tracer.domain.model.spans import SpanFilter, SpanOutcome
from container_tracer.domain.model.summary import ENDED, MAX_ENDED
from container_tracer.fakes.tiny_kernel import TinyKernel
from container_tracer.fakes.trace_stage import BOXES, TraceStage

MOMENTS = st.integers(990, 1_250)
STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 199), st.sampled_from([0, 0, 1, 5])),
    min_size=40,
    max_size=140,
)
CHANGES = st.dictionaries(MOMENTS, st.tuples(st.booleans(), st.integers(0, 2)), max_size=12)


def share(stage: TraceStage, *containers: int, since: int = 0, most: int = 0) -> SessionShare:
    return stage.share(
        SessionShare(
            session_id="s",
            spans=SpanFilter(),
            containers={*containers},
            since_ns=since,
            max_spans=most,
        )
    )


def stage_of_two() -> TraceStage:
    """Task 7 in container 0, and 8 in container 1."""
    stage = TraceStage()
    stage.add(7)
    stage.add(8, container=1)
    return stage


def outcomes(stage: TraceStage) -> list[tuple[int, int, SpanOutcome]]:
    batch = stage.drain().spans["s"]
    rows = zip(batch.start_ns.tolist(), batch.end_ns.tolist(), batch.outcome.tolist(), strict=True)
    return [(start, end, SpanOutcome(outcome)) for start, end, outcome in rows]


def test_what_a_container_did_before_it_joined_is_not_its_sessions() -> None:
    stage = stage_of_two()
    mine = share(stage, 0)
    stage.events.enter(8, "read", at=5).leave(8, "read", at=9).enter(8, "read", at=10)
    assert outcomes(stage) == []
    mine.take_on({1: BOXES[1]}, since_ns=20)
    stage.events.leave(8, "read", at=25).enter(8, "read", at=30).leave(8, "read", at=35)
    assert outcomes(stage) == [
        (20, 25, SpanOutcome.BEGAN_BEFORE),
        (30, 35, SpanOutcome.RETURNED),
    ]
    assert mine.statistics.attributed == mine.statistics.passed == 3


def test_joining_twice_changes_nothing() -> None:
    stage = stage_of_two()
    mine = share(stage, 0)
    stage.events.enter(7, "read", at=5)
    stage.drain()
    mine.take_on({0: BOXES[0]}, since_ns=20)
    stage.events.leave(7, "read", at=25)
    assert outcomes(stage) == [(5, 25, SpanOutcome.RETURNED)]


def test_a_container_that_leaves_takes_its_open_calls_with_it() -> None:
    stage = stage_of_two()
    mine = share(stage, 0, 1)
    stage.events.enter(7, "read", at=5).enter(8, "read", at=6)
    stage.drain()
    assert mine.statistics.open == 2
    batch = mine.let_go({1}, stage.pairing.open_calls(), stage.tables, now_ns=10)
    assert (batch.start_ns.tolist(), batch.end_ns.tolist()) == ([6], [10])
    assert batch.outcome.tolist() == [SpanOutcome.UNFINISHED]
    assert (mine.statistics.open, mine.statistics.incomplete_spans) == (1, 1)
    stage.events.leave(8, "read", at=15).leave(7, "read", at=16)
    assert outcomes(stage) == [(5, 16, SpanOutcome.RETURNED)]
    assert mine.statistics.attributed == mine.statistics.passed == 3


def test_a_container_may_leave_and_join_again() -> None:
    stage = stage_of_two()
    mine = share(stage, 0, 1)
    assert len(mine.let_go({1}, stage.pairing.open_calls(), stage.tables, now_ns=10)) == 0
    stage.events.enter(8, "read", at=11).leave(8, "read", at=12)
    assert outcomes(stage) == []
    mine.take_on({1: BOXES[1]}, since_ns=20)
    stage.events.enter(8, "read", at=21).leave(8, "read", at=22)
    assert outcomes(stage) == [(21, 22, SpanOutcome.RETURNED)]


def test_rows_of_a_container_that_left_stay_in_the_summary() -> None:
    stage = stage_of_two()
    mine = share(stage, 0, 1)
    stage.events.enter(8, "read", at=11).leave(8, "read", at=12)
    stage.drain()
    mine.let_go({1}, stage.pairing.open_calls(), stage.tables, now_ns=20)
    (row,) = mine.summary.calls()
    assert (row.container, row.count, row.total_ns) == (BOXES[1], 1, 1)


def test_a_share_stays_small_while_many_containers_come_and_go() -> None:
    stage = stage_of_two()
    mine = share(stage)
    for at in range(100, 100 + 4 * MAX_ENDED, 2):
        container = Container(name="app", pod=f"job-{at}")
        number = stage.tasks.container_number(container)
        stage.add(50, container=number)
        mine.take_on({number: container}, since_ns=at)
        stage.events.enter(50, "read", at=at).leave(50, "read", at=at + 1).end(50, at=at + 1)
        stage.drain()
        mine.let_go({number}, stage.pairing.open_calls(), stage.tables, now_ns=at + 1)
        stage.tasks.retire(number)
        stage.tasks.release()
    assert mine.containers == set()
    assert len(stage.tasks.containers) < MAX_ENDED
    rows = {row.container.key: row.count for row in mine.summary.calls()}
    assert len(rows) <= MAX_ENDED + 1
    assert sum(rows.values()) == mine.statistics.spans == 2 * MAX_ENDED
    assert rows[ENDED.key] > 1


@settings(max_examples=100, derandomize=True, deadline=None)
@given(STEPS, CHANGES, st.sampled_from([0, 0, 3, 20]))
def test_every_event_is_counted_whenever_containers_join_and_leave(
    steps: list[tuple[int, int, int]], changes: dict[int, tuple[bool, int]], most: int
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    mine = share(stage, 0, most=most)
    events = spans = 0
    for since, until in pairwise([0, *sorted(changes), 1 << 40]):
        joins, number = changes.get(since, (True, 0))
        if joins:
            mine.take_on({number: BOXES[number]}, since_ns=since)
        else:
            left = mine.let_go({number}, stage.pairing.open_calls(), stage.tables, now_ns=since)
            events, spans = events + left.events, spans + len(left)
        assert mine.statistics.passed == events + mine.statistics.open
        chunk = [one for one in kernel.events.events if since <= one.time_ns < until]
        batch = stage.drain(chunk, now_ns=min(until, 2_000)).spans["s"]
        events, spans = events + batch.events, spans + len(batch)
        assert set(batch.container.tolist()) <= mine.containers
        assert mine.statistics.passed == events + mine.statistics.open
        assert mine.statistics.spans == spans == mine.summary.spans
