"""Where spans go one by one: those of a tracer itself, or of agents in virtual machines."""

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
        were refused for good, and `ExportFailed` if all were. Each may name spans as `left`: these
        are to be sent again (after a delay) or still to be sent (at once), and no others.
        """

    def arrived(self) -> int:
        """Count those spans of the last call to `send` that are known to have arrived.

        It is of use only if that was cancelled.
        """

    async def close(self) -> None:
        """Hang up; again is harmless.

        Raises `ExportFailed` if what was delivered may be lost all the same.
        """
