"""Calls in columns, by the trace clock: what pairing gives, before sessions take their part."""

from collections.abc import Sequence

import numpy as np
from attrs import evolve, fields, frozen

from .ring_buffer import LossMark
from .spans import Bools, Int32, Int64, SpanOutcome, UInt8, UInt64, chosen
from .syscalls import MAX_ARGUMENTS


@frozen(kw_only=True, eq=False)
class Calls:
    """Calls in columns; see `SpanBatch` for what they mean.

    `start` and `end` are stamps of the trace clock; `task` is the number of the task that made
    the call, `container` and `command` are numbers of the source.
    """

    start: Int64
    end: Int64
    task: Int32
    tid: Int32
    pid: Int32
    container: Int32
    command: Int32
    kind: Int32
    arguments: UInt64
    result: Int64
    outcome: UInt8
    entered: Bools
    returned: Bools

    def __len__(self) -> int:
        """Count the calls."""
        return len(self.start)

    @property
    def events(self) -> int:
        """Count the kernel events the calls are made of."""
        return int(np.count_nonzero(self.entered)) + int(np.count_nonzero(self.returned))

    def take(self, rows: Int64 | Int32 | Bools) -> "Calls":
        """Return the chosen calls."""
        return Calls(**{name: chosen(getattr(self, name), rows) for name in NAMES})

    def put(self, rows: Int64 | Int32, calls: "Calls") -> None:
        """Overwrite rows with other calls."""
        for name in NAMES:
            getattr(self, name)[rows] = getattr(calls, name)

    def in_order(self) -> "Calls":
        """Return them in order of their end."""
        if bool((self.end[1:] >= self.end[:-1]).all()):
            return self
        return self.take(np.argsort(self.end, kind="stable"))

    @classmethod
    def blank(cls, count: int) -> "Calls":
        """Return rows that mean nothing yet: all zero."""
        shapes = {"arguments": (count, MAX_ARGUMENTS)}
        return cls(
            **{name: np.zeros(shapes.get(name, (count,)), kind) for name, kind in _DTYPES.items()}
        )

    @classmethod
    def join(cls, *parts: "Calls") -> "Calls":
        """Put calls one after the other."""
        filled = [part for part in parts if len(part)]
        if len(filled) < 2:  # noqa: PLR2004
            return filled[0] if filled else cls.blank(0)
        return cls(
            **{name: np.concatenate([getattr(one, name) for one in filled]) for name in NAMES}
        )


NAMES = tuple(one.name for one in fields(Calls))
_KINDS = ["i8", "i8", *["i4"] * 6, "u8", "i8", "u1", "?", "?"]
_DTYPES = dict(zip(NAMES, map(np.dtype, _KINDS), strict=True))


@frozen(eq=False)
class Gaps:
    """Stretches of time in which events of some CPU were lost, merged and in order."""

    since: Int64
    until: Int64

    @classmethod
    def of(cls, losses: Sequence[LossMark]) -> "Gaps":
        """Merge the marks of all CPUs: a task may have run on any."""
        merged: list[list[int]] = []
        for mark in sorted(losses, key=lambda one: one.since_ns):
            until_ns = max(mark.since_ns, mark.until_ns)
            if merged and mark.since_ns <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], until_ns)
            else:
                merged.append([mark.since_ns, until_ns])
        since, until = np.array(merged, dtype=np.int64).reshape(-1, 2).T
        return cls(since, until)

    def end_of_first(self, start: Int64, end: Int64) -> Int64:
        """Return when the first gap between start and end is over, -1 where there is none."""
        if not len(self.until):
            return np.full(len(start), -1, dtype=np.int64)
        first = np.searchsorted(self.until, start, side="right")
        inside = first < len(self.until)
        first = np.where(inside, first, 0)
        hit = inside & (self.since[first] < end)
        return np.where(hit, np.minimum(self.until[first], end), -1)

    def split(self, calls: Calls) -> Calls:
        """Mark calls with a gap inside as lost; whole ones become an entry and a return."""
        if not len(self.until) or not len(calls):
            return calls
        over = self.end_of_first(calls.start, calls.end)
        if not (over >= 0).any():
            return calls
        good, hit = calls.take(over < 0), calls.take(over >= 0)
        over = over[over >= 0]
        lost = np.full(len(hit), SpanOutcome.LOST, dtype=np.uint8)
        no = np.zeros(len(hit), dtype=np.bool_)
        entries = evolve(hit, end=over, outcome=lost, returned=no).take(hit.entered)
        returns = evolve(hit, start=over, outcome=lost, entered=no).take(hit.returned)
        return Calls.join(good, entries, returns)
