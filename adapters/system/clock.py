"""The clocks of Linux."""

import asyncio
import time


class SystemClock:
    """Reads CLOCK_MONOTONIC, which the trace clock `mono` follows, and the wall clock."""

    def trace_ns(self) -> int:
        """Read CLOCK_MONOTONIC."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """Read CLOCK_REALTIME."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        await asyncio.sleep(seconds)
