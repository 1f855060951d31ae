"""Entries and returns become calls, across drains, and what lacks an end says why."""

import pytest

from container_tracer.domain.model.spans import SpanOutcome
from container_tracer.fakes.trace_stage import TraceStage
from container_tracer.fakes.true_calls import TrueCall


@pytest.fixture
def stage() -> TraceStage:
    """Tasks 7, 8 and 9, which were there before."""
    stage = TraceStage()
    stage.add(7, 8, 9)
    return stage


def brief(calls: list[TrueCall]) -> list[tuple[int, int, int, SpanOutcome]]:
    return [(one.tid, one.start, one.end, one.outcome) for one in calls]


def drained(stage: TraceStage) -> list[tuple[int, int, int, SpanOutcome]]:
    return brief([*stage.drain().listed])


def still_open(stage: TraceStage) -> list[tuple[int, int, str]]:
    calls = stage.listed(stage.pairing.open_calls())
    return [(one.tid, one.start, one.call) for one in calls]


def test_an_entry_and_the_return_after_it_are_a_call(stage: TraceStage) -> None:
    stage.events.enter(7, "read", 3, 0x1000, 4096, at=10).leave(7, "read", -11, at=25)
    result = stage.drain()
    assert [*result.listed] == [
        TrueCall(
            start=10,
            end=25,
            tid=7,
            pid=7,
            container=0,
            command="sh",
            call="read",
            outcome=SpanOutcome.RETURNED,
            argument=3,
            result=-11,
        )
    ]
    assert result.calls.arguments.tolist() == [[3, 0x1000, 4096, 0, 0, 0]]
    assert result.calls.events == 2


def test_a_call_waits_for_its_return_over_any_number_of_drains(stage: TraceStage) -> None:
    stage.events.enter(7, "read", 5, at=10)
    assert drained(stage) == []
    for at in range(11, 20):
        stage.events.enter(8, "getpid", at=at).leave(8, "getpid", at=at)
        assert len(drained(stage)) == 1
        assert still_open(stage) == [(7, 10, "read")]
    stage.events.leave(7, "read", 1, at=25)
    (call,) = stage.drain().listed
    assert (call.start, call.end, call.argument, call.result) == (10, 25, 5, 1)
    assert still_open(stage) == []


def test_a_call_is_remembered_with_its_arguments_wherever_those_of_others_are(
    stage: TraceStage,
) -> None:
    stage.events.enter(7, "read", 5, at=10)
    stage.drain()
    stage.events.leave(7, "read", 1, at=20, cpu=1).enter(7, "read", 6, at=21, cpu=1)
    for at in range(30, 40):
        stage.events.leave(8, "read", 2, at=at, cpu=0)
    calls = [one for one in stage.drain().listed if one.tid == 7]
    assert [(one.argument, one.result) for one in calls] == [(5, 1)]


def test_a_return_right_at_the_start_of_a_drain_finds_its_entry(stage: TraceStage) -> None:
    stage.events.enter(7, "read", 5, at=10)
    stage.drain()
    stage.events.leave(7, "read", at=11).enter(7, "read", 6, at=12)
    assert [one.argument for one in stage.drain().listed] == [5]
    assert still_open(stage) == [(7, 12, "read")]


def test_calls_of_interleaved_tasks_are_kept_apart_and_ordered_by_their_end(
    stage: TraceStage,
) -> None:
    stage.events.enter(7, "read", at=1).enter(8, "read", at=2).enter(9, "getpid", at=3)
    stage.events.leave(8, "read", at=4).leave(9, "getpid", at=5).leave(7, "read", at=6)
    returned = SpanOutcome.RETURNED
    assert drained(stage) == [(8, 2, 4, returned), (9, 3, 5, returned), (7, 1, 6, returned)]


def test_a_task_that_moves_to_another_cpu_returns_there(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=1, cpu=0).enter(8, "read", at=1, cpu=1)
    stage.events.leave(7, "read", at=2, cpu=1).leave(8, "read", at=3, cpu=0)
    assert drained(stage) == [(7, 1, 2, SpanOutcome.RETURNED), (8, 1, 3, SpanOutcome.RETURNED)]


