"""Entries and returns of system calls → calls, paired across drains.

A call's entry and return are events of one task; between them that task has no other such event.
So, with the events of each task side by side, neighbours are pairs. What a drain leaves open is
remembered by task until its return comes, its task ends, or events are lost.
"""

from collections.abc import Sequence

import numpy as np
from attrs import define, evolve, field, frozen

from .calls import Calls, Gaps
from .event_batch import EventTable
from .ring_buffer import LossMark
from .spans import Bools, Int32, Int64, SpanOutcome, UInt8
from .syscalls import ENTER, EXIT, CallRole, SyscallTable
from .tasks import Attribution

FROM_THE_BEGINNING = 0
"""Start of a call whose entry nobody saw; sessions put their own start there."""


@frozen(kw_only=True, eq=False)
class _Halves:
    """Entries, returns and task ends, task by task, each task's in order of time.

    Before those of a task stands what was remembered of it, as an entry or as nothing. `row` is
    the row of the table, or -1 - k for the k-th of those remembered. `follows` says that the
    half before is of the same task.
    """

    table: EventTable
    whose: Attribution
    remembered: Calls
    task: Int32
    role: UInt8
    kind: Int32
    time_ns: Int64
    row: Int64
    follows: Bools

    def begun(self, at: Int64) -> Calls:
        """Return calls that have their beginning from these halves, and no end yet."""
        row = self.row[at]
        real, table = np.maximum(row, 0), self.table
        time_ns, role = self.time_ns[at], self.role[at]
        entered = (role == CallRole.ENTRY) | (role == CallRole.MOMENT)
        slot = np.where(entered & (row >= 0), table.slot[real], 0)
        arguments = table.columns[ENTER.name]["arguments"]
        calls = Calls(
            start=time_ns,
            end=time_ns,
            task=self.task[at],
            tid=table.tid[real],
            pid=self.whose.pid[real],
            container=self.whose.container[real],
            command=self.whose.command[real],
            kind=self.kind[at],
            arguments=arguments[slot] if len(arguments) else Calls.blank(len(at)).arguments,
            result=np.zeros(len(at), dtype=np.int64),
            outcome=np.zeros(len(at), dtype=np.uint8),
            entered=entered,
            returned=np.zeros(len(at), dtype=np.bool_),
        )
        if len(old := np.flatnonzero(row < 0)):
            calls.put(old, self.remembered.take(-1 - row[old]))
        return calls

    def results(self, at: Int64) -> Int64:
        """Return the results of these halves, which are returns."""
        result: Int64 = self.table.columns[EXIT.name]["result"][self.table.slot[self.row[at]]]
        return result


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
        return _cut(calls, np.full(len(calls), at_ns), outcome.astype(np.uint8))

    def pair(self, table: EventTable, whose: Attribution, losses: Sequence[LossMark]) -> Calls:
        """Return the calls that ended in the table, in order of their end.

        `table` is in order of time, and later than all tables before it; `losses` are marks of
        time in it, and may be given again.
        """
        self._make_room(whose)
        self._note_births(whose.born)
        gaps = Gaps.of(losses)
        role = self.table.role[table.event_id]
        rows = np.flatnonzero((role != CallRole.NONE) & (whose.task >= 0))
        calls = Calls.blank(0)
        if len(rows):
            halves = self._side_by_side(table, whose, rows)
            calls = gaps.split(_neighbours(halves, self.table.never_returns))
            self._remember(halves)
        return Calls.join(calls, self._lose(gaps)).in_order()

    def _make_room(self, whose: Attribution) -> None:
        highest = int(max(whose.task.max(initial=-1), whose.born[:, 0].max(initial=-1)))
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

    def _side_by_side(self, table: EventTable, whose: Attribution, rows: Int64) -> _Halves:
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
            order = _by_task(columns[0])
            columns = [column[order] for column in columns]
        task, role, kind, time_ns, row = columns
        follows = np.empty(len(task), dtype=np.bool_)
        follows[0], follows[1:] = False, task[1:] == task[:-1]
        return _Halves(
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

    def _remember(self, halves: _Halves) -> None:
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
        return _cut(calls, over[open_], np.uint8(SpanOutcome.LOST))


def _unknown_tasks(count: int) -> Calls:
    unknown = Calls.blank(count)
    unknown.outcome[:] = SpanOutcome.BEGAN_BEFORE
    return unknown


def _cut(calls: Calls, end: Int64, outcome: UInt8 | np.uint8) -> Calls:
    """End calls whose return nobody saw."""
    return evolve(
        calls,
        end=np.maximum(end, calls.start),
        outcome=np.broadcast_to(outcome, len(calls)).astype(np.uint8),
        returned=np.zeros(len(calls), dtype=np.bool_),
    )


def _neighbours(halves: _Halves, never_returns: Bools) -> Calls:
    """Make calls of each half and the one before it."""
    role, kind = halves.role, halves.kind
    after_entry = np.zeros(len(role), dtype=np.bool_)
    after_entry[1:] = halves.follows[1:] & (role[:-1] == CallRole.ENTRY)
    returning = halves.follows & (role == CallRole.RETURN)
    matched = after_entry & returning
    matched[1:] &= kind[1:] == kind[:-1]
    pairs = np.flatnonzero(matched)
    whole = evolve(
        halves.begun(pairs - 1),
        end=halves.time_ns[pairs],
        result=halves.results(pairs),
        outcome=np.zeros(len(pairs), dtype=np.uint8),
        returned=np.ones(len(pairs), dtype=np.bool_),
    )
    cut = np.flatnonzero(after_entry & ~matched)
    alone = np.flatnonzero(returning & ~matched)
    moments = np.flatnonzero(role == CallRole.MOMENT)
    if not len(cut) and not len(alone) and not len(moments):
        return whole
    return Calls.join(
        whole,
        _unreturned(halves, cut, never_returns),
        _unentered(halves, alone),
        _momentary(halves, moments),
    )


def _unreturned(halves: _Halves, following: Int64, never_returns: Bools) -> Calls:
    """End the calls before these halves: their return was not recorded, or never comes."""
    call = halves.begun(following - 1)
    ending = halves.role[following] == CallRole.TASK_END
    never = never_returns[call.kind]
    outcome = np.where(ending, SpanOutcome.TASK_ENDED, SpanOutcome.NO_MATCH).astype(np.uint8)
    outcome[never] = SpanOutcome.NEVER_RETURNS
    # What goes on after a call that never returns has long left it.
    end = np.where(never & ~ending, call.start, halves.time_ns[following])
    return _cut(call, end, outcome)


def _unentered(halves: _Halves, at: Int64) -> Calls:
    """Make calls of returns alone; what stands before them says what is known of the start."""
    row = halves.row[at - 1]
    outcome = np.full(len(at), SpanOutcome.NO_MATCH, dtype=np.uint8)
    old = (row < 0) & (halves.role[at - 1] == CallRole.NONE)
    outcome[old] = halves.remembered.outcome[-1 - row[old]]
    return evolve(
        halves.begun(at),
        # Losses may reach beyond the time that is known, and so beyond a return.
        start=np.minimum(halves.time_ns[at - 1], halves.time_ns[at]),
        result=halves.results(at),
        outcome=outcome,
        returned=np.ones(len(at), dtype=np.bool_),
    )


def _momentary(halves: _Halves, at: Int64) -> Calls:
    """Make calls of entries that are all there is of them."""
    return _cut(halves.begun(at), halves.time_ns[at], np.uint8(SpanOutcome.NEVER_RETURNS))


def _by_task(task: Int32) -> Int64:
    """Sort by task, keeping the order of each; numpy sorts 16-bit numbers in linear time."""
    if int(task.max()) < 1 << 16:
        return np.argsort(task.astype(np.uint16), kind="stable")
    return np.argsort(task, kind="stable")
