"""Entries, returns and task ends side by side, task by task: neighbours make calls."""

import numpy as np
from attrs import evolve, frozen

from .attribution import Attribution
from .calls import Calls
from .event_batch import EventTable
from .spans import Bools, Int32, Int64, SpanOutcome, UInt8, chosen
from .syscalls import ENTER, EXIT, CallRole


@frozen(kw_only=True, eq=False)
class Halves:
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
            arguments=chosen(arguments, slot) if len(arguments) else Calls.blank(len(at)).arguments,
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


def cut(calls: Calls, end: Int64 | int, outcome: UInt8 | np.uint8) -> Calls:
    """End calls whose return nobody saw."""
    return evolve(
        calls,
        end=np.maximum(end, calls.start),
        outcome=np.broadcast_to(outcome, len(calls)).astype(np.uint8),
        returned=np.zeros(len(calls), dtype=np.bool_),
    )


def calls_of_neighbours(halves: Halves, never_returns: Bools) -> Calls:
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


def _unreturned(halves: Halves, following: Int64, never_returns: Bools) -> Calls:
    """End the calls before these halves: their return was not recorded, or never comes."""
    call = halves.begun(following - 1)
    ending = halves.role[following] == CallRole.TASK_END
    never = never_returns[call.kind]
    outcome = np.where(ending, SpanOutcome.TASK_ENDED, SpanOutcome.NO_MATCH).astype(np.uint8)
    outcome[never] = SpanOutcome.NEVER_RETURNS
    # What goes on after a call that never returns has long left it.
    end = np.where(never & ~ending, call.start, halves.time_ns[following])
    return cut(call, end, outcome)


def _unentered(halves: Halves, at: Int64) -> Calls:
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


def _momentary(halves: Halves, at: Int64) -> Calls:
    """Make calls of entries that are all there is of them."""
    return cut(halves.begun(at), halves.time_ns[at], np.uint8(SpanOutcome.NEVER_RETURNS))


def by_task(task: Int32) -> Int64:
    """Sort by task, keeping the order of each; numpy sorts 16-bit numbers in linear time."""
    if int(task.max()) < 1 << 16:
        return np.argsort(task.astype(np.uint16), kind="stable")
    return np.argsort(task, kind="stable")
