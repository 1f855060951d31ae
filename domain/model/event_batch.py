"""Records → an event table: columns that all events have, and typed columns by layout.

Events whose records begin alike share a layout: all entries of system calls are gathered at
once, whatever the call. A gather copies, so a table needs no sub-buffer any more.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from .ring_buffer import Records
from .spans import Int32, Int64

COMMON_WORDS = 2
"""Words every record begins with: event id, flags and preemption count, then the tid."""


@frozen(eq=False)
class EventLayout:
    """Typed columns that records of some events share.

    `dtype` covers the record from its first byte. A record may be shorter than the dtype, down
    to `least` bytes; the columns then hold garbage behind its end, and the reader must know.
    """

    name: str
    dtype: np.dtype[np.void]
    least: int


@frozen(kw_only=True, eq=False)
class EventTable:
    """Events in columns of length n.

    `time_ns` int64 (trace clock), `cpu` int16, `tid` int32, `event_id` uint16. An event whose id
    has a layout has its other fields in `columns[layout name][slot]`; `slot` is int32.
    """

    time_ns: Int64
    cpu: NDArray[np.int16]
    tid: Int32
    event_id: NDArray[np.uint16]
    slot: Int32
    columns: Mapping[str, NDArray[np.void]]

    def __len__(self) -> int:
        """Count the events."""
        return len(self.time_ns)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> "EventTable":
        """Return the chosen events in that order; the typed columns are shared."""
        return evolve(
            self,
            time_ns=self.time_ns[rows],
            cpu=self.cpu[rows],
            tid=self.tid[rows],
            event_id=self.event_id[rows],
            slot=self.slot[rows],
        )


@frozen(eq=False)
class EventSchema:
    """How to decode the events of a source: a layout per event id, or none.

    `layout_of` is int16 of length 65,536: index into `layouts`, -1 for none.
    """

    layouts: Sequence[EventLayout]
    layout_of: NDArray[np.int16]

    @classmethod
    def of(cls, layouts: Iterable[tuple[EventLayout, Iterable[int]]]) -> "EventSchema":
        """Build from layouts and the event ids of each."""
        chosen: list[EventLayout] = []
        layout_of = np.full(1 << 16, -1, dtype=np.int16)
        for layout, event_ids in layouts:
            layout_of[list(event_ids)] = len(chosen)
            chosen.append(layout)
        return cls(chosen, layout_of)

    def decode(self, records: Records) -> tuple[EventTable, int]:
        """Gather the columns of all records; return also how many records were too short."""
        whole = records.length >= COMMON_WORDS
        if not whole.all():
            table, short = self._gather(records, np.flatnonzero(whole))
            return table, short + int(np.count_nonzero(~whole))
        return self._gather(records, None)

    def _gather(self, records: Records, rows: Int64 | None) -> tuple[EventTable, int]:
        pick = slice(None) if rows is None else rows
        offset, length = records.offset[pick], records.length[pick]
        table = EventTable(
            time_ns=records.time_ns[pick],
            cpu=records.cpu[pick],
            tid=records.words[offset + 1].view(np.int32),
            event_id=records.words[offset].astype(np.uint16),
            slot=np.full(len(offset), -1, dtype=np.int32),
            columns={},
        )
        layout = self.layout_of[table.event_id]
        columns = {}
        good = np.ones(len(offset), dtype=np.bool_)
        for index, one in enumerate(self.layouts):
            mine = np.flatnonzero(layout == index)
            long_enough = length[mine] * 4 >= one.least
            if not long_enough.all():
                good[mine[~long_enough]] = False
                mine = mine[long_enough]
            columns[one.name] = _gather_columns(records.words, offset[mine], one.dtype)
            table.slot[mine] = np.arange(len(mine), dtype=np.int32)
        table = evolve(table, columns=columns)
        return (table, 0) if good.all() else (table.take(good), int(np.count_nonzero(~good)))

    def empty(self) -> EventTable:
        """Return a table of no events."""
        nothing = np.empty(0, dtype=np.int64)
        return EventTable(
            time_ns=nothing,
            cpu=nothing.astype(np.int16),
            tid=nothing.astype(np.int32),
            event_id=nothing.astype(np.uint16),
            slot=nothing.astype(np.int32),
            columns={one.name: np.empty(0, dtype=one.dtype) for one in self.layouts},
        )

    def join(self, one: EventTable, other: EventTable) -> EventTable:
        """Put the events of two tables of this schema one after the other."""
        if not len(one) or not len(other):
            return one if len(one) else other
        kept = self._compact(one)
        base = np.array([len(kept.columns[x.name]) for x in self.layouts] + [0], dtype=np.int32)
        moved = other.slot + base[self.layout_of[other.event_id]]
        return EventTable(
            time_ns=np.concatenate([kept.time_ns, other.time_ns]),
            cpu=np.concatenate([kept.cpu, other.cpu]),
            tid=np.concatenate([kept.tid, other.tid]),
            event_id=np.concatenate([kept.event_id, other.event_id]),
            slot=np.concatenate([kept.slot, moved]),
            columns={
                x.name: _stack(kept.columns[x.name], other.columns[x.name]) for x in self.layouts
            },
        )

    def _compact(self, table: EventTable) -> EventTable:
        """Drop typed rows no event of the table refers to."""
        slot, columns = table.slot.copy(), {}
        layout = self.layout_of[table.event_id]
        for index, one in enumerate(self.layouts):
            mine = np.flatnonzero(layout == index)
            columns[one.name] = table.columns[one.name][slot[mine]]
            slot[mine] = np.arange(len(mine), dtype=np.int32)
        return evolve(table, slot=slot, columns=columns)


def _gather_columns(
    words: NDArray[np.uint32], offset: Int64, dtype: np.dtype[np.void]
) -> NDArray[np.void]:
    """Copy records of one layout into rows; what lies behind the last sub-buffer reads as 0."""
    width = dtype.itemsize // 4
    beyond = len(offset) - int(np.searchsorted(offset, len(words) - width, side="right"))
    if not beyond:
        return _copy_rows(words, offset, dtype)
    inside = _copy_rows(words, offset[:-beyond], dtype)
    tail = np.concatenate([words[offset[-beyond] :], np.zeros(width, dtype=np.uint32)])
    return _stack(inside, _copy_rows(tail, offset[-beyond:] - offset[-beyond], dtype))


def _copy_rows(
    words: NDArray[np.uint32], offset: Int64, dtype: np.dtype[np.void]
) -> NDArray[np.void]:
    """Copy stretches of words; as opaque rows numpy does it ten times as fast as by index."""
    if not len(offset):
        return np.empty(0, dtype=dtype)
    opaque = np.dtype((np.void, dtype.itemsize))
    starts = len(words) - dtype.itemsize // 4 + 1
    every = np.ndarray((starts,), dtype=opaque, buffer=words, strides=(4,))
    return every[offset].view(dtype)


def _stack(one: NDArray[np.void], other: NDArray[np.void]) -> NDArray[np.void]:
    """Put rows behind rows, as bytes: numpy would pack structured ones, field by field."""
    opaque = np.dtype((np.void, one.dtype.itemsize))
    return np.concatenate([one.view(opaque), other.view(opaque)]).view(one.dtype)
