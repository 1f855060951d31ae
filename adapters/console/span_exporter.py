"""The exporter `console`."""

import os
from typing import TextIO

from attrs import define, field

from ...domain.model.spans import SpanBatch
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.errors import ExportFailed, ExportRejected
from ...ports.span_exporter import TraceContext
from .span_stream import SpanStream, Writing
from .table import SpanTable


@define
class ConsoleSink:
    """One session's share of the console."""

    _stream: SpanStream
    output: str = ""
    _writing: Writing = field(factory=Writing)
    _closed: bool = False

    async def write(self, batch: SpanBatch) -> None:
        """Write whole lines, in a worker thread: whoever reads them may be slow.

        Raises `ExportFailed`, or `ExportRejected` if some lines are out that are whole.
        """
        if self._closed:
            raise ExportFailed("This session's way to the console is closed; start it again.")
        self._writing = writing = Writing()
        try:
            await self._stream.write(batch, writing)
        except ExportFailed as error:
            if not writing.spans:
                raise
            raise ExportRejected(str(error), spans=len(batch) - writing.spans) from error

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Count the lines that were out when the write was given up."""
        return self._writing.spans, batch.take(slice(self._writing.spans)).events

    async def close(self, *, ended_ns: int | None = None) -> None:  # noqa: ARG002 - of no use here
        """Take no more; the console stays open for others."""
        self._closed = True


@define
class ConsoleSpanExporter:
    """Writes spans to a text stream: a table on a terminal, else JSON lines.

    All sessions share the stream, which stays the caller's to close. Colour is for terminals
    only, and not where the environment has NO_COLOR (https://no-color.org).
    """

    stream: TextIO
    node: str = ""
    tags: Tags = NO_TAGS
    name: str = field(default="console", init=False)
    gather_seconds: float = field(default=0.1, init=False)
    _spans: SpanStream = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Look at the stream once: it does not become a terminal later."""
        table = SpanTable(colour=_wants_colour()) if self.stream.isatty() else None
        self._spans = SpanStream(stream=self.stream, node=self.node, tags=self.tags, table=table)

    async def open(self, context: TraceContext) -> ConsoleSink:  # noqa: ARG002 - all share it
        """Give a session its way to the console."""
        return ConsoleSink(self._spans)


def _wants_colour() -> bool:
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
