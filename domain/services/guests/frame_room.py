"""Memory for long frames of guests that are not whole yet: there is so much for all of them."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, field

from ....ports.clock import Clock

SMALL_BYTES = 32_768
"""A frame this long at most never waits for room: each connection has some of its own."""

HOLD_SECONDS = 30.0
"""So long may a frame take to come while others wait for its room."""

LEAST_PATIENCE_SECONDS = 0.05


@define(eq=False)
class _Holder:
    deadline: asyncio.Timeout
    since_ns: int


@define(kw_only=True, eq=False)
class FrameRoom:
    """Lets as many long frames come at a time as there is room for; the others wait in line.

    Who waits does not read, so that his bytes stay in his guest. One who lets others wait and
    brings no whole frame in half a minute has to go: `TimeoutError` is raised where he reads.
    """

    total_bytes: int
    clock: Clock
    held_bytes: int = 0
    _holders: list[_Holder] = field(factory=list)
    _line: deque[asyncio.Event] = field(factory=deque)

    @asynccontextmanager
    async def reserve(self, wanted_bytes: int) -> AsyncIterator[None]:
        """Have room for a frame while in the block; none is more than `total_bytes`."""
        if wanted_bytes <= SMALL_BYTES:
            yield
            return
        await self._wait(wanted_bytes)
        self.held_bytes += wanted_bytes
        async with asyncio.timeout(None) as deadline:
            holder = _Holder(deadline, self.clock.trace_ns())
            self._holders.append(holder)
            try:
                yield
            finally:
                self._holders.remove(holder)
                self.held_bytes -= wanted_bytes
                self._call_next()

    async def _wait(self, wanted_bytes: int) -> None:
        if not self._line and self._fits(wanted_bytes):
            return
        turn = asyncio.Event()
        self._line.append(turn)
        try:
            while self._line[0] is not turn or not self._fits(wanted_bytes):
                await self._turn(turn)
        finally:
            self._line.remove(turn)
            self._call_next()

    async def _turn(self, turn: asyncio.Event) -> None:
        """Wait to be called, or until somebody has had room for too long."""
        turn.clear()
        try:
            async with asyncio.timeout(self._patience_seconds()):
                await turn.wait()
        except TimeoutError:
            self._send_away()

    def _fits(self, wanted_bytes: int) -> bool:
        return self.held_bytes + wanted_bytes <= self.total_bytes

    def _patience_seconds(self) -> float:
        longest = max(map(self._held_seconds, self._holders), default=0.0)
        return max(LEAST_PATIENCE_SECONDS, HOLD_SECONDS - longest)

    def _send_away(self) -> None:
        for one in self._holders:
            if self._held_seconds(one) >= HOLD_SECONDS and not one.deadline.expired():
                one.deadline.reschedule(asyncio.get_running_loop().time())

    def _held_seconds(self, holder: _Holder) -> float:
        return (self.clock.trace_ns() - holder.since_ns) / 1e9

    def _call_next(self) -> None:
        if self._line:
            self._line[0].set()
