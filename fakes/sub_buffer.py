"""Sub-buffers of the kernel's ring buffer as bytes: valid ones, and broken in every way.

    page = SubBufferWriter(1_000)
    page.event(formats["sched:sched_process_exit"], {"comm": "sh"}, tid=7, at_ns=1_250)
    page.lost(3)
    data = page.finish()

Times are those of the trace clock; a delta too long for a record header becomes a time extend
before the record, as in the kernel. Whatever a kernel would never write is written with `words`,
`record(..., long=True)` and `finish(commit=...)`. `CpuWriter` fills sub-buffers one after the
other, and `sub_buffers` lays those of all CPUs out as a source hands them over.

Source of the format: kernel/trace/ring_buffer.c and include/linux/ring_buffer.h of Linux.
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Self

import numpy as np
from attrs import Factory, define, field

from ..domain.model.event_format import EventFormat
from ..domain.model.record_walkers import (
    DELTA_BITS,
    MAX_DATA_TYPE,
    PADDING,
    STAMP_BITS,
    TIME_EXTEND,
    TIME_STAMP,
)
from ..domain.model.ring_buffer import LOST, LOST_STORED, SubBufferLayout
from ..ports.kernel_tracer import SubBuffers
from .event_record import FieldValue, encode_event

_MAX_DELTA = (1 << DELTA_BITS) - 1
_MASK32, _MASK64 = (1 << 32) - 1, (1 << 64) - 1


class SubBufferFullError(Exception):
    """What was to be written does not fit into the sub-buffer; nothing was written."""


@define
class SubBufferWriter:
    """Writes one sub-buffer. Every method returns the writer, so that calls can be chained.

    `stamp_ns` is the sub-buffer's time stamp, `now_ns` the time of the last thing written.
    """

    stamp_ns: int
    layout: SubBufferLayout = field(factory=SubBufferLayout, kw_only=True)
    now_ns: int = field(init=False, default=Factory(lambda self: self.stamp_ns, takes_self=True))
    records: int = field(init=False, default=0)
    _data: bytearray = field(init=False, factory=bytearray, repr=False)
    _flags: int = field(init=False, default=0)
    _lost: int | None = field(init=False, default=None)

    @property
    def room(self) -> int:
        """How many bytes of data may still be written."""
        return self.layout.size - self.layout.data_offset - len(self._data)

    def record(self, data: bytes, *, at_ns: int | None = None, long: bool = False) -> Self:
        """Write a record of these bytes, filled up with zeros to whole words.

        Up to 28 words it is of type 1 to 28, else (or if `long`) of type 0.
        """
        words = -(-len(data) // 4)
        body = data.ljust(words * 4, b"\0")
        long = long or not 0 < words <= MAX_DATA_TYPE
        if long:
            body = struct.pack("<I", len(body) + 4) + body
        self._append(0 if long else words, body, at_ns)
        self.records += 1
        return self

    def event(
        self,
        event: EventFormat,
        values: Mapping[str, FieldValue] | None = None,
        *,
        tid: int = 0,
        at_ns: int | None = None,
    ) -> Self:
        """Write a record of an event; fields without a value are 0 or empty."""
        return self.record(encode_event(event, values or {}, tid=tid), at_ns=at_ns)

    def time_extend(self, by_ns: int) -> Self:
        """Let time pass without an event, by up to 2**59 ns."""
        self.words(_header(TIME_EXTEND, by_ns & _MAX_DELTA), by_ns >> DELTA_BITS)
        self.now_ns += by_ns
        return self

    def time_stamp(self, at_ns: int) -> Self:
        """Set the time to an absolute one; its upper 5 bits are those of the time before."""
        low = at_ns & ((1 << STAMP_BITS) - 1)
        self.words(_header(TIME_STAMP, low & _MAX_DELTA), low >> DELTA_BITS)
        self.now_ns = at_ns
        return self

    def discarded(self, data: bytes = bytes(4), *, at_ns: int | None = None) -> Self:
        """Write a record that was taken back: padding that knows its length."""
        at_ns = self.now_ns + 1 if at_ns is None else at_ns  # a delta of 0 would end the data
        self._append(PADDING, struct.pack("<I", len(data) + 4) + data, at_ns)
        return self

    def end_of_data(self) -> Self:
        """Write padding without a length: the rest of the sub-buffer means nothing."""
        return self.words(PADDING)

    def words(self, *words: int) -> Self:
        """Write any 32-bit words; time does not pass."""
        self._write(struct.pack(f"<{len(words)}I", *words))
        return self

    def lost(self, count: int | None = None) -> Self:
        """Mark that events were lost before this sub-buffer, and how many if that is known."""
        self._flags = LOST
        self._lost = count
        return self

    def finish(self, *, commit: int | None = None) -> bytes:
        """Return the sub-buffer. Like the kernel, leave out a lost count that has no room.

        `commit` replaces the whole 64-bit commit word.
        """
        data, flags = bytes(self._data), self._flags
        if self._lost is not None and self.room >= 8:  # noqa: PLR2004
            data += struct.pack("<Q", self._lost)
            flags |= LOST_STORED
        if commit is None:
            # The kernel adds LOST as a negative number: it fills the upper half with ones.
            commit = len(self._data) | flags | (_MASK32 << 32 if flags else 0)
        page = bytearray(self.layout.size)
        struct.pack_into("<Q", page, 0, self.stamp_ns & _MASK64)
        struct.pack_into("<Q", page, self.layout.commit_offset, commit & _MASK64)
        page[self.layout.data_offset : self.layout.data_offset + len(data)] = data
        return bytes(page)

    def _append(self, kind: int, body: bytes, at_ns: int | None) -> None:
        delta = 0 if at_ns is None else at_ns - self.now_ns
        prefix = b""
        if not 0 <= delta <= _MAX_DELTA:
            if delta < 0:
                raise ValueError(f"Time cannot go back by {-delta} ns without an absolute stamp.")
            prefix = struct.pack(
                "<II", _header(TIME_EXTEND, delta & _MAX_DELTA), delta >> DELTA_BITS
            )
            delta = 0
        self._write(prefix + struct.pack("<I", _header(kind, delta)) + body)
        self.now_ns = self.now_ns if at_ns is None else at_ns

    def _write(self, data: bytes) -> None:
        if len(data) > self.room:
            raise SubBufferFullError(f"{len(data)} bytes do not fit into {self.room}.")
        self._data += data


@define
class CpuWriter:
    """Writes events of one CPU, and begins a new sub-buffer when one is full, as the kernel does.

    `pages` are the finished sub-buffers; `take` hands them over together with the one begun.
    """

    cpu: int
    layout: SubBufferLayout = field(factory=SubBufferLayout, kw_only=True)
    pages: list[bytes] = field(init=False, factory=list, repr=False)
    _page: SubBufferWriter | None = field(init=False, default=None)
    _lost: int | None = field(init=False, default=None)

    def event(
        self,
        event: EventFormat,
        values: Mapping[str, FieldValue] | None = None,
        *,
        tid: int = 0,
        at_ns: int,
    ) -> Self:
        """Write a record of an event."""
        return self.record(encode_event(event, values or {}, tid=tid), at_ns=at_ns)

    def record(self, data: bytes, *, at_ns: int) -> Self:
        """Write a record of these bytes."""
        if self._page is not None:
            try:
                self._page.record(data, at_ns=at_ns)
            except SubBufferFullError:
                self._finish()
            else:
                return self
        self._page = SubBufferWriter(at_ns, layout=self.layout).record(data, at_ns=at_ns)
        if self._lost is not None:
            self._page.lost(self._lost)
            self._lost = None
        return self

    def lose(self, count: int) -> Self:
        """Lose events: the next one begins a sub-buffer that says so."""
        self._finish()
        self._lost = count
        return self

    def take(self) -> list[bytes]:
        """Hand over all sub-buffers, as a reader that reads to the end."""
        self._finish()
        pages, self.pages = self.pages, []
        return pages

    def _finish(self) -> None:
        if self._page is not None:
            self.pages.append(self._page.finish())
            self._page = None


def sub_buffers(pages: Mapping[int, Iterable[bytes]], *, size: int = 4096) -> SubBuffers:
    """Lay sub-buffers out as a source hands them over: `pages` are those of each CPU."""
    by_cpu = [(cpu, page) for cpu, some in sorted(pages.items()) for page in some]
    return SubBuffers(
        data=np.frombuffer(b"".join(page for _, page in by_cpu), dtype=np.uint8),
        cpu=np.array([cpu for cpu, _ in by_cpu], dtype=np.int16),
        size=size,
    )


def _header(kind: int, delta: int) -> int:
    return kind | delta << 5