def test_events_of_nobody_are_in_no_call(stage: TraceStage) -> None:
    stage.events.enter(70, "read", at=1).leave(70, "read", at=2).leave(-1, "read", at=3)
    assert drained(stage) == []
    assert still_open(stage) == []


def test_events_that_are_no_part_of_a_call_do_not_come_between(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=1).wake(7, at=2).rename(7, b"x", at=3)
    stage.events.leave(7, "read", at=4)
    assert drained(stage) == [(7, 1, 4, SpanOutcome.RETURNED)]


def test_a_call_keeps_the_command_of_its_entry(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=1).rename(7, b"new", at=2).leave(7, "read", at=3)
    stage.events.enter(7, "read", at=4).leave(7, "read", at=5)
    assert [one.command for one in stage.drain().listed] == ["sh", "new"]


def test_a_first_return_without_an_entry_began_before(stage: TraceStage) -> None:
    stage.events.leave(7, "read", 4, at=5).leave(7, "read", at=6)
    first, second = stage.drain().listed
    assert (first.start, first.end, first.outcome) == (0, 5, SpanOutcome.BEGAN_BEFORE)
    assert (first.argument, first.result) == (None, 4)
    assert (second.start, second.outcome) == (5, SpanOutcome.NO_MATCH)


@pytest.mark.parametrize("thread", [True, False])
@pytest.mark.parametrize("cut", [False, True])
def test_the_first_return_of_a_new_task_is_that_of_its_parents_call(
    stage: TraceStage, thread: bool, cut: bool
) -> None:
    stage.events.enter(7, "clone", at=1).fork(7, 50, thread=thread, at=2)
    calls = drained(stage) if cut else []
    stage.events.leave(50, "clone", at=4).leave(7, "clone", 50, at=3)
    stage.events.enter(50, "read", at=5).leave(50, "read", at=6).leave(50, "read", at=7)
    assert calls + drained(stage) == [
        (7, 1, 3, SpanOutcome.RETURNED),
        (50, 2, 4, SpanOutcome.CHILD_RETURN),
        (50, 5, 6, SpanOutcome.RETURNED),
        (50, 6, 7, SpanOutcome.NO_MATCH),
    ]


def test_a_new_task_that_enters_first_has_no_return_to_come(stage: TraceStage) -> None:
    stage.events.fork(7, 50, at=2).enter(50, "read", at=3).leave(50, "read", at=4)
    assert drained(stage) == [(50, 3, 4, SpanOutcome.RETURNED)]


@pytest.mark.parametrize("call", ["exit", "exit_group"])
@pytest.mark.parametrize("cut", [False, True])
def test_the_call_that_ends_a_task_ends_with_it_and_never_returns(
    stage: TraceStage, call: str, cut: bool
) -> None:
    stage.events.enter(7, call, 1, at=5)
    calls = drained(stage) if cut else []
    stage.events.end(7, at=9)
    assert calls + drained(stage) == [(7, 5, 9, SpanOutcome.NEVER_RETURNS)]
    assert still_open(stage) == []


def test_a_return_from_a_signal_has_no_length_and_is_never_open(stage: TraceStage) -> None:
    stage.events.enter(7, "rt_sigreturn", at=5)
    assert drained(stage) == [(7, 5, 5, SpanOutcome.NEVER_RETURNS)]
    assert still_open(stage) == []
    stage.events.enter(7, "read", at=6).leave(7, "read", at=8).end(7, at=9)
    assert drained(stage) == [(7, 6, 8, SpanOutcome.RETURNED)]


def test_a_return_from_a_signal_cuts_a_call_that_was_open(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5).enter(7, "rt_sigreturn", at=6).leave(7, "read", at=7)
    assert drained(stage) == [
        (7, 5, 6, SpanOutcome.NO_MATCH),
        (7, 6, 6, SpanOutcome.NEVER_RETURNS),
        (7, 6, 7, SpanOutcome.NO_MATCH),
    ]


@pytest.mark.parametrize("cut", [False, True])
def test_a_task_that_is_killed_inside_a_call_ends_it(stage: TraceStage, cut: bool) -> None:
    stage.events.enter(7, "read", at=5)
    calls = drained(stage) if cut else []
    stage.events.end(7, at=9)
    assert calls + drained(stage) == [(7, 5, 9, SpanOutcome.TASK_ENDED)]


