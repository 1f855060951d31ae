"""Entries and returns of system calls → calls, paired across drains.

A call's entry and return are events of one task; between them that task has no other such event.
So, with the events of each task side by side, neighbours are pairs. What a drain leaves open is
remembered by task until its return comes, its task ends, or events are lost.
"""

from collections.abc import Sequence

import numpy as np
from attrs import define, evolve, field

from .attribution import Attribution
from .calls import Calls, Gaps
from .event_batch import EventTable
from .halves import Halves, by_task, calls_of_neighbours, cut
from .ring_buffer import LossMark
from .spans import Int32, Int64, SpanOutcome
from .syscalls import CallRole, SyscallTable

FROM_THE_BEGINNING = 0
"""Start of a call whose entry nobody saw; sessions put their own start there."""


@define(eq=False)
class CallPairing:
    """Pairs the entries and returns of one source; lives as long as the source."""

    table: SyscallTable
    _known: Calls = field(factory=lambda: _unknown_tasks(64))
    """Row t is what is known of task t: its open call where `entered`; else `outcome` says what
    a return without an entry would be, and `start` since when it may have been entered."""

    def open_calls(self) -> Calls:
        """Return the calls that have not returned yet."""
        return self._known.take(self._known.entered)

    def renumber_commands(self, numbers: Int32) -> None:
        """Follow a change of the numbers of commands."""
        live = self._known.entered
        self._known.command[live] = numbers[self._known.command[live]]

    def close(self, tasks: Sequence[int], at_ns: int) -> Calls:
        """End what these tasks have open; their numbers will be used for others."""
        chosen = np.array([task for task in tasks if task < len(self._known)], dtype=np.int64)
        calls = self._known.take(chosen[self._known.entered[chosen]])
        self._known.put(chosen, _unknown_tasks(len(chosen)))
        never = self.table.never_returns[calls.kind]
        outcome = np.where(never, SpanOutcome.NEVER_RETURNS, SpanOutcome.TASK_ENDED)
        return cut(calls, np.full(len(calls), at_ns), outcome.astype(np.uint8))

    def pair(self, table: EventTable, whose: Attribution, losses: Sequence[LossMark]) -> Calls:
        """Return the calls that ended in the table, in order of their end.

        `table` is in order of time, and later than all tables before it; `losses` are marks of
        time in it, and may be given again.
        """
        self._make_room(whose)
        self._note_births(whose.born)
        self._note_arrivals(whose.joined)
        gaps = Gaps.of(losses)
        role = self.table.role[table.event_id]
        rows = np.flatnonzero((role != CallRole.NONE) & (whose.container >= 0))
        calls = Calls.blank(0)
        if len(rows):
            halves = self._side_by_side(table, whose, rows)
            calls = gaps.split(calls_of_neighbours(halves, self.table.never_returns))
            self._remember(halves)
        return Calls.join(calls, self._lose(gaps)).in_order()

    def _make_room(self, whose: Attribution) -> None:
        numbers = (whose.task, whose.born[:, 0], whose.joined[:, 0])
        highest = max(int(one.max(initial=-1)) for one in numbers)
        if highest >= len(self._known):
            more = _unknown_tasks(2 * (highest + 1) - len(self._known))
            self._known = Calls.join(self._known, more)

    def _note_births(self, born: Int64) -> None:
        """Expect of a new task that its first return is that of its parent's call."""
        if not len(born):
            return
        task, at_ns = born.T
        self._known.put(task, _unknown_tasks(len(task)))
        self._known.outcome[task] = SpanOutcome.CHILD_RETURN
        self._known.start[task] = at_ns

    def _note_arrivals(self, joined: Int64) -> None:
        """Expect that a task which came into its container is in the midst of a call."""
        if not len(joined):
            return
        task, at_ns = joined.T
        self._known.put(task, _unknown_tasks(len(task)))
        self._known.start[task] = at_ns

    def _side_by_side(self, table: EventTable, whose: Attribution, rows: Int64) -> Halves:
        task, event_id = whose.task[rows], table.event_id[rows]
        tasks = np.unique(task) if task.min() != task.max() else task[:1]
        old = evolve(self._known.take(tasks), task=tasks)
        was_open = np.where(old.entered, CallRole.ENTRY, CallRole.NONE).astype(np.uint8)
        columns = [
            np.concatenate([tasks, task]),
            np.concatenate([was_open, self.table.role[event_id]]),
            np.concatenate([old.kind, self.table.kind[event_id]]),
            np.concatenate([old.start, table.time_ns[rows]]),
            np.concatenate([-1 - np.arange(len(tasks)), rows]),
        ]
        if len(tasks) > 1:
            order = by_task(columns[0])
            columns = [column[order] for column in columns]
        task, role, kind, time_ns, row = columns
        follows = np.empty(len(task), dtype=np.bool_)
        follows[0], follows[1:] = False, task[1:] == task[:-1]
        return Halves(
            table=table,
            whose=whose,
            remembered=old,
            task=task,
            role=role,
            kind=kind,
            time_ns=time_ns,
            row=row,
            follows=follows,
        )

    def _remember(self, halves: Halves) -> None:
        """Keep each task's last half: an open call, or that it is outside of any."""
        last = np.flatnonzero(~np.append(halves.follows[1:], False))
        call, role = halves.begun(last), halves.role[last]
        over = role != CallRole.ENTRY
        call.outcome[:] = SpanOutcome.NO_MATCH
        call.returned[:] = False
        ended = role == CallRole.TASK_END
        call.start[ended], call.outcome[ended] = FROM_THE_BEGINNING, SpanOutcome.BEGAN_BEFORE
        self._known.put(call.task, evolve(call, entered=~over))

    def _lose(self, gaps: Gaps) -> Calls:
        """Close what was open while events were lost: its return may be among them."""
        if not len(gaps.until):
            return Calls.blank(0)
        known, last = self._known, int(gaps.until[-1])
        touched = np.flatnonzero(known.start < last)
        over = gaps.end_of_first(known.start[touched], np.full(len(touched), last + 1))
        open_ = known.entered[touched]
        calls = known.take(touched[open_])
        known.start[touched] = last
        known.entered[touched] = False
        known.outcome[touched] = SpanOutcome.LOST
        return cut(calls, over[open_], np.uint8(SpanOutcome.LOST))


def _unknown_tasks(count: int) -> Calls:
    unknown = Calls.blank(count)
    unknown.outcome[:] = SpanOutcome.BEGAN_BEFORE
    return unknown
