"""What is known of tids for a while, in rows of numbers.

A *segment* is a time in which a tid is one task of one process of one container and has one
command. A new one begins where any of these changes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from attrs import define, field

from .spans import Int32

UNKNOWN = 0
"""The segment of tids that are nobody's: all -1."""

CROWDED = 4096
"""From so many dead segments or commands on, it is worth to clear them out."""


class Segment(NamedTuple):
    """One row. `task` numbers a task as long as it lives, whatever its tid."""

    task: int
    tid: int
    pid: int
    container: int
    command: int


@define(eq=False)
class Segments:
    """All segments, and the current one of every tid (int32 `current`, indexed by tid).

    `rows` is int32, a `Segment` per row; `commands` are the names that `command` numbers.
    """

    rows: Int32 = field(factory=lambda: np.full((64, 5), -1, dtype=np.int32))
    current: Int32 = field(factory=lambda: np.zeros(1 << 15, dtype=np.int32))
    commands: list[str] = field(factory=list)
    _count: int = 1
    _command_numbers: dict[str, int] = field(factory=dict)

    def find(self, tid: int) -> Segment | None:
        """Return the current segment of a tid, if it has one."""
        if not 0 < tid < len(self.current) or self.current[tid] == UNKNOWN:
            return None
        return Segment(*self.rows[self.current[tid]].tolist())

    def set(self, segment: Segment) -> None:
        """Make it the current segment of its tid."""
        tid = segment.tid
        if tid >= len(self.current):
            grown = np.zeros(max(tid + 1, 2 * len(self.current)), dtype=np.int32)
            grown[: len(self.current)] = self.current
            self.current = grown
        if self._count == len(self.rows):
            self.rows = np.concatenate([self.rows, np.full_like(self.rows, -1)])
        self.rows[self._count] = segment
        self.current[tid] = self._count
        self._count += 1

    def end(self, tid: int) -> None:
        """Make the tid nobody's."""
        self.current[tid] = UNKNOWN

    def of(self, tid: Int32) -> Int32:
        """Look up the current segments of many tids, whatever their values."""
        if len(tid) and (int(tid.min()) < 0 or int(tid.max()) >= len(self.current)):
            tid = np.where((tid >= 0) & (tid < len(self.current)), tid, 0)
        found: Int32 = self.current[tid]
        return found

    def live(self) -> Int32:
        """Return the rows of all current segments."""
        rows: Int32 = self.rows[self.current[self.current != UNKNOWN]]
        return rows

    def command_number(self, command: str) -> int:
        """Return the number of a command, a new one for a new name."""
        number = self._command_numbers.setdefault(command, len(self.commands))
        if number == len(self.commands):
            self.commands.append(command)
        return number

    @property
    def crowded(self) -> bool:
        """Tell whether there may be enough to clear out; it costs nothing to ask."""
        return self._count >= CROWDED

    def compact(self, commands_in_use: Int32) -> Int32 | None:
        """Clear out dead segments and unused commands, if they are many.

        Returns the new number of each old command (int32, -1 for those gone), or None if
        commands keep their numbers. `commands` becomes a new list; the old one stays as it was.
        """
        tids = np.flatnonzero(self.current)
        if self._count < CROWDED + 2 * len(tids):
            return None
        live = self.rows[self.current[tids]]
        self.rows = np.full((2 * len(tids) + 64, 5), -1, dtype=np.int32)
        self.rows[1 : len(tids) + 1] = live
        self.current[tids] = np.arange(1, len(tids) + 1, dtype=np.int32)
        self._count = len(tids) + 1
        if len(self.commands) < CROWDED + 2 * len(tids):
            return None
        return self._compact_commands(np.union1d(live[:, 4], commands_in_use))

    def _compact_commands(self, used: Int32) -> Int32:
        numbers = np.full(len(self.commands), -1, dtype=np.int32)
        numbers[used] = np.arange(len(used), dtype=np.int32)
        self.commands = [self.commands[number] for number in used.tolist()]
        self._command_numbers = {name: number for number, name in enumerate(self.commands)}
        live = slice(1, self._count)
        self.rows[live, 4] = numbers[self.rows[live, 4]]
        return numbers


def patch(segment: Int32, tid: Int32, changes: Sequence[tuple[int, ...]]) -> None:
    """Correct the segments of rows whose tid changed hands inside their table.

    `changes` are (tid, first row, segment); of those alike in tid and row, the last holds.
    """
    if not changes:
        return
    whose, since, target = np.array(sorted(changes, key=lambda c: c[:2]), dtype=np.int64).T
    stride = len(tid) + 1
    touched = np.zeros(int(whose.max()) + 1, dtype=np.bool_)
    touched[whose] = True
    inside = (tid > 0) & (tid < len(touched))
    rows = np.flatnonzero(inside & touched[np.where(inside, tid, 0)])
    owner = tid[rows].astype(np.int64)
    found = np.searchsorted(whose * stride + since, owner * stride + rows, side="right") - 1
    valid = (found >= 0) & (whose[found] == owner)
    segment[rows[valid]] = target[found[valid]]
