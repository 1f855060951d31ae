"""The ring buffer of one CPU, which counts as the kernel does and overwrites what is old."""

import struct
from collections import deque
from collections.abc import Mapping

import numpy as np
from attrs import define, evolve, field

from ..domain.model.event_format import EventFormat
from ..domain.model.ring_buffer import LOST, SubBufferLayout, decode_sub_buffers
from ..domain.model.stats import CpuCounters
from .event_record import FieldValue
from .sub_buffer import CpuWriter


@define
class FakeCpu:
    """The ring buffer of one CPU: whole sub-buffers in `pages`, and the one being written."""

    number: int
    layout: SubBufferLayout
    capacity: int
    pages: deque[bytes] = field(factory=deque)
    counters: CpuCounters = field(init=False)
    _writer: CpuWriter = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin empty."""
        self.counters = CpuCounters(self.number)
        self._writer = CpuWriter(self.number, layout=self.layout)

    def write(
        self, event: EventFormat, values: Mapping[str, FieldValue], *, tid: int, at_ns: int
    ) -> None:
        """Record an event."""
        self._writer.event(event, values, tid=tid, at_ns=at_ns)
        self._count(entries=1)
        self.pages += self._writer.pages
        self._writer.pages.clear()
        self._overwrite()

    def put(self, page: bytes) -> None:
        """Queue a sub-buffer as it is; it counts for as many events as can be read in it."""
        self.pages += self._writer.take()
        self.pages.append(page)
        self._count(entries=self._events(page))
        self._overwrite()

    def take(self, limit: int) -> list[bytes]:
        """Hand over the oldest sub-buffers."""
        if len(self.pages) < limit:
            self.pages += self._writer.take()
        taken = [self.pages.popleft() for _ in range(min(limit, len(self.pages)))]
        events = sum(map(self._events, taken))
        self._count(entries=-events, read=events)
        return taken

    def filled(self, percent: int) -> bool:
        """Tell whether so many percent of the sub-buffers wait, or for 0 anything at all."""
        if percent == 0:
            return bool(self.counters.entries or self.pages)
        return 100 * len(self.pages) >= percent * self.capacity

    def _overwrite(self) -> None:
        """Lose the oldest sub-buffer for a new one; the next says that some were lost."""
        while len(self.pages) > self.capacity:
            events = self._events(self.pages.popleft())
            self._count(entries=-events, overrun=events)
            if not self.pages:
                self.pages += self._writer.take()
            if self.pages:
                self.pages[0] = _after_a_loss(self.pages[0], self.layout)

    def _count(self, **changes: int) -> None:
        now = {name: getattr(self.counters, name) + by for name, by in changes.items()}
        self.counters = evolve(self.counters, **now)

    def _events(self, page: bytes) -> int:
        data, cpu = np.frombuffer(page, np.uint8), np.array([self.number], np.int16)
        return len(decode_sub_buffers(data, cpu, layout=self.layout))


def _after_a_loss(page: bytes, layout: SubBufferLayout) -> bytes:
    """Set the flag that events were lost before this sub-buffer, as on one that is full."""
    (commit,) = struct.unpack_from("<Q", page, layout.commit_offset)
    flagged = bytearray(page)
    struct.pack_into("<Q", flagged, layout.commit_offset, commit | LOST)
    return bytes(flagged)
