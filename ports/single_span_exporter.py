"""Where a tracer's own spans go."""

from collections.abc import Sequence
from typing import Protocol

from ..domain.model.single_span import SingleSpan


class SingleSpanExporter(Protocol):
    """A destination; it connects when it first sends."""

    name: str
    """As in `--trace-exporter`."""

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Deliver all spans, of which there is at least one; calls never overlap.

        Raises `ExportDelayed` if the same spans may be sent again later, `ExportRejected` if some
        were refused for good, and `ExportFailed` if all were.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""
