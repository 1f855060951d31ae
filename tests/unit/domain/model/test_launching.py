"""What is launched becomes a container's with its program, and with the call that executes it."""

import pytest

from container_tracer.domain.model.attachments import Attachment
from container_tracer.domain.model.attribution import MAX_EXEC_NS, launched_until
from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.model.share import SessionShare
from container_tracer.domain.model.spans import SpanFilter, SpanOutcome
from container_tracer.domain.model.tasks import NOBODY
from container_tracer.fakes.trace_stage import TraceStage

BOX = Container(name="main", pod="web", container_id="ab" * 32)
OTHER = "cd" * 32
SHIM, RUNC, INIT = 50, 60, 70


@pytest.fixture
def stage() -> TraceStage:
    """A shim is recorded, and launches for `BOX`, which is number 3."""
    stage = TraceStage()
    assert stage.tasks.container_number(BOX) == 3
    stage.tasks.add(NOBODY, [Task(tid=SHIM, pid=SHIM, command="containerd-shim")])
    return stage


def attached(tid: int, *, at: int, container_id: str = BOX.container_id) -> Attachment:
    return Attachment(
        time_ns=at, tid=tid, path=f"/kubepods/{container_id}", container_id=container_id
    )


def launch(stage: TraceStage) -> TraceStage:
    """Fork from shim to the last stage, which is put into the cgroup at 30."""
    stage.events.fork(SHIM, RUNC, at=10, comm=b"containerd-shim")
    stage.events.fork(RUNC, INIT, at=20, comm=b"runc").enter(INIT, "read", at=25)
    return stage


def execute(stage: TraceStage, *, at: int, file: bytes = b"/bin/sleep") -> TraceStage:
    """Have the last stage become the container's program, in a call of 10."""
    stage.events.rename(INIT, b"runc:[2:INIT]", at=at - 1)
    stage.events.enter(INIT, "execve", at=at)
    stage.events.rename(INIT, b"sleep", old=b"runc:[2:INIT]", at=at + 5)
    stage.events.execute(INIT, file=file, at=at + 6).leave(INIT, "execve", at=at + 10)
    return stage


def containers(stage: TraceStage, *attachments: Attachment) -> list[int]:
    whose = stage.drain(attached=attachments).whose
    containers: list[int] = whose.container.tolist()
    return containers


def test_what_a_launcher_makes_is_known_and_nobodys(stage: TraceStage) -> None:
    launch(stage).events.wake(INIT, at=26)
    whose = stage.drain().whose
    assert set(whose.container.tolist()) == {NOBODY}
    assert (whose.task >= 0).all()
    assert stage.tasks.alive(3) == 0


def test_a_process_put_into_a_cgroup_enters_with_its_program(stage: TraceStage) -> None:
    execute(launch(stage), at=40).events.wake(INIT, at=60)
    # Two forks, a call, its name; then the call that executes, to the end.
    assert containers(stage, attached(INIT, at=30)) == [NOBODY] * 4 + [3] * 5
    assert stage.tasks.tids(3) == {INIT}


def test_its_first_call_is_a_whole_one(stage: TraceStage) -> None:
    mine = stage.share(SessionShare(session_id="s", spans=SpanFilter(), containers={3}, since_ns=0))
    execute(launch(stage), at=40)
    (call,) = stage.drain(attached=[attached(INIT, at=30)]).listed
    assert (call.call, call.start, call.end, call.outcome) == (
        "execve",
        40,
        50,
        SpanOutcome.RETURNED,
    )
    # The call, and what says that it became a program: a name and the file.
    assert (mine.statistics.attributed, mine.statistics.filtered_out) == (4, 2)


def test_a_call_that_began_in_an_earlier_drain_begins_with_the_container(stage: TraceStage) -> None:
    mine = stage.share(SessionShare(session_id="s", spans=SpanFilter(), containers={3}, since_ns=0))
    launch(stage).events.enter(INIT, "execve", at=40)
    stage.drain(attached=[attached(INIT, at=30)])
    stage.events.execute(INIT, file=b"/bin/sleep", at=46).leave(INIT, "execve", at=50)
    (call,) = stage.drain().listed
    assert (call.start, call.end, call.outcome) == (46, 50, SpanOutcome.BEGAN_BEFORE)
    assert mine.statistics.attributed == mine.statistics.filtered_out + 1 == 2


