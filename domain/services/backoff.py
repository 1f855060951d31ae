"""How long to wait before something that failed is tried again."""

import random
from collections.abc import Callable

from attrs import define, field

START_SECONDS = 0.5
CAP_SECONDS = 30.0

MAX_ASKED_SECONDS = 300.0
"""Nobody is waited for longer than this before he is asked again, whatever he asks for."""


@define
class Backoff:
    """Pauses that may last twice as long each time, from half a second to half a minute.

    Each is drawn from all that are not longer ("full jitter"), so that many who wait for the same
    do not come back together. `draw` gives numbers from 0 to 1.
    """

    draw: Callable[[], float] = random.random
    _limit: float = field(init=False, factory=lambda: START_SECONDS)

    def seconds(self) -> float:
        """Draw the next pause."""
        limit, self._limit = self._limit, min(2 * self._limit, CAP_SECONDS)
        return limit * self.draw()

    def reset(self) -> None:
        """Begin with short pauses again."""
        self._limit = START_SECONDS
