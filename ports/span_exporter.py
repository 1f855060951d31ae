"""Where spans go."""

from typing import Protocol

from attrs import frozen

from ..domain.model.spans import SpanBatch


@frozen(kw_only=True)
class TraceContext:
    """What an exporter may want to know of the session whose spans it gets."""

    session_id: str
    node: str = ""
    hook: str = ""
    user_context: str = ""
    pod: str = ""


class SpanSink(Protocol):
    """One session's way out through one exporter. Calls never overlap."""

    output: str
    """Where a person finds the spans: a path, an address, or the empty string."""

    async def write(self, batch: SpanBatch) -> None:
        """Deliver all spans of the batch, or none and raise `ExportFailed`."""

    async def close(self) -> None:
        """Finish what was written; again is harmless. Raises `ExportFailed`."""


class SpanExporter(Protocol):
    """A destination, shared by sessions."""

    name: str
    """As in `--trace-exporter`."""

    async def open(self, context: TraceContext) -> SpanSink:
        """Prepare to take the spans of a session; raise `ExportFailed`."""
