"""Time."""

from typing import Protocol


class Clock(Protocol):
    """The clocks of this machine, in nanoseconds."""

    def trace_ns(self) -> int:
        """Read the clock that kernel events are stamped with."""

    def wall_ns(self) -> int:
        """Read the time since 1970."""

    async def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
