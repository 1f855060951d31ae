"""A destination of a tracer's own spans that keeps what it is given."""

import asyncio
from collections import deque
from collections.abc import Sequence

from attrs import define, field

from ..domain.model.single_span import SingleSpan
from ..ports.errors import ExportFailed


@define(eq=False)
class FakeSingleSpanExporter:
    """Keeps spans in `spans`, and each call's number of them in `sizes`.

    Each call takes and raises the first of `failures`. While `gate` is cleared, calls wait.
    """

    name: str = "fake"
    spans: list[SingleSpan] = field(factory=list)
    sizes: list[int] = field(factory=list)
    failures: deque[ExportFailed] = field(factory=deque)
    gate: asyncio.Event = field(factory=asyncio.Event)
    closed: int = 0

    def __attrs_post_init__(self) -> None:
        """Begin quick."""
        self.gate.set()

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Keep the spans, once the gate is open, or fail as told."""
        await self.gate.wait()
        if self.failures:
            raise self.failures.popleft()
        self.spans += spans
        self.sizes.append(len(spans))

    def arrived(self) -> int:
        """Tell that nothing of a call that was cancelled has arrived."""
        return 0

    async def close(self) -> None:
        """Count it."""
        self.closed += 1
