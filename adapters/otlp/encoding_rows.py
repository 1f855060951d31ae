"""Spans as rows of pieces, and the writing of all rows at once."""

import numpy as np
from attrs import frozen

from ...domain.model.span_attributes import task_attributes
from ...domain.model.spans import Int64, UInt8
from ...domain.model.traces import TracedBatch
from .encoding_columns import DIGIT_STRIDE, PieceColumns, put, varint_lengths, varints
from .encoding_messages import SPAN_ATTRIBUTE, attributes, delimited, root_id, trace_id
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
    """Spans ready to be written: pieces, and which of them each row is made of.

    `size` counts the bytes of each row, and `opening` those that say so.
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
    def of(cls, traced: TracedBatch, words: Vocabulary) -> "Rows":
        """Find the pieces of each span of a batch."""
        batch, failed = traced.spans, traced.spans.failed
        head = words.heads(batch)
        values = words.values(batch, failed)
        ending_row, ending = words.endings(batch, failed)
        pieces = words.pieces()
        run, run_of = _runs(traced)
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
        """Write all rows, each where it begins."""
        opening, pieces = self.opening, self.pieces
        inside = (self.size - opening).view(np.uint64)
        data[at] = 0x12
        numbers = DIGIT_STRIDE * np.arange(len(at))
        put(data, at + 1, varints(inside, opening - 1), numbers, opening - 1)
        row_end, at = at + self.size, at + opening
        run_length = self.run.length[self.run_of]
        put(data, at, self.run.source, self.run.begin[self.run_of], run_length)
        at = at + run_length
        width = _MOMENTS.itemsize
        np.ndarray((max(len(data) - width + 1, 0),), f"V{width}", data, strides=(1,))[at] = (
            self.moments
        )
        at = at + width
        head_length = pieces.length[self.head]
        put(data, at, pieces.source, pieces.begin[self.head], head_length)
        values = self.values
        if len(values.row):
            before = np.cumsum(values.length) - values.length
            first = np.searchsorted(values.row, np.arange(len(at)))
            first = np.minimum(first, len(before) - 1)
            values_at = (at + head_length - before[first])[values.row] + before
            values.put(data, values_at, pieces)
        ending_length = pieces.length[self.ending]
        ending_at = row_end[self.ending_row] - ending_length
        put(data, ending_at, pieces.source, pieces.begin[self.ending], ending_length)


def _summed(row: Int64, length: Int64, rows: int) -> Int64:
    """Sum up lengths by row, exactly: a double holds them all."""
    return np.bincount(row, weights=length, minlength=rows).astype(np.int64)


def _moments(traced: TracedBatch) -> UInt8:
    moments = np.empty(len(traced.spans), _MOMENTS)
    moments["id_is"], moments["start_is"], moments["end_is"] = np.void(b"\x12\x08"), 0x39, 0x41
    moments["id"] = traced.span_id
    moments["start"], moments["end"] = traced.spans.start_ns, traced.spans.end_ns
    return moments.view(f"V{_MOMENTS.itemsize}")


def _runs(traced: TracedBatch) -> tuple[PieceColumns, Int64]:
    """Encode what spans in a row say alike: trace, root, and who did it; and number the runs."""
    batch, slices = traced.spans, traced.slices
    begins = np.zeros(len(batch), np.bool_)
    begins[slices.first] = True
    for column in (batch.pid, batch.tid, batch.command):
        begins[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(begins)
    rows = zip(
        traced.slice_of[first].tolist(),
        batch.pid[first].tolist(),
        batch.tid[first].tolist(),
        batch.command[first].tolist(),
        strict=True,
    )
    pieces = PieceColumns.of(
        trace_id(slices, number)
        + delimited(4, root_id(slices, number))
        + attributes(SPAN_ATTRIBUTE, task_attributes(pid, tid, batch.commands[command]))
        for number, pid, tid, command in rows
    )
    return pieces, np.cumsum(begins) - 1
