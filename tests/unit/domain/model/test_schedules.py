"""Whatever tasks do, and wherever drains cut it: attribution and pairing tell the truth."""

from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model import segments
from container_tracer.fakes.event_tables import MadeEvent
from container_tracer.fakes.tiny_kernel import TinyKernel
from container_tracer.fakes.trace_stage import Drained, TraceStage

STEPS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 199), st.sampled_from([0, 1, 1, 5])),
    min_size=40,
    max_size=160,
)
CUTS = st.lists(st.integers(1, 30), max_size=8)
SOME = settings(max_examples=60, derandomize=True, deadline=None)


@pytest.fixture(autouse=True)
def tidy() -> Iterator[None]:
    """Clear out segments and commands at every opportunity."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "CROWDED", 0)
        yield


def drains(kernel: TinyKernel, stage: TraceStage, cuts: list[int]) -> Iterator[tuple[int, Drained]]:
    """Drain so many events each time, and then the rest; say which one was the first."""
    events, first = kernel.events.events, 0
    for count in (*cuts, len(events)):
        if chunk := events[first : first + count]:
            yield first, stage.drain(chunk)
        first += count


@SOME
@given(STEPS, CUTS)
def test_every_event_belongs_to_whom_it_was_of(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    for first, drained in drains(kernel, TraceStage.watching(kernel), cuts):
        for row in range(len(drained.table)):
            true, whose = kernel.rows[first + row], drained.whose
            found = (int(whose.pid[row]), int(whose.container[row]), drained.command(row))
            assert found == ((true.pid, true.container, true.command) if true else (-1, -1, None))


@SOME
@given(STEPS, CUTS)
def test_a_task_keeps_its_number_and_shares_it_with_none_that_lives(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    numbers: dict[int, int] = {}
    for first, drained in drains(kernel, TraceStage.watching(kernel), cuts):
        seen: dict[int, int] = {}
        for row, number in enumerate(drained.whose.task.tolist()):
            if true := kernel.rows[first + row]:
                assert numbers.setdefault(true.identity, number) == number
                assert seen.setdefault(number, true.identity) == true.identity


@SOME
@given(STEPS, CUTS)
def test_tasks_alive_are_those_that_live(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    for _ in drains(kernel, stage, cuts):
        pass
    for container in (0, 1):
        living = {one.tid for one in kernel.tasks.values() if one.container == container}
        assert stage.tasks.tids(container) == living
        assert stage.tasks.alive(container) == len(living)


@SOME
@given(STEPS, CUTS)
def test_without_losses_calls_are_exactly_those_that_were_made(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    calls: list[object] = []
    for _, drained in drains(kernel, stage, cuts):
        ends = [one.end for one in drained.listed]
        assert ends == sorted(ends)
        calls += drained.listed
    assert Counter(calls) == Counter(kernel.calls)


@SOME
@given(STEPS, CUTS)
def test_calls_left_open_are_those_of_tasks_inside_one(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    kernel = TinyKernel.ran(steps)
    stage = TraceStage.watching(kernel)
    for _ in drains(kernel, stage, cuts):
        pass
    found = stage.listed(stage.pairing.open_calls())
    assert Counter((one.tid, one.start, one.call, one.argument, one.command) for one in found) == (
        Counter(
            (one.tid, one.start, one.call, one.argument, one.command) for one in kernel.open_calls()
        )
    )


@SOME
@given(STEPS)
def test_one_drain_of_all_and_one_of_each_event_are_the_same(
    steps: list[tuple[int, int, int]],
) -> None:
    kernel = TinyKernel.ran(steps)
    events: list[MadeEvent] = kernel.events.events
    whole = TraceStage.watching(kernel).drain(events).listed
    stage = TraceStage.watching(kernel)
    single = [call for event in events for call in stage.drain([event]).listed]
    assert Counter(whole) == Counter(single)
