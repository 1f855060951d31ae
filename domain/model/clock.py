"""Between the trace clock and the wall clock."""

from collections.abc import Iterable

from attrs import define, frozen

STEP_NS = 1_000_000
"""A wall clock that is off by less was not set: it was read inexactly."""


@frozen(kw_only=True)
class ClockReading:
    """The wall clock, read between two readings of the trace clock; all in nanoseconds."""

    before_ns: int
    wall_ns: int
    after_ns: int

    @property
    def doubt_ns(self) -> int:
        """How long reading took: a thread may have been made to wait in between."""
        return self.after_ns - self.before_ns

    @property
    def offset_ns(self) -> int:
        """The wall clock minus the trace clock, give or take half of the doubt."""
        return self.wall_ns - (self.before_ns + self.after_ns) // 2


@define
class WallOffset:
    """The wall clock minus the trace clock, in nanoseconds, the same until one of them is set.

    CLOCK_MONOTONIC and CLOCK_REALTIME run at one rate, which time services correct for both
    (clock_gettime(2)). So whatever little two readings differ by is the fault of the readings, and
    to follow it would put calls of two drains, right after each other, in the wrong order.
    """

    ns: int

    @classmethod
    def of(cls, readings: Iterable[ClockReading]) -> "WallOffset":
        """Begin with the best of some readings."""
        return cls(min(readings, key=lambda one: one.doubt_ns).offset_ns)

    def follow(self, reading: ClockReading) -> int:
        """Return it, another one if a clock was set meanwhile."""
        if abs(reading.offset_ns - self.ns) > reading.doubt_ns + STEP_NS:
            self.ns = reading.offset_ns
        return self.ns
