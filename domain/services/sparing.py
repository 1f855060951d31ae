"""What happens again and again is told now and then, and whenever it is out of the ordinary."""

from attrs import define

from ...ports.clock import Clock
from .open_span import current_span

EVERY_SECONDS = 10.0
"""How often what is ordinary is told; all of it is more than anybody looks at."""


@define(kw_only=True, eq=False)
class Sparing:
    """Decides it for what one thing does. What is done for a request is told in any case."""

    clock: Clock
    every_seconds: float = EVERY_SECONDS
    _due_ns: int = 0

    def tells(self, *, remarkable: bool) -> bool:
        """Decide on something that has just happened."""
        now_ns = self.clock.trace_ns()
        if not (remarkable or now_ns >= self._due_ns or current_span()):
            return False
        self._due_ns = now_ns + round(self.every_seconds * 1e9)
        return True
