"""Time that passes when it is told to."""

import asyncio

from attrs import define

from .spans import NOON_NS


@define
class FakeClock:
    """Both clocks stand still between sleeps; set `trace` and `wall` (nanoseconds) at will."""

    trace: int = 1_000_000_000
    wall: int = NOON_NS

    def trace_ns(self) -> int:
        """Read the clock that kernel events are stamped with."""
        return self.trace

    def wall_ns(self) -> int:
        """Read the time since 1970."""
        return self.wall

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        passed = round(seconds * 1e9)
        self.trace += passed
        self.wall += passed

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass at once, and others have their turn."""
        self.advance(seconds)
        await asyncio.sleep(0)
