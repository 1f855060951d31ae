"""Who a tid was at a moment is what the kernel said of it, in that order."""

import numpy as np
import pytest
from attrs import evolve

from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.model.task_events import NEWTASK
from container_tracer.domain.model.tasks import NOBODY, PID_MAX_LIMIT, TaskIndex
from container_tracer.fakes.trace_stage import BOXES, Drained, TraceStage


@pytest.fixture
def stage() -> TraceStage:
    return TraceStage()


def owners(drained: Drained) -> list[tuple[int, int, str | None]]:
    """Pid, container and command of each event."""
    whose = drained.whose
    pids, containers = whose.pid.tolist(), whose.container.tolist()
    return [(*one, drained.command(row)) for row, one in enumerate(zip(pids, containers))]  # noqa: B905


NOBODYS = (-1, -1, None)


def test_a_task_is_known_by_its_tid_and_containers_are_kept_apart(stage: TraceStage) -> None:
    stage.add(7)
    stage.add(8, 9, pid=8, container=1)
    for at, tid in enumerate((7, 8, 9, 10)):
        stage.events.wake(tid, at=at)
    assert owners(stage.drain()) == [(7, 0, "sh"), (8, 1, "sh"), (8, 1, "sh"), NOBODYS]
    assert (stage.tasks.tids(0), stage.tasks.tids(1)) == ({7}, {8, 9})
    assert [stage.tasks.alive(number) for number in (0, 1, 2)] == [1, 2, 0]


def test_a_container_has_one_number_whatever_runs_in_it(stage: TraceStage) -> None:
    again = evolve(BOXES[1], tasks=(1, 2), labels={"a": "b"})
    assert stage.tasks.container_number(again) == 1
    assert stage.tasks.container_number(evolve(BOXES[1], container_id="new")) == 3


@pytest.mark.parametrize("tid", [-(2**31), -1, 0, 6, 1 << 15, PID_MAX_LIMIT + 1, 2**31 - 1])
def test_unknown_and_impossible_tids_are_nobodys(stage: TraceStage, tid: int) -> None:
    stage.add(7)
    stage.events.wake(tid, at=1).fork(tid, 50, at=2).end(tid, at=3).wake(7, at=4).wake(50, at=5)
    assert owners(stage.drain()) == [NOBODYS, NOBODYS, NOBODYS, (7, 0, "sh"), NOBODYS]


@pytest.mark.parametrize("child", [-1, 0, PID_MAX_LIMIT + 1, 2**31 - 1])
def test_impossible_children_are_not_learnt(stage: TraceStage, child: int) -> None:
    stage.add(7)
    stage.events.fork(7, child, at=1).wake(child, at=2).rename(7, b"x", whom=child, at=3)
    drained = stage.drain()
    assert owners(drained)[1] == NOBODYS
    assert len(drained.whose.born) == 0
    assert len(stage.tasks.segments.current) <= PID_MAX_LIMIT + 1


def test_tids_of_other_pid_namespaces_are_not_learnt_from_proc(stage: TraceStage) -> None:
    strangers = [Task(tid=tid, pid=tid, command="x") for tid in (0, -1, PID_MAX_LIMIT + 1)]
    assert stage.tasks.add(0, strangers) == []
    assert stage.tasks.alive(0) == 0


def test_a_table_without_events_is_nobodys(stage: TraceStage) -> None:
    assert owners(stage.drain()) == []


def test_the_child_of_a_fork_is_a_process_of_the_same_container_from_then_on(
    stage: TraceStage,
) -> None:
    stage.add(7, container=1)
    stage.events.wake(8, at=1).fork(7, 8, at=2, comm=b"child").wake(8, at=3)
    drained = stage.drain()
    assert owners(drained) == [NOBODYS, (7, 1, "sh"), (8, 1, "child")]
    assert drained.whose.born.tolist() == [[drained.whose.task[2], 2]]
    assert stage.tasks.alive(1) == 2


