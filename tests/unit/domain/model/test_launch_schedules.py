"""Whatever runs at once, and wherever drains cut: each event is whose it truly is."""

from collections.abc import Iterator, Sequence

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.attachments import Attachment
from container_tracer.domain.model.attribution import attribute, launched_until
from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.model.tasks import NOBODY
from container_tracer.fakes.event_tables import MadeEvent
from container_tracer.fakes.trace_stage import TraceStage

SHIM = 50
BOXES = [Container(name=name, pod="web", container_id=name * 32) for name in ("ab", "cd")]
FIRST = 3
"""The number of the first of them; the stage has three others."""

STAGES = (b"/proc/self/exe", b"/dev/fd/6")


@define
class Process:
    """A process that was launched; `box` is where it was put, `inside` that it is there."""

    tid: int
    command: bytes = b"runc"
    box: int | None = None
    inside: bool = False

    @property
    def container(self) -> int:
        return FIRST + self.box if self.inside and self.box is not None else NOBODY


@define(eq=False)
class Machine:
    """Runs processes as numbers choose, and knows whose each event is."""

    stage: TraceStage
    now: int = 10
    truth: list[int] = field(factory=list)
    attached: list[Attachment] = field(factory=list)
    processes: dict[int, Process] = field(factory=dict)
    next_tid: int = 100

    def step(self, who: int, choice: int, box: int) -> None:
        self.now += 10
        live = list(self.processes.values())
        if not live or choice == 0:
            self.launch(Process(self.next_tid), by=SHIM, whose=NOBODY)
            return
        one = live[who % len(live)]
        actions = [
            self.put,
            self.put,
            self.call,
            self.fork,
            self.start_anew,
            self.execute,
            self.end,
        ]
        actions[choice % len(actions)](one, box)

    def happen(self, *whose: int) -> None:
        self.truth.extend(whose)

    def launch(self, child: Process, *, by: int, whose: int) -> None:
        self.next_tid += 1
        self.stage.events.fork(by, child.tid, at=self.now, comm=child.command)
        self.processes[child.tid] = child
        self.happen(whose)

    def put(self, one: Process, box: int) -> None:
        """Put a process into a cgroup, hierarchy by hierarchy; only runtimes are put there."""
        if one.inside or one.box is not None:
            return
        one.box = box
        container_id = BOXES[box].container_id
        for hierarchy in range(2):
            self.now += 1
            self.attached.append(
                Attachment(
                    time_ns=self.now,
                    tid=one.tid,
                    path=container_id,
                    container_id=container_id,
                    hierarchy=hierarchy,
                )
            )

    def call(self, one: Process, _: int) -> None:
        self.stage.events.enter(one.tid, "read", at=self.now)
        self.stage.events.leave(one.tid, "read", at=self.now + 1)
        self.happen(one.container, one.container)

    def fork(self, one: Process, _: int) -> None:
        child = Process(self.next_tid, one.command, one.box, one.inside)
        self.launch(child, by=one.tid, whose=one.container)

    def start_anew(self, one: Process, box: int) -> None:
        """Execute a copy of itself, as runtimes do; in a container it is a program as any other."""
        self.become(one, STAGES[box], b"exe", whose=one.container)

    def execute(self, one: Process, _: int) -> None:
        if one.box is None:
            self.become(one, b"/usr/sbin/runc", b"runc", whose=NOBODY)
            return
        if not one.inside:
            self.rename(one, b"runc:[2:INIT]")
            one.inside = True
        self.become(one, b"/bin/sh", b"sh", whose=one.container)

    def become(self, one: Process, file: bytes, command: bytes, *, whose: int) -> None:
        events = self.stage.events
        self.now += 1
        events.enter(one.tid, "execve", at=self.now)
        events.rename(one.tid, command, old=one.command, at=self.now + 2)
        events.execute(one.tid, file=file, at=self.now + 3)
        events.leave(one.tid, "execve", at=self.now + 4)
        one.command = command
        self.now += 4
        self.happen(*[whose] * 4)

    def rename(self, one: Process, command: bytes) -> None:
        self.stage.events.rename(one.tid, command, old=one.command, at=self.now)
        self.happen(one.container)
        one.command = command

    def end(self, one: Process, _: int) -> None:
        self.stage.events.end(one.tid, at=self.now)
        self.happen(one.container)
        del self.processes[one.tid]


def drains(machine: Machine, cuts: Sequence[int]) -> Iterator[int]:
    """Drain behind each of these events, as a pipeline does; give whose each is found to be."""
    stage, waiting = machine.stage, list(machine.stage.events.events)
    stage.events.events.clear()
    attached = list(machine.attached)
    times = sorted(waiting[one % len(waiting)].time_ns + 1 for one in cuts if waiting)
    for cut in [*times, 1 << 40]:
        table = stage.events.table([one for one in waiting if one.time_ns < cut])
        until = launched_until(stage.tasks, table, cut)
        ready: list[MadeEvent] = [one for one in waiting if one.time_ns < until]
        waiting = waiting[len(ready) :]
        due = [one for one in attached if one.time_ns < until]
        attached = attached[len(due) :]
        whose = attribute(stage.tasks, stage.events.table(ready), due)
        stage.tasks.release()
        yield from whose.container.tolist()


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 13), st.integers(0, 1)), max_size=60),
    st.lists(st.integers(0, 199), max_size=8),
)
def test_each_event_is_whose_it_truly_is(
    steps: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    stage = TraceStage()
    for box in BOXES:
        stage.tasks.container_number(box)
    stage.tasks.add(NOBODY, [Task(tid=SHIM, pid=SHIM, command="containerd-shim")])
    machine = Machine(stage)
    for step in steps:
        machine.step(*step)
    assert list(drains(machine, cuts)) == machine.truth
    living: dict[int, set[int]] = {}
    for one in machine.processes.values():
        living.setdefault(one.container, set()).add(one.tid)
    assert stage.tasks.tids(NOBODY) == living.get(NOBODY, set()) | {SHIM}
    for number in range(FIRST, FIRST + len(BOXES)):
        assert stage.tasks.tids(number) == living.get(number, set())
