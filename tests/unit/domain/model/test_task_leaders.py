"""A process's first thread: it may end before the others, and an exec hands its tid on."""

import pytest

from container_tracer.domain.model.pod import Task
from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.fakes.trace_stage import TraceStage


@pytest.fixture
def stage() -> TraceStage:
    """Process 7 with threads 8 and 9 in container 0."""
    stage = TraceStage()
    stage.add(7, 8, 9, pid=7)
    return stage


def test_a_first_thread_that_ends_early_no_longer_lives_but_holds_its_tid(
    stage: TraceStage,
) -> None:
    stage.events.end(7, at=1).wake(8, at=2)
    assert stage.drain().whose.pid.tolist() == [7, 7]
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == ({8, 9}, 2)
    assert stage.tasks.release() == []


def test_an_ended_first_thread_goes_with_the_last_one(stage: TraceStage) -> None:
    stage.events.end(7, at=1).end(8, at=2).end(9, at=3).wake(7, at=4).wake(9, at=5)
    assert stage.drain().whose.container.tolist() == [0, 0, 0, -1, -1]
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == (set(), 0)


def test_an_ended_first_thread_goes_with_the_last_one_that_is_forgotten(stage: TraceStage) -> None:
    stage.events.end(7, at=1)
    stage.drain()
    stage.tasks.forget([8, 9])
    assert len(stage.tasks.release()) == 3
    assert stage.tasks.add(0, [Task(tid=7, pid=7, command="sh")]) == [7]
    assert stage.tasks.alive(0) == 1


def test_an_exit_seen_twice_counts_once(stage: TraceStage) -> None:
    stage.events.end(7, at=1).end(7, at=2).end(8, at=3)
    stage.drain()
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == ({9}, 1)


def test_proc_still_lists_an_ended_first_thread_and_that_is_no_news(stage: TraceStage) -> None:
    stage.events.end(7, at=1)
    stage.drain()
    assert stage.tasks.add(0, [Task(tid=7, pid=7, command="sh")]) == []
    assert stage.tasks.tids(0) == {8, 9}


def execute(stage: TraceStage, thread: int) -> None:
    """Let a thread execute: the others end, it takes over the first one's tid, and is named."""
    stage.events.enter(thread, "execve", at=10)
    for at, tid in enumerate({7, 8, 9} - {thread}, start=11):
        stage.events.end(tid, at=at)
    stage.events.rename(7, b"new", at=20)
    stage.events.execute(7, old=thread, at=21).leave(7, "execve", at=22).wake(thread, at=23)


def test_a_thread_that_executes_becomes_the_first_one(stage: TraceStage) -> None:
    execute(stage, thread=9)
    drained = stage.drain()
    whose = drained.whose
    assert whose.task[0] == whose.task[5]
    assert (whose.pid[5], whose.container[5], drained.command(5)) == (7, 0, "new")
    assert whose.container[6] == -1
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == ({7}, 1)


@pytest.mark.parametrize("thread", [7, 8])
def test_the_call_that_executes_is_one_across_the_change_of_tids(
    stage: TraceStage, thread: int
) -> None:
    execute(stage, thread)
    calls = stage.drain().listed
    assert [(one.tid, one.start, one.end, one.outcome) for one in calls] == [
        (thread, 10, 22, SpanOutcome.RETURNED)
    ]


@pytest.mark.parametrize("cut", range(1, 7))
def test_an_exec_may_be_cut_by_drains_anywhere(stage: TraceStage, cut: int) -> None:
    execute(stage, thread=9)
    events = stage.events.events
    calls = [*stage.drain(events[:cut]).listed, *stage.drain(events[cut:]).listed]
    assert [(one.tid, one.start, one.end) for one in calls] == [(9, 10, 22)]
    assert stage.tasks.tids(0) == {7}


def test_what_the_first_thread_had_open_ends_when_it_does(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5)
    execute(stage, thread=9)
    first, second = stage.drain().listed
    assert (first.tid, first.start, first.outcome) == (7, 5, SpanOutcome.TASK_ENDED)
    assert first.end in (11, 12)
    assert (second.call, second.outcome) == ("execve", SpanOutcome.RETURNED)


def test_an_exec_takes_over_although_the_end_of_the_first_thread_was_lost(
    stage: TraceStage,
) -> None:
    stage.events.end(8, at=1).execute(7, old=9, at=2).wake(7, at=3)
    assert stage.drain().whose.container.tolist() == [0, 0, 0]
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == ({7}, 1)
    assert len(stage.tasks.segments.live()) == 1


def test_an_exec_takes_over_a_tid_that_was_nobodys(stage: TraceStage) -> None:
    stage.tasks.forget([7, 8])
    stage.events.execute(7, old=9, at=2).wake(7, at=3)
    drained = stage.drain()
    assert drained.whose.pid.tolist() == [7, 7]
    assert drained.command(1) == "sh"
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == ({7}, 1)


@pytest.mark.parametrize("old", [0, -1, 7, 50, 99, 2**31 - 1])
def test_an_exec_that_cannot_be_changes_nothing(stage: TraceStage, old: int) -> None:
    stage.add(50, container=1)
    stage.events.execute(7, old=old, at=1).wake(50, at=2).wake(9, at=3)
    assert stage.drain().whose.container.tolist() == [0, 1, 0]
    assert (stage.tasks.alive(0), stage.tasks.alive(1)) == (3, 1)


def test_an_executing_process_of_one_thread_keeps_its_task(stage: TraceStage) -> None:
    stage.add(50, container=1)
    stage.events.wake(50, at=1).rename(50, b"new", at=2).execute(50, at=3).wake(50, at=4)
    drained = stage.drain()
    assert len(set(drained.whose.task.tolist())) == 1
    assert drained.command(3) == "new"
