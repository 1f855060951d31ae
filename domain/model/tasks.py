"""(tid, time) → task → container, learnt from `/proc` and then from the stream itself.

Forks, execs, renames and exits of the followed tasks are recorded in the same stream, in order
with everything else: so who a tid was at a moment is exact, although the kernel uses tids again.
Which cgroup a task was put into comes beside it, as attachments.

Tasks that launch containers are known as well, and are nobody's. What they put into a container
becomes the container's when it executes the container's program, from the call that does so.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from attrs import define, field

from .attachments import Attachment
from .container_numbers import ContainerNumbers
from .entering import Entering
from .launchers import is_launching, is_stage
from .pod import Container, Task
from .segments import Segment, Segments
from .spans import Bools

PID_MAX_LIMIT = 4 * 1024 * 1024
"""include/linux/threads.h: no tid is larger on a 64-bit kernel."""

NOBODY = -1
"""The container of tasks that are known, and in none that has a number."""

EARLY_NS = 1_000_000
"""So much may the stamp of a task's beginning be later than that of its attachment."""


@define(kw_only=True, eq=False)
class TaskIndex:
    """Knows the tasks of the containers of one source; lives as long as the source.

    `event_ids` maps the names of `TASK_EVENTS` to this kernel's ids; `exec_entries` are the ids
    of the entries of calls that execute files.
    """

    event_ids: dict[str, int]
    exec_entries: Collection[int] = ()
    segments: Segments = field(factory=Segments)
    entering: Entering = field(factory=Entering)
    _containers: ContainerNumbers = field(factory=ContainerNumbers)
    _early: dict[int, Attachment] = field(factory=dict)
    """Attachments of tasks that were not known then: their beginning may bear the later stamp."""
    _threads: dict[int, set[int]] = field(factory=dict)
    _ended_leaders: set[int] = field(factory=set)
    _free: list[int] = field(factory=list)
    _ended: list[int] = field(factory=list)
    _tasks: int = 0
    _alive: dict[int, int] = field(factory=dict)
    names: dict[int, str] = field(init=False)
    is_task_event: Bools = field(init=False)
    is_exec_entry: Bools = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Prepare the look-up of task events."""
        self.names = {number: name for name, number in self.event_ids.items()}
        self.is_task_event = np.zeros(1 << 16, dtype=np.bool_)
        self.is_task_event[list(self.names)] = True
        self.is_exec_entry = np.zeros(1 << 16, dtype=np.bool_)
        self.is_exec_entry[list(self.exec_entries)] = True

    # What /proc says.

    @property
    def containers(self) -> Sequence[Container]:
        """The containers, by their numbers; a new sequence once a number means another one."""
        return self._containers.table

    def container_number(self, container: Container) -> int:
        """Return the number of a container, a new one for a new container."""
        return self._containers.number_of(container)

    def number_of_id(self, container_id: str) -> int:
        """Return the number of a container of which nothing but the id may be known."""
        return self._containers.number_of_id(container_id)

    def number_of_known(self, container_id: str) -> int:
        """Return the number of a container by its id, or `NOBODY` if it has none."""
        return self._containers.by_id.get(container_id, NOBODY)

    def numbers(self) -> set[int]:
        """Return the numbers of all containers that are known."""
        return self._containers.in_use()

    def retire(self, number: int) -> None:
        """Forget a container, whose tasks are forgotten, with the next `release`.

        One that is entered just now, or was a moment ago, is kept: its number would be another's.
        """
        if not self.entering.goes_to(number) and not self.alive(number):
            self._containers.retire(number)

    def add(self, container: int, tasks: Sequence[Task], *, now_ns: int = 0) -> list[int]:
        """Learn tasks as `/proc` has them; return the tids that are news.

        `container` may be `NOBODY`, for tasks that launch containers. `now_ns` is time since boot.
        """
        news = self.unknown(container, tasks, now_ns=now_ns)
        pids = {task.pid for task in tasks}
        for task in news:
            command = self.segments.command_number(task.command)
            launching = container != NOBODY and is_launching(task, pids, now_ns)
            whose = NOBODY if launching else container
            self._begin(task.tid, task.pid, container=whose, command=command)
            if launching:
                self.entering.put(task.pid, container)
            else:
                self.entering.end(task.pid)
        return [task.tid for task in news]

    def unknown(self, container: int, tasks: Sequence[Task], *, now_ns: int = 0) -> list[Task]:
        """Return those of a container's tasks that are not known as such."""
        pids = {task.pid for task in tasks}
        return [task for task in tasks if not self._is_known(container, task, pids, now_ns)]

    def _is_known(self, container: int, task: Task, pids: set[int], now_ns: int) -> bool:
        if not 0 < task.tid <= PID_MAX_LIMIT:  # 0 is a task of another pid namespace
            return True
        known = self.segments.find(task.tid)
        if known is None or known.pid != task.pid:
            return False
        if container in (NOBODY, known.container):
            return True
        entering = self.entering.container_of(task.pid) == container
        return entering and is_launching(task, pids, now_ns)

    def tids(self, container: int) -> set[int]:
        """Return the tids of the container's tasks that are known to live."""
        live = self.segments.live()
        mine = live[live[:, 3] == container]
        return set(mine[:, 1].tolist()) - self._ended_leaders

    def pids(self, container: int) -> set[int]:
        """Return the pids of the container's processes that are known to live."""
        live = self.segments.live()
        return set(live[live[:, 3] == container][:, 2].tolist())

    def alive(self, container: int) -> int:
        """Count the container's tasks that are known to live."""
        return self._alive.get(container, 0)

    def forget(self, tids: Iterable[int]) -> None:
        """Make these tids nobody's."""
        for tid in tids:
            self._end(tid)

    def note_early(self, attachment: Attachment) -> None:
        """Remember what was attached before it was known."""
        self._early[attachment.tid] = attachment

    def early(self, tid: int) -> Attachment | None:
        """Return, once, what a task that is known now was attached to before."""
        return self._early.pop(tid, None)

    def forget_early(self, now_ns: int) -> None:
        """Forget what is still not known: it is nobody this source follows."""
        late = [tid for tid, one in self._early.items() if now_ns - one.time_ns > EARLY_NS]
        for tid in late:
            del self._early[tid]

    def release(self) -> list[int]:
        """Return the numbers of tasks that ended since the last call; they will be used again."""
        ended, self._ended = self._ended, []
        self._free += ended
        for container in self._containers.release():
            self._alive.pop(container, None)
        return ended

    # What the stream says. Each returns the tids that are another's, or another one, from then on.

    def fork(self, parent: Segment, child: int, *, thread: bool, command: str) -> list[int]:
        """Begin a child; return whom that ends, and the child."""
        if not 0 < child <= PID_MAX_LIMIT:
            return []
        pid = parent.pid if thread else child
        number = self.segments.command_number(command)
        ended = self._begin(child, pid, container=parent.container, command=number)
        if not thread:
            self.entering.inherit(child, parent.pid)
        return [*ended, child]

    def rename(self, tid: int, command: str, *, before: str) -> list[int]:
        """Give a task a new command; it may be another one of the same process."""
        own = self.segments.find(tid)
        if own is None:
            return []
        self.entering.rename(own.pid, before)
        self.segments.set(own._replace(command=self.segments.command_number(command)))
        return [tid]

    def take_over(self, tid: int, old_tid: int) -> list[int]:
        """Let a thread that execs take over the tid of its process's first thread."""
        old, first = self.segments.find(old_tid), self.segments.find(tid)
        if old is None or old.tid == tid or old.pid != tid:
            return []
        command = first.command if first else old.command  # it was renamed under its new tid
        self._end(tid)
        self.segments.end(old_tid)
        self.segments.set(old._replace(tid=tid, command=command))
        self._threads[tid] = self._threads[tid] - {old_tid} | {tid}
        return [tid, old_tid]

    def execute(self, tid: int, file: bytes) -> list[int]:
        """Let a process execute a file, which may bring it into a container."""
        container = self.entering.execute(tid, file)
        return [] if container is None else self._move(tid, container)

    def attach(self, tid: int, container: int) -> list[int]:
        """Let the process of a task be put into the cgroup of a container.

        What launches containers is on its way into it; what is moved by hand is in it at once.
        """
        own = self.segments.find(tid)
        if own is None or own.container == container:
            return []
        if self.entering.container_of(own.pid) == container:
            return []
        if own.container == NOBODY or is_stage(self.segments.commands[own.command]):
            moved = [] if own.container == NOBODY else self._move(own.pid, NOBODY)
            self.entering.put(own.pid, container)
            return moved
        return self._move(own.pid, container)

    def exit(self, own: Segment) -> list[int]:
        """End a task; a process's first thread stays until the last, which may take its tid."""
        if own.tid in self._ended_leaders:
            return []
        if own.tid == own.pid and self._threads[own.pid] - {own.tid}:
            self._leave(own)
            self._ended_leaders.add(own.tid)
            return []
        return self._end(own.tid)

    def _move(self, pid: int, container: int) -> list[int]:
        """Let all tasks of a process go on in another container, as tasks of their own."""
        moved = []
        for tid in sorted(self._threads.get(pid, ())):
            if own := self.segments.find(tid):
                moved += self._begin(tid, pid, container=container, command=own.command)
                moved.append(tid)
        return moved

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
            self.entering.end(own.pid)
