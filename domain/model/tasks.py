"""(tid, time) → task → container, learnt from `/proc` and then from the stream itself.

Forks, execs, renames and exits of the followed tasks are recorded in the same stream, in order
with everything else: so who a tid was at a moment is exact, although the kernel uses tids again.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from attrs import define, field, frozen

from .container_numbers import ContainerNumbers
from .event_batch import EventTable
from .pod import Container, Task
from .segments import Segment, Segments, patch
from .spans import Bools, Int32, Int64

NEWTASK = "task:task_newtask"
RENAME = "task:task_rename"
EXEC = "sched:sched_process_exec"
EXIT = "sched:sched_process_exit"
TASK_EVENTS = (NEWTASK, RENAME, EXEC, EXIT)
"""What every source records besides what its sessions ask for."""

PID_MAX_LIMIT = 4 * 1024 * 1024
"""include/linux/threads.h: no tid is larger on a 64-bit kernel."""

CLONE_THREAD = 0x00010000
"""include/uapi/linux/sched.h: the child is a thread of the caller's process."""


@frozen(kw_only=True, eq=False)
class Attribution:
    """Whose each event of a table is: int32 columns of its length, -1 where it is nobody's.

    `task` numbers a task for as long as it lives. `born` (int64, shape (k, 2)) are the numbers
    of tasks whose beginning is in the table, and its time.
    """

    task: Int32
    pid: Int32
    container: Int32
    command: Int32
    born: Int64


