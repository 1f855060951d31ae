"""How long many things took: counts in buckets that are as wide as their durations are long.

Whatever stands for a bucket's durations is off by less than 1 %, up to 127 ns by nothing.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from attrs import define, evolve, field

from .buckets import PART_BITS, PARTS, duration_of
from .spans import Int32, Int64

RELATIVE_ERROR = 0.01
"""No duration that stands for others differs from them by more, as a share of theirs."""

_OCTAVES = 64
_MANTISSA_BITS = 52
_SHIFT = _MANTISSA_BITS - PART_BITS
_BIAS = 1023 << PART_BITS


def bucket_of(duration_ns: Int64) -> Int64:
    """Return the buckets (int64, from 0) of durations (not negative, any number of them).

    The bits of a float64 are its power of two and then its place in it (IEEE 754): the upper
    ones are the number of the bucket.
    """
    above = duration_ns + 1.0
    buckets: Int64 = (above.view(np.int64) >> _SHIFT) - _BIAS
    return buckets


def percentiles(bucket: Int64, count: Int64, percents: Iterable[int]) -> tuple[int, ...]:
    """Return durations that so many percent of all do not exceed, in nanoseconds; of none, 0.

    `bucket` and `count` are alike in length, ascending buckets and how many durations each has.
    """
    percents = tuple(percents)
    running = np.cumsum(count)
    if not len(running) or not (total := int(running[-1])):
        return (0,) * len(percents)
    ranks = [-(-percent * total // 100) for percent in percents]
    at = np.searchsorted(running, ranks)
    return tuple(duration_of(number) for number in bucket[at].tolist())


def _no_slots() -> Int32:
    return np.zeros((0, _OCTAVES), dtype=np.int32)


def _empty_counts() -> Int64:
    return np.zeros((16, PARTS), dtype=np.int64)


@define(eq=False)
class Distributions:
    """A distribution per row. Memory grows with the rows and powers of two seen, and only so.

    `_slots` (int32, rows x 64) says where the counts of a power of two are; 0 is nowhere.
    `_counts` (int64, slots x 64) are the counts; slot 0 stays empty.
    """

    _slots: Int32 = field(factory=_no_slots)
    _counts: Int64 = field(factory=_empty_counts)
    _used: int = 1

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return self._slots.nbytes + self._counts.nbytes

    def grow(self, rows: int) -> None:
        """Make room for so many rows."""
        grown = np.zeros((rows, _OCTAVES), dtype=np.int32)
        grown[: len(self._slots)] = self._slots
        self._slots = grown

    def add(self, row: Int64, duration_ns: Int64) -> None:
        """Count durations (int64, not negative), each in its row."""
        bucket = bucket_of(duration_ns)
        self._add(row, bucket, np.ones(1, dtype=np.int64))

    def merge(self, row: int, counts: Mapping[int, int]) -> None:
        """Add what another distribution counted, by bucket, to a row."""
        bucket = np.fromiter(counts.keys(), np.int64)
        count = np.fromiter(counts.values(), np.int64)
        self._add(np.full(len(bucket), row), bucket, count)

    def of(self, row: int) -> tuple[Int64, Int64]:
        """Return the buckets of a row that are not empty, ascending, and their counts."""
        octaves = np.flatnonzero(self._slots[row])
        counts = self._counts[self._slots[row, octaves]]
        octave, part = np.nonzero(counts)
        return octaves[octave] * PARTS + part, counts[octave, part]

    def regroup(self, target: Int64, rows: int) -> None:
        """Become so many rows, each of which has what was in all those that are given to it.

        `target` (int64) says for each row, from the first, which one it becomes part of.
        """
        row, octave = np.nonzero(self._slots[: len(target)])
        counts = self._counts[self._slots[row, octave]]
        place = (target[row] << PART_BITS) + octave
        self._slots, self._counts, self._used = _no_slots(), _empty_counts(), 1
        self.grow(rows)
        self._open(np.unique(place))
        np.add.at(self._counts, self._slots.reshape(-1)[place], counts)

    def copy(self) -> "Distributions":
        """Return one that goes its own way."""
        return evolve(self, slots=self._slots.copy(), counts=self._counts.copy())

    def _add(self, row: Int64, bucket: Int64, count: Int64) -> None:
        place = (row << PART_BITS) + (bucket >> PART_BITS)
        slot = self._slots.reshape(-1)[place]
        if not slot.all():
            self._open(np.unique(place[slot == 0]))
            slot = self._slots.reshape(-1)[place]
        at = (slot.astype(np.int64) << PART_BITS) + (bucket & (PARTS - 1))
        np.add.at(self._counts.reshape(-1), at, np.broadcast_to(count, len(at)))

    def _open(self, places: Int64) -> None:
        used = self._used + len(places)
        if used > len(self._counts):
            grown = np.zeros((max(used, 2 * len(self._counts)), PARTS), dtype=np.int64)
            grown[: self._used] = self._counts[: self._used]
            self._counts = grown
        self._slots.reshape(-1)[places] = np.arange(self._used, used, dtype=np.int32)
        self._used = used
