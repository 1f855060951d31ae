"""What became of connections of guests, and of the frames that came over them."""

from collections import Counter
from enum import StrEnum

from attrs import define, field


class GuestEnd(StrEnum):
    """Why a connection is over."""

    ENDED = "ended"
    """Its guest ended it, behind a whole frame: that is how it should be."""

    CUT_SHORT = "cut_short"
    """It ended within a frame."""

    TOO_LONG = "too_long"
    """A frame was longer than any may be."""

    TOO_SLOW = "too_slow"
    """A long frame did not come, while others waited for its room."""

    LOST = "lost"
    """It broke."""

    STOPPED = "stopped"
    """The tracer ended."""


@define
class GuestConnectionStats:
    """Counts of everything since the start: `connected = open + the sum of ends`.

    What became of frames is counted where they are read.
    """

    connected: int = 0
    refused: int = 0
    received_bytes: int = 0
    ends: Counter[GuestEnd] = field(factory=Counter)

    @property
    def open(self) -> int:
        """Count the connections there are now."""
        return self.connected - self.ends.total()