@define(kw_only=True, eq=False)
class TaskIndex:
    """Knows the tasks of the containers of one source; lives as long as the source.

    `event_ids` maps the names of `TASK_EVENTS` to this kernel's ids.
    """

    event_ids: dict[str, int]
    segments: Segments = field(factory=Segments)
    _containers: ContainerNumbers = field(factory=ContainerNumbers)
    _threads: dict[int, set[int]] = field(factory=dict)
    _ended_leaders: set[int] = field(factory=set)
    _free: list[int] = field(factory=list)
    _ended: list[int] = field(factory=list)
    _tasks: int = 0
    _alive: dict[int, int] = field(factory=dict)
    _names: dict[int, str] = field(init=False)
    _is_task_event: Bools = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepare the look-up of task events."""
        self._names = {number: name for name, number in self.event_ids.items()}
        self._is_task_event = np.zeros(1 << 16, dtype=np.bool_)
        self._is_task_event[list(self._names)] = True

    # What /proc says.

    @property
    def containers(self) -> Sequence[Container]:
        """The containers, by their numbers; a new sequence once a number means another one."""
        return self._containers.table

    def container_number(self, container: Container) -> int:
        """Return the number of a container, a new one for a new container."""
        return self._containers.number_of(container)

    def retire(self, number: int) -> None:
        """Forget a container, whose tasks are forgotten, with the next `release`."""
        self._containers.retire(number)

    def add(self, container: int, tasks: Iterable[Task]) -> list[int]:
        """Learn tasks of a container as `/proc` has them; return the tids that are news."""
        news = self.unknown(container, tasks)
        for task in news:
            command = self.segments.command_number(task.command)
            self._begin(task.tid, task.pid, container=container, command=command)
        return [task.tid for task in news]

    def unknown(self, container: int, tasks: Iterable[Task]) -> list[Task]:
        """Return those of a container's tasks that are not known as such."""
        return [task for task in tasks if not self._is_known(container, task)]

    def _is_known(self, container: int, task: Task) -> bool:
        if not 0 < task.tid <= PID_MAX_LIMIT:  # 0 is a task of another pid namespace
            return True
        known = self.segments.find(task.tid)
        return known is not None and (known.container, known.pid) == (container, task.pid)

    def tids(self, container: int) -> set[int]:
        """Return the tids of the container's tasks that are known to live."""
        live = self.segments.live()
        mine = live[live[:, 3] == container]
        return set(mine[:, 1].tolist()) - self._ended_leaders

    def alive(self, container: int) -> int:
        """Count the container's tasks that are known to live."""
        return self._alive.get(container, 0)

    def forget(self, tids: Iterable[int]) -> None:
        """Make these tids nobody's."""
        for tid in tids:
            self._end(tid)

    def release(self) -> list[int]:
        """Return the numbers of tasks that ended since the last call; they will be used again."""
        ended, self._ended = self._ended, []
        self._free += ended
        for container in self._containers.release():
            self._alive.pop(container, None)
        return ended

    # What the stream says.

    def attribute(self, table: EventTable) -> Attribution:
        """Say whose each event is, and learn from the task events among them.

        `table` is in order of time, and later than all tables before it.
        """
        segment = self.segments.of(table.tid)
        rows = np.flatnonzero(self._is_task_event[table.event_id])
        born: list[tuple[int, int]] = []
        if len(rows):
            patch(segment, table.tid, self._replay(table, rows, born))
        whose = self.segments.rows[segment]
        return Attribution(
            task=whose[:, 0],
            pid=whose[:, 2],
            container=whose[:, 3],
            command=whose[:, 4],
            born=np.array(born, dtype=np.int64).reshape(-1, 2),
        )

    def _replay(
        self, table: EventTable, rows: Int64, born: list[tuple[int, int]]
    ) -> list[tuple[int, ...]]:
        """Apply task events in order; return (tid, first row, segment) of each change."""
        changes: list[tuple[int, ...]] = []
        for row in rows.tolist():
            tid, name = int(table.tid[row]), self._names[int(table.event_id[row])]
            changed = self._apply(name, tid, table.columns[name][table.slot[row]])
            now = self.segments.current
            changes += [(one, row + since, int(now[one])) for one, since in changed]
            if changed and name == NEWTASK:
                child = int(self.segments.rows[now[changed[-1][0]], 0])
                born.append((child, int(table.time_ns[row])))
        return changes

    def _apply(self, name: str, tid: int, record: np.void) -> list[tuple[int, int]]:
        """Learn from one event; return the tids that change, and if from the next row on."""
        if name == RENAME:
            return self._rename(int(record["pid"]), record["newcomm"])
        if name == EXEC:
            return self._exec(tid, int(record["old_pid"]))
        if (own := self.segments.find(tid)) is None:
            return []
        changed = self._fork(own, record) if name == NEWTASK else self._exit(own)
        return [(one, 1) for one in changed]

    def _fork(self, parent: Segment, record: np.void) -> list[int]:
        """Begin a child; return whom that ends, and the child."""
        child = int(record["pid"])
        if not 0 < child <= PID_MAX_LIMIT:
            return []
        pid = parent.pid if int(record["clone_flags"]) & CLONE_THREAD else child
        command = self.segments.command_number(_text(record["comm"]))
        ended = self._begin(child, pid, container=parent.container, command=command)
        return [*ended, child]

    def _rename(self, tid: int, comm: bytes) -> list[tuple[int, int]]:
        """Give a task a new command; it may be another one of the same process."""
        own = self.segments.find(tid)
        if own is None:
            return []
        self.segments.set(own._replace(command=self.segments.command_number(_text(comm))))
        return [(tid, 0)]

    def _exec(self, tid: int, old_tid: int) -> list[tuple[int, int]]:
        """Let a thread that execs take over the tid of its process's first thread."""
        old, first = self.segments.find(old_tid), self.segments.find(tid)
        if old is None or old.tid == tid or old.pid != tid:
            return []
        command = first.command if first else old.command  # it was renamed under its new tid
        self._end(tid)
        self.segments.end(old_tid)
        self.segments.set(old._replace(tid=tid, command=command))
        self._threads[tid] = self._threads[tid] - {old_tid} | {tid}
        return [(tid, 0), (old_tid, 0)]

    def _exit(self, own: Segment) -> list[int]:
        """End a task; a process's first thread stays until the last, which may take its tid."""
        if own.tid in self._ended_leaders:
            return []
        if own.tid == own.pid and self._threads[own.pid] - {own.tid}:
            self._leave(own)
            self._ended_leaders.add(own.tid)
            return []
        return self._end(own.tid)

    # Tasks begin and end.

    def _begin(self, tid: int, pid: int, *, container: int, command: int) -> list[int]:
        ended = self._end(tid)
        task = self._free.pop() if self._free else self._tasks
        self._tasks = max(self._tasks, task + 1)
        self.segments.set(Segment(task, tid, pid, container, command))
        self._threads.setdefault(pid, set()).add(tid)
        self._alive[container] = self._alive.get(container, 0) + 1
        return ended

    def _end(self, tid: int) -> list[int]:
        """Make a tid nobody's; the last of a process takes an ended first thread along."""
        own = self.segments.find(tid)
        if own is None:
            return []
        if tid in self._ended_leaders:
            self._ended_leaders.discard(tid)
        else:
            self._leave(own)
        self._ended.append(own.task)
        self.segments.end(tid)
        if own.pid in self._ended_leaders and own.pid not in self._threads:
            return [tid, *self._end(own.pid)]
        return [tid]

    def _leave(self, own: Segment) -> None:
        self._alive[own.container] -= 1
        threads = self._threads[own.pid]
        threads.discard(own.tid)
        if not threads:
            del self._threads[own.pid]


def _text(comm: bytes) -> str:
    """Read a command; behind its end is whatever was in the buffer before."""
    return comm.partition(b"\0")[0].decode(errors="surrogateescape")
