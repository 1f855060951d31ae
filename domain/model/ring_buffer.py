"""Sub-buffers of the kernel's ring buffer → columns of records, and marks where events were lost.

Source of the format: kernel/trace/ring_buffer.c and include/linux/ring_buffer.h of Linux.
A sub-buffer is a 64-bit time stamp, a commit word, and records one after the other. A record is
a 32-bit header (5 bits type or length, 27 bits time since the record before) and its data, in
whole 32-bit words. Offsets here are counted in such words unless they say otherwise.

Two walkers give one result: a plain loop, and one that advances in all sub-buffers in lock-step,
a record of each per numpy step. The second has a fixed cost that pays from some pages on.
"""

import re

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .errors import DataError
from .record_walkers import NOTHING, Pages, Walk, walk_in_lock_step, walk_one_by_one
from .spans import Int64

LOST = 1 << 31
"""Commit word: events were lost before this sub-buffer (RB_MISSED_EVENTS)."""
LOST_STORED = 1 << 30
"""Commit word: how many were lost stands behind the data, in 64 bits (RB_MISSED_STORED)."""
COMMIT_BITS = 30
"""Commit word: the bits below the two flags are the length of the data, in bytes."""

LOCK_STEP_PAGES = 8
"""From so many sub-buffers on, walking them in lock-step is faster than a plain loop."""

MAX_SIZE = 1 << 20
"""No kernel makes a sub-buffer larger than this, in bytes (RB_WRITE_MASK)."""

_HEADER_FIELD = re.compile(
    r"\bfield:[^;\n]*\b(\w+);\s*offset:(\d{1,9});\s*size:(\d{1,9});", re.ASCII
)


class MalformedSubBuffer(DataError):
    """A sub-buffer breaks the rules of the format."""


@frozen(kw_only=True)
class SubBufferLayout:
    """Where things are in a sub-buffer of `size` bytes, in bytes.

    Raises `MalformedSubBuffer` if they overlap or do not lie on whole words.
    """

    size: int = 4096
    commit_offset: int = 8
    commit_size: int = 8
    data_offset: int = 16

    def __attrs_post_init__(self) -> None:
        """Refuse what only another kind of kernel could mean."""
        commit_end = self.commit_offset + self.commit_size
        in_order = 8 <= self.commit_offset < commit_end <= self.data_offset <= self.size  # noqa: PLR2004
        aligned = not (self.commit_offset | self.data_offset | self.size) & 3
        if self.commit_size != 8 or not in_order or not aligned or self.size > MAX_SIZE:  # noqa: PLR2004
            raise MalformedSubBuffer(f"No 64-bit kernel lays a sub-buffer out like this: {self}.")


@frozen
class LossMark:
    """Events of one CPU are missing, stamped after `since_ns` and before `until_ns`.

    `count` is how many, where the kernel said so; else 0, and its counters know.
    """

    cpu: int
    since_ns: int
    until_ns: int
    count: int = 0


@frozen(kw_only=True, eq=False)
class Records:
    """Records in columns, in stream order CPU by CPU.

    `words` are the sub-buffers as uint32; `offset` (int64) is where a record's data begins in
    them, `length` (int64) how many words it has, `time_ns` (int64) its stamp by the trace
    clock, `cpu` (int16) where it was made. `malformed` counts sub-buffers whose rest was skipped.
    """

    words: NDArray[np.uint32]
    offset: Int64
    length: Int64
    time_ns: Int64
    cpu: NDArray[np.int16]
    losses: tuple[LossMark, ...] = ()
    malformed: int = 0

    def __len__(self) -> int:
        """Count the records."""
        return len(self.offset)


def parse_header_page(text: str) -> SubBufferLayout:
    """Read `events/header_page`; raise `MalformedSubBuffer` if it is not of a 64-bit kernel."""
    fields = {name: (int(at), int(size)) for name, at, size in _HEADER_FIELD.findall(text)}
    try:
        commit_offset, commit_size = fields["commit"]
        data_offset, data_size = fields["data"]
    except KeyError as error:
        raise MalformedSubBuffer(f"The header page names no field {error}.") from None
    if fields.get("timestamp") != (0, 8):
        raise MalformedSubBuffer("The kernel's ring buffer is not that of a 64-bit kernel.")
    return SubBufferLayout(
        size=data_offset + data_size,
        commit_offset=commit_offset,
        commit_size=commit_size,
        data_offset=data_offset,
    )


def decode_sub_buffers(
    data: NDArray[np.uint8],
    cpu: NDArray[np.int16],
    *,
    layout: SubBufferLayout,
    lock_step: bool | None = None,
) -> Records:
    """Decode whole sub-buffers, whatever bytes they hold.

    `data` is uint8, len(cpu) x layout.size. What cannot be read is skipped to the end of its
    sub-buffer and counted in `malformed`. `lock_step` chooses the walker; None: the faster one.
    """
    pages = _prepare(data, cpu, layout)
    if lock_step is None:
        lock_step = len(cpu) >= LOCK_STEP_PAGES
    every = np.flatnonzero(~pages.broken)
    regular, odd = walk_in_lock_step(pages, every) if lock_step else (NOTHING, every)
    irregular, malformed = walk_one_by_one(pages, odd)
    walk = Walk.join(regular, irregular)
    return Records(
        words=pages.words,
        offset=walk.offset,
        length=walk.length,
        time_ns=walk.time_ns,
        cpu=cpu[walk.page],
        losses=_losses(pages, walk),
        malformed=malformed + int(np.count_nonzero(pages.broken)),
    )


def _prepare(data: NDArray[np.uint8], cpu: NDArray[np.int16], layout: SubBufferLayout) -> Pages:
    words = data.view("<u4")
    per_page = layout.size // 4
    first = np.arange(len(cpu), dtype=np.int64) * per_page
    stamp = _long_at(words, first)
    commit = _long_at(words, first + layout.commit_offset // 4)
    # The kernel adds LOST as a negative number, which sets the upper half of the word as well.
    size = commit & ((1 << COMMIT_BITS) - 1)
    start = first + layout.data_offset // 4
    return Pages(
        words=words,
        start=start,
        end=start + (size >> 2),
        stamp=stamp,
        cpu=cpu,
        broken=(size > layout.size - layout.data_offset) | (size & 3 != 0),
        commit=commit,
    )


def _long_at(words: NDArray[np.uint32], at: Int64) -> Int64:
    """Read 64-bit values; they are aligned to 32 bits only."""
    low, high = words[at].astype(np.int64), words[at + 1].astype(np.int64)
    return low | (high << 32)


def _losses(pages: Pages, walk: Walk) -> tuple[LossMark, ...]:
    marks = []
    for page in np.flatnonzero(~pages.broken & (pages.commit & LOST != 0)).tolist():
        last = int(np.searchsorted(walk.page, page)) - 1
        same_cpu = last >= 0 and pages.cpu[walk.page[last]] == pages.cpu[page]
        since = int(walk.time_ns[last]) if same_cpu else 0
        marks.append(
            LossMark(int(pages.cpu[page]), since, int(pages.stamp[page]), _stored(pages, page))
        )
    return tuple(marks)


def _stored(pages: Pages, page: int) -> int:
    """How many events the kernel says were lost before the sub-buffer, 0 if it does not say."""
    end, per_page = int(pages.end[page]), len(pages.words) // len(pages.cpu)
    fits = end + 2 <= (page + 1) * per_page
    if not pages.commit[page] & LOST_STORED or not fits:
        return 0
    return max(0, int(_long_at(pages.words, np.array([end]))[0]))