def test_a_runtime_that_starts_itself_anew_has_not_entered(stage: TraceStage) -> None:
    launch(stage)
    stage.events.rename(INIT, b"exe", old=b"runc", at=33)
    stage.events.execute(INIT, file=b"/proc/self/exe", at=34).wake(INIT, at=35)
    stage.events.rename(INIT, b"runc", old=b"exe", at=36)
    stage.events.execute(INIT, file=b"/dev/fd/6", at=37).wake(INIT, at=38)
    assert set(containers(stage, attached(INIT, at=30))) == {NOBODY}
    # The program itself may well be named so, as a shell that is a multi-call binary is.
    assert containers(execute(stage, at=40, file=b"/proc/self/exe"))[-1] == 3


def test_what_an_entering_process_makes_enters_as_well(stage: TraceStage) -> None:
    launch(stage).events.fork(INIT, 71, at=35, comm=b"runc:[0:PARENT]").fork(71, 72, at=36)
    stage.events.end(INIT, at=37).end(71, at=38)
    stage.events.rename(72, b"sleep", old=b"runc:[2:INIT]", at=40)
    stage.events.execute(72, file=b"/bin/sleep", at=41).wake(72, at=42)
    assert containers(stage, attached(INIT, at=30))[-2:] == [3, 3]
    assert stage.tasks.tids(3) == {72}


def test_threads_of_the_runtime_are_nobodys_to_their_end(stage: TraceStage) -> None:
    launch(stage).events.fork(INIT, 71, at=35, thread=True, comm=b"runc:[2:INIT]")
    stage.events.wake(71, at=36).end(71, at=37)
    execute(stage, at=40).events.wake(INIT, at=60)
    whose = stage.drain(attached=[attached(INIT, at=30)]).whose
    assert set(whose.container[:7].tolist()) == {NOBODY}
    assert whose.container.tolist()[-1] == 3


def test_the_same_attachment_in_every_hierarchy_is_one(stage: TraceStage) -> None:
    execute(launch(stage), at=40)
    assert containers(stage, *(attached(INIT, at=30 + n) for n in range(8)))[-1] == 3
    stage.events.wake(INIT, at=60).wake(INIT, at=70)
    assert containers(stage, attached(INIT, at=65)) == [3, 3]
    assert stage.tasks.alive(3) == 1


def test_containers_that_launch_at_once_are_kept_apart(stage: TraceStage) -> None:
    launch(stage).events.fork(RUNC, 80, at=21, comm=b"runc")
    for tid, at in ((INIT, 40), (80, 41)):
        stage.events.rename(tid, b"sh", old=b"runc:[2:INIT]", at=at)
        stage.events.execute(tid, file=b"/bin/sh", at=at).wake(tid, at=at + 10)
    found = containers(stage, attached(INIT, at=30), attached(80, at=31, container_id=OTHER))
    assert found[-2:] == [3, 4]
    assert stage.tasks.containers[4] == Container(name="", pod="", container_id=OTHER)


def test_a_container_known_by_its_id_gets_its_name_with_its_number(stage: TraceStage) -> None:
    assert stage.tasks.number_of_id(OTHER) == 4
    named = Container(name="side", pod="web", container_id=OTHER)
    assert stage.tasks.container_number(named) == stage.tasks.number_of_id(OTHER) == 4
    assert stage.tasks.containers[4] == named


def test_a_task_moved_by_hand_is_in_the_container_at_once(stage: TraceStage) -> None:
    stage.add(7, 8, pid=7, container=0)
    stage.events.enter(7, "read", at=10).wake(8, at=40).leave(7, "read", at=50)
    drained = stage.drain(attached=[attached(7, at=30)])
    assert drained.whose.container.tolist() == [0, 3, 3]
    assert stage.tasks.tids(3) == {7, 8}
    assert stage.tasks.tids(0) == set()
    # The call is cut where the container changes, so that each half is counted where it belongs.
    began, ended = sorted(drained.listed, key=lambda one: one.outcome)
    assert {began.container, ended.container} == {0, 3}


