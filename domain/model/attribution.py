"""Whose each event is: what a stretch of the stream, and attachments beside it, say of tasks."""

from collections.abc import Iterator, Sequence
from heapq import merge

import numpy as np
from attrs import define, field, frozen

from .attachments import Attachment
from .event_batch import EventTable
from .segments import Segment, patch
from .spans import Int32, Int64
from .task_events import CLONE_THREAD, EXEC, NEWTASK, RENAME
from .tasks import NOBODY, TaskIndex

MAX_EXEC_NS = 500_000_000
"""So long is waited for the end of a call that executes a program."""

MAX_LOOK_BACK = 1 << 16
"""How many events before an exec are looked through for the call it is part of."""


@frozen(kw_only=True, eq=False)
class Attribution:
    """Whose each event of a table is: int32 columns of its length, -1 where it is nobody's.

    `task` numbers a task for as long as it lives and stays in its container. `born` and `joined`
    (int64, shape (k, 2)) are the numbers of tasks whose beginning, or whose coming into their
    container, is in the table, and its time.
    """

    task: Int32
    pid: Int32
    container: Int32
    command: Int32
    born: Int64
    joined: Int64


def attribute(
    tasks: TaskIndex, table: EventTable, attached: Sequence[Attachment] = ()
) -> Attribution:
    """Say whose each event is, and let the index learn from the task events among them.

    `table` is in order of time, and later than all tables before it; so are the attachments,
    which are of the same stretch of time.
    """
    segment = tasks.segments.of(table.tid)
    replay = Replay(tasks, table)
    replay.run(attached)
    patch(segment, table.tid, replay.changes)
    whose = tasks.segments.rows[segment]
    return Attribution(
        task=whose[:, 0],
        pid=whose[:, 2],
        container=whose[:, 3],
        command=whose[:, 4],
        born=_pairs(replay.born),
        joined=_pairs(replay.joined),
    )


def launched_until(tasks: TaskIndex, table: EventTable, until_ns: int) -> int:
    """Return the time before which all is known of programs that launched tasks execute.

    A call that executes a program and is not over in the table belongs to whomever the program
    does: it is worth to wait for that, but not for long. `until_ns` is the end of the table.
    """
    if not tasks.alive(NOBODY):
        return until_ns
    since_ns = until_ns - MAX_EXEC_NS
    for row in np.flatnonzero(tasks.is_exec_entry[table.event_id]).tolist():
        own = tasks.segments.find(int(table.tid[row]))
        if own is not None and own.container != NOBODY:
            continue  # a container's own program executes another
        later = table.event_id[row + 1 :][table.tid[row + 1 :] == table.tid[row]]
        if table.time_ns[row] > since_ns and (later == tasks.event_ids[RENAME]).all():
            return int(table.time_ns[row])
    return until_ns


@define(eq=False)
class Replay:
    """Applies the task events of a table, and attachments, to an index.

    `changes` are (tid, first row, segment); `born` and `joined` are (task, time).
    """

    tasks: TaskIndex
    table: EventTable
    changes: list[tuple[int, int, int]] = field(factory=list)
    born: list[tuple[int, int]] = field(factory=list)
    joined: list[tuple[int, int]] = field(factory=list)

    def run(self, attached: Sequence[Attachment]) -> None:
        """Apply everything in order of time."""
        rows = np.flatnonzero(self.tasks.is_task_event[self.table.event_id])
        if not attached:
            for row in rows.tolist():
                self._event(row)
            return
        at = np.searchsorted(self.table.time_ns, [one.time_ns for one in attached])
        beside = ((row, -1, one) for row, one in zip(at.tolist(), attached, strict=True))
        inside: Iterator[tuple[int, int, None]] = ((row, 0, None) for row in rows.tolist())
        for row, _, attachment in merge(inside, beside, key=lambda one: one[:2]):
            if attachment is None:
                self._event(row)
            else:
                self._attach(attachment, row)
        self.tasks.forget_early(attached[-1].time_ns)

    def _event(self, row: int) -> None:
        tid, name = int(self.table.tid[row]), self.tasks.names[int(self.table.event_id[row])]
        record = self.table.columns[name][self.table.slot[row]]
        if name == RENAME:
            new, old = _text(record["newcomm"]), _text(record["oldcomm"])
            self._change(self.tasks.rename(int(record["pid"]), new, before=old), row)
        elif name == EXEC:
            self._exec(tid, record, row)
        elif own := self.tasks.segments.find(tid):
            if name == NEWTASK:
                self._fork(own, record, row)
            else:
                self._change(self.tasks.exit(own), row + 1)

    def _fork(self, parent: Segment, record: np.void, row: int) -> None:
        child = int(record["pid"])
        thread = bool(int(record["clone_flags"]) & CLONE_THREAD)
        changed = self.tasks.fork(parent, child, thread=thread, command=_text(record["comm"]))
        self._change(changed, row + 1)
        if changed:
            self.born.append((self._task(child), int(self.table.time_ns[row])))
            if early := self.tasks.early(child):
                self._attach(early, row + 1)

    def _exec(self, tid: int, record: np.void, row: int) -> None:
        self._change(self.tasks.take_over(tid, int(record["old_pid"])), row)
        if joined := self.tasks.execute(tid, bytes(record["file"])):
            since = self._call_of(tid, row)
            self.changes = [one for one in self.changes if one[0] != tid or one[1] < since]
            self._join(joined, since)

    def _call_of(self, tid: int, row: int) -> int:
        """Return the row of the call by which a task executes a file, or that of its success."""
        before = slice(max(0, row - MAX_LOOK_BACK), row)
        calls = self.table.tid[before] == tid
        calls &= self.tasks.is_exec_entry[self.table.event_id[before]]
        found = np.flatnonzero(calls)
        return before.start + int(found[-1]) if len(found) else row

    def _attach(self, attachment: Attachment, row: int) -> None:
        """Let a process be put into a cgroup; one that is none of a container's says nothing."""
        if not attachment.container_id:
            return
        if self.tasks.segments.find(attachment.tid) is None:
            self.tasks.note_early(attachment)
            return
        number = self.tasks.number_of_id(attachment.container_id)
        self._join(self.tasks.attach(attachment.tid, number), row)

    def _join(self, tids: Sequence[int], row: int) -> None:
        self._change(tids, row)
        last = len(self.table) - 1
        at_ns = int(self.table.time_ns[min(row, last)]) if last >= 0 else 0
        self.joined += [(self._task(tid), at_ns) for tid in tids if self._task(tid) >= 0]

    def _change(self, tids: Sequence[int], row: int) -> None:
        now = self.tasks.segments.current
        self.changes += [(tid, row, int(now[tid])) for tid in tids]

    def _task(self, tid: int) -> int:
        segments = self.tasks.segments
        return int(segments.rows[segments.current[tid], 0])


def _pairs(of: list[tuple[int, int]]) -> Int64:
    return np.array(of, dtype=np.int64).reshape(-1, 2)


def _text(comm: bytes) -> str:
    """Read a command; behind its end is whatever was in the buffer before."""
    return comm.partition(b"\0")[0].decode(errors="surrogateescape")