def test_the_child_of_a_clone_with_clone_thread_is_a_thread(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.fork(7, 8, at=1, thread=True).fork(8, 9, at=2, thread=True).wake(9, at=3)
    assert owners(stage.drain())[-1] == (7, 0, "sh")


def test_generations_forked_within_one_table_are_followed(stage: TraceStage) -> None:
    stage.add(100)
    for tid in range(100, 130):
        stage.events.fork(tid, tid + 1, at=tid).wake(tid + 1, at=tid)
    drained = stage.drain()
    assert set(drained.whose.container.tolist()) == {0}
    assert len(set(drained.whose.task.tolist())) == 31


def test_a_rename_holds_from_its_own_row_on(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.wake(7, at=1).rename(7, b"new", at=2).wake(7, at=3)
    assert [one[2] for one in owners(stage.drain())] == ["sh", "new", "new"]
    assert stage.drain(stage.events.wake(7, at=4).events).command(0) == "new"


def test_a_thread_can_name_another_one_and_keeps_its_own_name(stage: TraceStage) -> None:
    stage.add(7, 8, pid=7)
    stage.events.rename(7, b"worker", whom=8, at=1).wake(8, at=2).wake(7, at=3)
    assert [one[2] for one in owners(stage.drain())] == ["sh", "worker", "sh"]


@pytest.mark.parametrize(
    ("comm", "command"),
    [
        (b"sh\0left over", "sh"),
        (b"\0hidden", ""),
        (b"sixteen bytes ok", "sixteen bytes ok"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\xfe", "\udcff\udcfe"),
    ],
)
def test_a_name_ends_at_its_first_nul_and_may_be_any_bytes(
    stage: TraceStage, comm: bytes, command: str
) -> None:
    stage.add(7)
    stage.events.rename(7, comm, at=1).fork(7, 8, comm=comm, at=2).wake(8, at=3)
    assert [one[2] for one in owners(stage.drain())] == [command, command, command]


def test_an_ended_task_is_nobodys_after_its_exit(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.wake(7, at=1).end(7, at=2).wake(7, at=3)
    assert owners(stage.drain()) == [(7, 0, "sh"), (7, 0, "sh"), NOBODYS]
    assert (stage.tasks.tids(0), stage.tasks.alive(0)) == (set(), 0)


def test_a_tid_used_again_within_a_table_is_another_task(stage: TraceStage) -> None:
    stage.add(7)
    stage.add(8, container=1)
    stage.events.end(7, at=1).wake(7, at=2).fork(8, 7, at=3, comm=b"new").wake(7, at=4)
    drained = stage.drain()
    assert owners(drained)[0] == (7, 0, "sh")
    assert owners(drained)[1] == NOBODYS
    assert owners(drained)[3] == (7, 1, "new")
    assert drained.whose.task[0] != drained.whose.task[3]


def test_a_tid_used_again_in_a_later_table_is_another_task(stage: TraceStage) -> None:
    stage.add(7)
    stage.add(8, container=1)
    stage.events.end(7, at=1)
    stage.drain()
    stage.events.fork(8, 7, at=2, comm=b"new").wake(7, at=3)
    assert owners(stage.drain())[1] == (7, 1, "new")
    assert (stage.tasks.alive(0), stage.tasks.alive(1)) == (0, 2)


def test_a_tid_whose_exit_was_lost_is_another_task_once_forked(stage: TraceStage) -> None:
    stage.add(7)
    stage.add(8, container=1)
    stage.events.wake(7, at=1).fork(8, 7, at=2, comm=b"new").wake(7, at=3)
    drained = stage.drain()
    assert drained.whose.task[0] != drained.whose.task[2]
    assert owners(drained)[2] == (7, 1, "new")
    assert (stage.tasks.alive(0), stage.tasks.alive(1)) == (0, 2)


def test_what_proc_says_again_changes_nothing(stage: TraceStage) -> None:
    tasks = [Task(tid=7, pid=7, command="sh"), Task(tid=8, pid=7, command="worker")]
    assert stage.tasks.add(0, tasks) == [7, 8]
    assert stage.tasks.add(0, tasks) == []
    assert stage.tasks.release() == []
    assert stage.tasks.alive(0) == 2


def test_what_proc_has_in_another_container_or_process_is_another_task(stage: TraceStage) -> None:
    stage.add(7)
    assert stage.tasks.add(1, [Task(tid=7, pid=7, command="sh")]) == [7]
    assert stage.tasks.add(1, [Task(tid=7, pid=6, command="sh")]) == [7]
    assert (stage.tasks.alive(0), stage.tasks.alive(1)) == (0, 1)
    assert len(stage.tasks.release()) == 2


def test_forgotten_tids_are_nobodys_and_forgetting_twice_is_fine(stage: TraceStage) -> None:
    stage.add(7, 8)
    stage.tasks.forget([7, 7, 99, -5])
    stage.events.wake(7, at=1).wake(8, at=2)
    assert owners(stage.drain()) == [NOBODYS, (8, 0, "sh")]
    assert stage.tasks.alive(0) == 1


def test_numbers_of_tasks_are_used_again_only_after_they_were_released() -> None:
    index = TaskIndex(event_ids=TraceStage().events.task_event_ids)
    index.container_number(BOXES[0])
    index.add(0, [Task(tid=7, pid=7, command="sh")])
    index.forget([7])
    index.add(0, [Task(tid=8, pid=8, command="sh")])
    assert index.segments.live()[:, 0].tolist() == [1]
    assert index.release() == [0]
    assert index.release() == []
    index.add(0, [Task(tid=9, pid=9, command="sh")])
    assert sorted(index.segments.live()[:, 0].tolist()) == [0, 1]


def test_every_column_is_as_long_as_the_table(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.fork(7, 8, at=1).wake(8, at=2)
    whose = stage.drain().whose
    assert {one.dtype for one in (whose.task, whose.pid, whose.container, whose.command)} == {
        np.dtype(np.int32)
    }
    assert whose.born.shape == (1, 2)


def test_events_about_tasks_are_those_of_the_ids_given() -> None:
    stage = TraceStage()
    ids = {**stage.events.task_event_ids, NEWTASK: 999}
    stage.tasks = TaskIndex(event_ids=ids)
    stage.add(7)
    stage.events.fork(7, 8, at=1).wake(8, at=2)
    assert owners(stage.drain())[1] == NOBODYS


def test_a_retired_container_is_forgotten_once_its_calls_are_closed(stage: TraceStage) -> None:
    stage.add(7, container=1)
    before = stage.tasks.containers
    stage.tasks.forget([7])
    stage.tasks.retire(1)
    assert stage.tasks.containers is before
    stage.tasks.release()
    assert stage.tasks.container_number(BOXES[1]) == len(BOXES)
    assert before[1] == BOXES[1]


def test_a_container_that_is_entered_while_it_is_let_go_keeps_its_number(
    stage: TraceStage,
) -> None:
    number = stage.tasks.container_number(Container(name="side", pod="shop", container_id="c0ffee"))
    stage.tasks.retire(number)
    stage.tasks.add(NOBODY, [Task(tid=20, pid=20, command="runc")])
    stage.tasks.attach(20, stage.tasks.number_of_id("c0ffee"))  # as the watch tells
    stage.tasks.release()
    assert stage.tasks.number_of_known("c0ffee") == number


def test_a_container_that_was_entered_a_moment_ago_is_not_let_go(stage: TraceStage) -> None:
    stage.add(8, pid=8, container=1)
    stage.tasks.retire(1)
    stage.tasks.release()
    stage.events.wake(8, at=1).end(8, at=2)
    assert owners(stage.drain())[0] == (8, 1, "sh")
    assert stage.tasks.alive(1) == 0