def test_a_runtime_inside_a_container_is_its_own_until_it_enters_another(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.fork(7, RUNC, at=10, comm=b"sh").rename(RUNC, b"runc", old=b"sh", at=11)
    stage.events.wake(RUNC, at=12).wake(RUNC, at=40)
    stage.events.rename(RUNC, b"sleep", old=b"runc:[2:INIT]", at=50)
    stage.events.execute(RUNC, file=b"/bin/sleep", at=51).wake(RUNC, at=52)
    assert containers(stage, attached(RUNC, at=30)) == [0, 0, 0, NOBODY, NOBODY, 3, 3]


def test_a_task_made_inside_a_cgroup_may_be_attached_before_its_beginning(
    stage: TraceStage,
) -> None:
    stage.events.fork(SHIM, INIT, at=20, comm=b"runc").wake(INIT, at=21)
    execute(stage, at=40)
    assert containers(stage, attached(INIT, at=19))[-1] == 3


def test_an_attachment_of_a_stranger_is_forgotten(stage: TraceStage) -> None:
    stage.events.wake(SHIM, at=10)
    stage.drain(attached=[attached(INIT, at=9)])
    late = 9 + 2_000_000
    stage.events.wake(SHIM, at=late)
    stage.drain(attached=[attached(RUNC, at=late)])
    stage.events.fork(SHIM, INIT, at=late + 1, comm=b"runc")
    stage.drain()
    assert stage.tasks.entering.container_of(INIT) is None


def test_what_ends_on_its_way_leaves_nothing_behind(stage: TraceStage) -> None:
    launch(stage).events.end(INIT, at=35).end(RUNC, at=36)
    stage.drain(attached=[attached(INIT, at=30)])
    assert stage.tasks.entering.container_of(INIT) is None
    assert not stage.tasks.entering.goes_to(3)
    assert stage.tasks.tids(NOBODY) == {SHIM}


def test_a_number_is_kept_while_a_process_enters(stage: TraceStage) -> None:
    launch(stage)
    stage.drain(attached=[attached(INIT, at=30)])
    stage.tasks.retire(3)
    stage.tasks.release()
    assert stage.tasks.container_number(BOX) == 3


# What /proc says of such processes.

START = 500
"""Ticks since boot: five seconds."""


def found(command: str = "runc:[2:INIT]", *, parent: int = SHIM) -> Task:
    return Task(tid=INIT, pid=INIT, command=command, start_time=START, parent=parent)


def test_the_last_stage_of_a_runtime_found_in_a_container_is_entering(stage: TraceStage) -> None:
    stage.tasks.add(3, [found()], now_ns=6_000_000_000)
    assert stage.tasks.tids(3) == set()
    assert stage.tasks.unknown(3, [found()], now_ns=7_000_000_000) == []
    assert containers(execute(stage, at=40))[-1] == 3


@pytest.mark.parametrize(
    ("task", "now_ns"),
    [
        (found("sleep"), 6_000_000_000),
        (found(parent=INIT), 6_000_000_000),  # a container's own that takes such a name
        (found(), 60_000_000_000),  # a runtime that hangs, or the container's first, named so
    ],
)
def test_what_only_looks_like_a_runtime_is_the_containers(
    stage: TraceStage, task: Task, now_ns: int
) -> None:
    stage.tasks.add(3, [task], now_ns=now_ns)
    assert stage.tasks.tids(3) == {INIT}


def test_what_takes_too_long_to_enter_is_the_containers(stage: TraceStage) -> None:
    stage.tasks.add(3, [found()], now_ns=6_000_000_000)
    assert stage.tasks.add(3, [found()], now_ns=60_000_000_000) == [INIT]
    assert stage.tasks.tids(3) == {INIT}
    assert stage.tasks.entering.container_of(INIT) is None


def test_a_launcher_that_is_known_otherwise_stays_what_it_is(stage: TraceStage) -> None:
    """The shim of a container inside of a container is a process of the outer one."""
    stage.add(7)
    assert stage.tasks.add(NOBODY, [Task(tid=7, pid=7, command="containerd-shim")]) == []
    assert stage.tasks.tids(0) == {7}


# A call that executes a program is waited for.


def until(stage: TraceStage, *, end: int = 100) -> int:
    return launched_until(stage.tasks, stage.events.take(), end)


def test_a_call_that_has_not_come_to_its_program_is_waited_for(stage: TraceStage) -> None:
    launch(stage).events.enter(INIT, "execve", at=40).rename(INIT, b"sleep", at=45)
    stage.events.wake(SHIM, at=50)
    assert until(stage) == 40


def test_a_call_that_is_over_is_not_waited_for(stage: TraceStage) -> None:
    assert until(execute(launch(stage), at=40)) == 100
    stage.events.enter(INIT, "execve", at=40).leave(INIT, "execve", -2, at=50)
    assert until(stage) == 100


def test_a_call_that_takes_too_long_is_not_waited_for(stage: TraceStage) -> None:
    stage.events.enter(SHIM, "execve", at=40)
    assert until(stage, end=40 + MAX_EXEC_NS) == 40 + MAX_EXEC_NS


def test_a_containers_own_call_is_not_waited_for(stage: TraceStage) -> None:
    stage.add(7)
    stage.events.enter(7, "execve", at=40)
    assert until(stage) == 100


def test_where_nobody_launches_nothing_is_waited_for() -> None:
    stage = TraceStage()
    stage.events.enter(INIT, "execve", at=40)
    assert until(stage) == 100
