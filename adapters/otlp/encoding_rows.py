"""Spans as rows of pieces, and the writing of all rows at once."""

import numpy as np
from attrs import frozen

from ...domain.model.spans import Int64, UInt8
from ...domain.model.traces import TracedBatch
from .encoding_columns import PieceColumns, places, put, put_varints, varint_lengths
from .encoding_messages import delimited, slice_ids
from .encoding_roots import TaskAttributes
from .encoding_values import Values
from .encoding_vocabulary import Vocabulary

_MOMENTS = np.dtype(
    [
        *(("id_is", "V2"), ("id", ">u8")),
        *(("start_is", "u1"), ("start", "<u8")),
        *(("end_is", "u1"), ("end", "<u8")),
    ]
)
"""Fields 2, 7 and 8 of a span: 28 bytes."""


@frozen(kw_only=True, eq=False)
class Rows:
    """Spans ready to be written: n rows, and the pieces they are made of.

    - `run_of`, `head`: by row, which piece of `run` and of `pieces` it has
    - `moments`: by row, ids and times, 28 bytes each
    - `ending_row`, `ending`: the rows that end in an unusual way, and the pieces that say so
    - `size`: by row, how many bytes it has; `opening`: how many of these say so
    """

    run: PieceColumns
    run_of: Int64
    moments: UInt8
    pieces: PieceColumns
    head: Int64
    values: Values
    ending_row: Int64
    ending: Int64
    opening: Int64
    size: Int64

    @classmethod
    def of(cls, traced: TracedBatch, words: Vocabulary, tasks: TaskAttributes) -> "Rows":
        """Find the pieces of each span of a batch."""
        batch, failed = traced.spans, traced.spans.failed
        head = words.heads(batch)
        values = words.values(batch, failed)
        ending_row, ending = words.endings(batch, failed)
        pieces = words.pieces()
        run, run_of = _runs(traced, tasks)
        size = run.length[run_of] + pieces.length[head] + _MOMENTS.itemsize
        size += _summed(values.row, values.length, len(batch))
        size[ending_row] += pieces.length[ending]
        opening = 1 + varint_lengths(size.view(np.uint64))
        return cls(
            run=run,
            run_of=run_of,
            moments=_moments(traced),
            pieces=pieces,
            head=head,
            values=values,
            ending_row=ending_row,
            ending=ending,
            opening=opening,
            size=size + opening,
        )

    def put(self, data: UInt8, at: Int64) -> None:
        """Write all rows, each where it begins; `SPILL` bytes behind each are overwritten."""
        pieces, run, run_of = self.pieces, self.run, self.run_of
        inside = at + self.opening
        moments_at = inside + run.length[run_of]
        head_at = moments_at + _MOMENTS.itemsize
        self._put_values(data, head_at + pieces.length[self.head])
        put_varints(data, at + 1, (self.size - self.opening).view(np.uint64), self.opening - 1)
        data[at] = 0x12
        put(data, inside, run.source, run.begin[run_of], run.length[run_of])
        places(data, _MOMENTS.itemsize)[moments_at] = self.moments
        put(data, head_at, pieces.source, pieces.begin[self.head], pieces.length[self.head])
        length = pieces.length[self.ending]
        ending_at = (at + self.size)[self.ending_row] - length
        put(data, ending_at, pieces.source, pieces.begin[self.ending], length)

    def _put_values(self, data: UInt8, at: Int64) -> None:
        """Write the values of each row, the first of them where `at` says."""
        row, length = self.values.row, self.values.length
        if len(row):
            before = np.cumsum(length) - length
            first = np.flatnonzero(np.diff(row, prepend=-1))
            at = at.copy()
            at[row[first]] -= before[first]
            self.values.put(data, at[row] + before, self.pieces)


def _summed(row: Int64, length: Int64, rows: int) -> Int64:
    """Sum up lengths by row, exactly: a double holds them all."""
    return np.bincount(row, weights=length, minlength=rows).astype(np.int64)


def _moments(traced: TracedBatch) -> UInt8:
    moments = np.empty(len(traced.spans), _MOMENTS)
    moments["id_is"], moments["start_is"], moments["end_is"] = np.void(b"\x12\x08"), 0x39, 0x41
    moments["id"] = traced.span_id
    moments["start"], moments["end"] = traced.spans.start_ns, traced.spans.end_ns
    return moments.view(f"V{_MOMENTS.itemsize}")


def _runs(traced: TracedBatch, tasks: TaskAttributes) -> tuple[PieceColumns, Int64]:
    """Encode what spans in a row say alike: trace, root, and who did it; and number the runs."""
    batch, slices = traced.spans, traced.slices
    begins = np.zeros(len(batch), np.bool_)
    begins[slices.first] = True
    for column in (batch.pid, batch.tid, batch.command):
        begins[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(begins)
    traces, roots = slice_ids(slices)
    who = tasks.encoded(batch.commands, batch.pid[first], batch.tid[first], batch.command[first])
    pieces = PieceColumns.of(
        traces[number] + delimited(4, roots[number]) + task
        for number, task in zip(traced.slice_of[first].tolist(), who, strict=True)
    )
    return pieces, np.cumsum(begins) - 1