def test_an_entry_after_an_entry_leaves_the_first_without_a_match(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5).enter(7, "read", at=8).leave(7, "read", at=9)
    assert drained(stage) == [(7, 5, 8, SpanOutcome.NO_MATCH), (7, 8, 9, SpanOutcome.RETURNED)]


@pytest.mark.parametrize("cut", [False, True])
def test_a_return_of_another_kind_leaves_both_without_a_match(stage: TraceStage, cut: bool) -> None:
    stage.events.enter(7, "read", 3, at=5)
    calls = [*stage.drain().listed] if cut else []
    stage.events.leave(7, "getpid", 9, at=8)
    first, second = [*calls, *stage.drain().listed]
    assert brief([first, second]) == [
        (7, 5, 8, SpanOutcome.NO_MATCH),
        (7, 5, 8, SpanOutcome.NO_MATCH),
    ]
    assert (first.call, first.argument, first.result) == ("read", 3, None)
    assert (second.call, second.argument, second.result) == ("getpid", None, 9)


def test_the_next_task_of_a_tid_does_not_continue_the_calls_of_the_last(
    stage: TraceStage,
) -> None:
    stage.events.enter(7, "read", at=1).end(7, at=2).fork(8, 7, at=3).leave(7, "read", at=4)
    assert drained(stage) == [
        (7, 1, 2, SpanOutcome.TASK_ENDED),
        (7, 3, 4, SpanOutcome.CHILD_RETURN),
    ]


def test_what_forgotten_tasks_have_open_ends_now(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5).enter(8, "exit", at=6).enter(9, "read", at=7)
    stage.drain()
    stage.tasks.forget([7, 8])
    assert brief([*stage.drain(now_ns=50).listed]) == [
        (7, 5, 50, SpanOutcome.TASK_ENDED),
        (8, 6, 50, SpanOutcome.NEVER_RETURNS),
    ]
    assert still_open(stage) == [(9, 7, "read")]


def test_closing_tasks_that_were_never_seen_or_have_nothing_open_gives_nothing(
    stage: TraceStage,
) -> None:
    assert len(stage.pairing.close([0, 1, 1_000_000], at_ns=5)) == 0
    assert len(stage.pairing.close([], at_ns=5)) == 0


def test_a_closed_task_number_begins_anew_for_its_next_task(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5).leave(7, "read", at=6)
    stage.drain()
    stage.tasks.forget([7])
    stage.drain()
    stage.add(70)
    stage.events.leave(70, "read", at=9)
    assert drained(stage) == [(70, 0, 9, SpanOutcome.BEGAN_BEFORE)]


def test_a_close_before_the_entry_gives_a_call_of_no_length(stage: TraceStage) -> None:
    stage.events.enter(7, "read", at=5)
    stage.drain()
    stage.tasks.forget([7])
    assert brief([*stage.drain(now_ns=3).listed]) == [(7, 5, 5, SpanOutcome.TASK_ENDED)]


def test_open_calls_follow_their_commands_to_new_numbers(
    stage: TraceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_tracer.domain.model.segments.CROWDED", 0)
    for number in range(50):
        stage.events.rename(7, f"name {number}".encode(), at=number)
    stage.events.enter(7, "read", at=60).rename(7, b"last", at=61)
    stage.drain()
    assert len(stage.tasks.segments.commands) < 10
    stage.events.leave(7, "read", at=62)
    assert [one.command for one in stage.drain().listed] == ["name 49"]


def test_more_tasks_than_ever_before_are_paired_all_the_same() -> None:
    stage = TraceStage()
    tids = range(10, 1_010)
    stage.add(*tids)
    for tid in tids:
        stage.events.enter(tid, "read", tid, at=tid)
    assert drained(stage) == []
    for tid in reversed(tids):
        stage.events.leave(tid, "read", tid, at=5_000 - tid)
    calls = stage.drain().listed
    assert [one.argument for one in calls] == [*reversed(tids)]
    assert {one.argument == one.result for one in calls} == {True}
