"""A kernel in miniature: tasks that do what tasks do, the events of it, and the truth about it.

What it does is chosen by numbers, so that a property test can choose them. Tids are few and soon
used again.
"""

from collections.abc import Callable, Iterable, Sequence

from attrs import define, evolve, field

from ..domain.model.spans import SpanOutcome
from .event_tables import TableBuilder
from .true_calls import TrueCall, TrueRow

TIDS = range(100, 112)
CPUS = 3


@define(kw_only=True, eq=False)
class TinyTask:
    """A task that lives, or a process's first one that ended before the others."""

    identity: int
    tid: int
    pid: int
    container: int
    command: str
    cpu: int = 0
    born_ns: int | None = None
    entered: TrueCall | None = None

    @property
    def row(self) -> TrueRow:
        """Whose its next event is."""
        return TrueRow(
            identity=self.identity, pid=self.pid, container=self.container, command=self.command
        )


_Action = Callable[[TinyTask], None]


@define(eq=False)
class TinyKernel:
    """Runs tasks and records everything.

    `booted` are its first tasks as they were then; `rows` has the truth of each event in
    `events.events`, `calls` of each call that has ended.
    """

    events: TableBuilder = field(factory=TableBuilder)
    now_ns: int = 1_000
    booted: list[TinyTask] = field(factory=list)
    tasks: dict[int, TinyTask] = field(factory=dict)
    zombies: dict[int, TinyTask] = field(factory=dict)
    rows: list[TrueRow | None] = field(factory=list)
    calls: list[TrueCall] = field(factory=list)
    _identities: int = 0
    _choice: int = 0

    @classmethod
    def ran(cls, steps: Iterable[tuple[int, int, int]]) -> "TinyKernel":
        """Boot processes 100 (with thread 101, container 0) and 105 (container 1), and run."""
        kernel = cls()
        kernel.boot(100, 0, threads=[101])
        kernel.boot(105, 1)
        kernel.booted = [evolve(task) for task in kernel.tasks.values()]
        for step in steps:
            kernel.step(*step)
        return kernel

    def boot(self, tid: int, container: int, *, threads: Sequence[int] = ()) -> None:
        """Have a process from the beginning."""
        for one in (tid, *threads):
            self._begin(one, tid, container=container, command=f"init-{tid}")

    def step(self, who: int, choice: int, wait_ns: int) -> None:
        """Let a task do one of the things it can do now."""
        self.now_ns += wait_ns
        self._choice = choice
        live = sorted(self.tasks)
        if not live or choice % 16 == 0:
            self._stranger()
            return
        task = self.tasks[live[who % len(live)]]
        task.cpu = (task.cpu + choice // 5) % CPUS
        actions = self._actions(task)
        actions[choice % len(actions)](task)

    def open_calls(self) -> list[TrueCall]:
        """Return the calls of tasks that live and have not returned."""
        return [task.entered for task in self.tasks.values() if task.entered]

    def _actions(self, task: TinyTask) -> Sequence[_Action]:
        if task.entered is None:
            if task.born_ns is not None:
                return [self._first_return, self._first_return, self._die]
            return [
                *(self._read, self._clone, self._read, self._getpid, self._return_from_signal),
                *(self._read, self._rename, self._rename_another, self._clone, self._read),
                *(self._exec, self._exit, self._exit_group),
            ]
        inside: dict[str, Sequence[_Action]] = {
            "clone": [self._fork, self._thread, self._return, self._return],
            "exit": [self._die],
            "exit_group": [self._die_all],
            "execve": [self._become, self._return, self._die],
        }
        return inside.get(task.entered.call, [self._return, self._return, self._return, self._die])

    # What is recorded.

    def _stranger(self) -> None:
        used = self.tasks.keys() | self.zombies.keys()
        tid = next((one for one in (-7, 0, 1 << 30, *TIDS) if one not in used), 0)
        tid = (-7, 0, 1 << 30, tid)[self._choice // 16 % 4]
        self.events.enter(tid, "read", at=self.now_ns)
        self.rows.append(None)

    def _enter(self, task: TinyTask, call: str, argument: int = 0) -> None:
        self.events.enter(task.tid, call, argument, at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)
        task.entered = self._call(task, call, SpanOutcome.RETURNED, argument=argument)

    def _call(
        self, task: TinyTask, call: str, outcome: SpanOutcome, *, argument: int | None
    ) -> TrueCall:
        return TrueCall(
            start=self.now_ns,
            end=self.now_ns,
            tid=task.tid,
            pid=task.pid,
            container=task.container,
            command=task.command,
            call=call,
            outcome=outcome,
            argument=argument,
        )

    def _end_call(self, call: TrueCall, outcome: SpanOutcome, result: int | None) -> None:
        self.calls.append(evolve(call, end=self.now_ns, outcome=outcome, result=result))

    # What tasks do.

    def _read(self, task: TinyTask) -> None:
        self._enter(task, "read", self._choice)

    def _getpid(self, task: TinyTask) -> None:
        self._enter(task, "getpid")

    def _clone(self, task: TinyTask) -> None:
        self._enter(task, "clone")

    def _exec(self, task: TinyTask) -> None:
        self._enter(task, "execve")

    def _exit(self, task: TinyTask) -> None:
        self._enter(task, "exit")

    def _exit_group(self, task: TinyTask) -> None:
        self._enter(task, "exit_group")

    def _return_from_signal(self, task: TinyTask) -> None:
        self._enter(task, "rt_sigreturn")
        call, task.entered = task.entered, None
        if call:
            self._end_call(call, SpanOutcome.NEVER_RETURNS, None)

    def _return(self, task: TinyTask) -> None:
        call, task.entered = task.entered, None
        if call:
            result = self._choice - 20
            self.events.leave(task.tid, call.call, result, at=self.now_ns, cpu=task.cpu)
            self.rows.append(task.row)
            self._end_call(call, SpanOutcome.RETURNED, result)

    def _first_return(self, task: TinyTask) -> None:
        born_ns, task.born_ns = task.born_ns, None
        self.events.leave(task.tid, "clone", at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)
        call = self._call(task, "clone", SpanOutcome.CHILD_RETURN, argument=None)
        self._end_call(evolve(call, start=born_ns or 0), SpanOutcome.CHILD_RETURN, 0)

    def _rename(self, task: TinyTask) -> None:
        task.command = f"name {self._choice}"
        self.events.rename(task.tid, task.command.encode(), at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)

    def _rename_another(self, task: TinyTask) -> None:
        others = self._threads(task)
        other = others[self._choice % len(others)] if others else task
        other.command = f"given {self._choice}"
        comm = other.command.encode()
        self.events.rename(task.tid, comm, whom=other.tid, at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)

    def _fork(self, task: TinyTask) -> None:
        self._make(task, thread=False)

    def _thread(self, task: TinyTask) -> None:
        self._make(task, thread=True)

    def _make(self, task: TinyTask, *, thread: bool) -> None:
        free = [tid for tid in TIDS if tid not in self.tasks and tid not in self.zombies]
        if not free:
            self._return(task)
            return
        tid, comm = free[self._choice % len(free)], task.command.encode()
        self.events.fork(task.tid, tid, thread=thread, comm=comm, at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)
        pid = task.pid if thread else tid
        child = self._begin(tid, pid, container=task.container, command=task.command)
        child.born_ns = self.now_ns

    def _begin(self, tid: int, pid: int, *, container: int, command: str) -> TinyTask:
        self._identities += 1
        task = TinyTask(
            identity=self._identities, tid=tid, pid=pid, container=container, command=command
        )
        self.tasks[tid] = task
        return task

    def _threads(self, task: TinyTask) -> list[TinyTask]:
        """Return the other threads of its process."""
        every = self.tasks.values()
        return [one for one in every if one.pid == task.pid and one is not task]

    def _die(self, task: TinyTask) -> None:
        self.events.end(task.tid, at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)
        if call := task.entered:
            never = call.call in ("exit", "exit_group")
            outcome = SpanOutcome.NEVER_RETURNS if never else SpanOutcome.TASK_ENDED
            self._end_call(call, outcome, None)
        del self.tasks[task.tid]
        if not self._threads(task):
            self.zombies.pop(task.pid, None)
        elif task.tid == task.pid:
            self.zombies[task.tid] = task

    def _die_all(self, task: TinyTask) -> None:
        for one in [*self._threads(task), task]:
            self._die(one)

    def _become(self, task: TinyTask) -> None:
        """Exec: the other threads end, the first one's tid is taken, then comes the name."""
        for one in self._threads(task):
            self._die(one)
        old = task.tid
        command = f"exec {self._choice}"
        named = task
        if old != task.pid:
            named = self.zombies.pop(task.pid)
            del self.tasks[old]
            task.tid = task.pid
            self.tasks[task.tid] = task
        task.command = named.command = command
        self.events.rename(task.tid, command.encode(), at=self.now_ns, cpu=task.cpu)
        self.rows.append(named.row)
        self.events.execute(task.tid, old=old, at=self.now_ns, cpu=task.cpu)
        self.rows.append(task.row)
        self._return(task)
