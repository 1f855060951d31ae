"""Recording kernel events: sources are opened, told whom to follow, read, and closed.

Methods that are not `async` may block for some tens of milliseconds (the kernel waits for
RCU grace periods): services call them in a worker thread. None of them interprets events.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from ..domain.model.stats import CpuCounters


@frozen(kw_only=True)
class SourceSettings:
    """How a source records. `buffer_kib` is per CPU; `clock` is the kernel's name of a clock."""

    buffer_kib: int = 8192
    clock: str = "mono"


@frozen(kw_only=True, eq=False)
class SubBuffers:
    """Sub-buffers read from a source, whole ones, in the order each CPU wrote them.

    `data` is uint8, count x `size` bytes, valid until the next read; `cpu` is int16 of length
    count, grouped by CPU. `capped` names the CPUs that still hold more.
    """

    data: NDArray[np.uint8]
    cpu: NDArray[np.int16]
    size: int = 4096
    capped: frozenset[int] = field(factory=frozenset)


class TraceSource(Protocol):
    """One set of events, recorded once, shared by sessions; closed it leaves nothing behind."""

    @property
    def name(self) -> str:
        """How logs and statistics call it."""

    @property
    def header_page(self) -> str:
        """Text of `events/header_page`: the layout of a sub-buffer."""

    @property
    def formats(self) -> Mapping[str, str]:
        """Text of the `format` file of every event that is on, by event name."""

    def follow(self, tids: Iterable[int]) -> None:
        """Record these tasks too, and from now on the children they make."""

    def unfollow(self, tids: Iterable[int]) -> None:
        """Record these tasks and their children no more; `follow` takes them back."""

    def following(self) -> frozenset[int]:
        """Return the tids it records: those it was told of and their children, less the ended.

        A child made in the very moment in which `follow` tells of others may be missing.
        """

    def start(self) -> None:
        """Begin to record."""

    def stop(self) -> None:
        """Record no more; what was recorded can still be read."""

    async def wait(self, *, percent: int = 0) -> None:
        """Wait until the buffer of a CPU is so full, or for 0 has anything in it."""

    def read(self, limit_bytes: int) -> SubBuffers:
        """Take what is recorded, up to a limit per CPU; never waits. Safe beside `follow`."""

    def counters(self) -> tuple[CpuCounters, ...]:
        """Read the kernel's own counters, a row per CPU."""

    def close(self) -> None:
        """Stop, and remove the source from the kernel; again is harmless."""


class KernelTracer(Protocol):
    """The kernel's tracing facility on this machine."""

    def event_names(self) -> frozenset[str]:
        """Name every event this kernel has (`system:event`); raise `TracingUnavailable`."""

    def open_source(
        self, events: frozenset[str], tids: Iterable[int], settings: SourceSettings
    ) -> TraceSource:
        """Prepare a source that follows these tasks, not yet recording.

        Raises `TracingUnavailable` or `EventUnavailable`, and then leaves nothing behind.
        """

    def open_watch(self, events: Mapping[str, str], settings: SourceSettings) -> TraceSource:
        """Prepare a source that records everybody's events, not yet recording.

        `events` maps names of events to filters as the kernel reads them, empty for every event.
        It follows nobody: being told to follow tasks would leave all others out.
        Raises `TracingUnavailable` or `EventUnavailable`, and then leaves nothing behind.
        """

    def remove_leftovers(self) -> tuple[str, ...]:
        """Remove what an earlier run of this same node left in the kernel; return the names."""
