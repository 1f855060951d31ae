"""Single spans on the console."""

from collections.abc import Sequence
from typing import TextIO

from attrs import define, field

from ...domain.model.single_span import SingleSpan
from ...domain.model.single_span_text import single_span_line
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.errors import ExportFailed, ExportRejected
from .span_stream import SpanStream, Writing


@define(eq=False)
class ConsoleSingleSpanExporter:
    """Writes a JSON object per line to a text stream, which stays the caller's to close."""

    stream: TextIO
    tags: Tags = NO_TAGS
    name: str = field(default="console", init=False)
    _lines: SpanStream = field(init=False)
    _writing: Writing = field(init=False, factory=Writing)

    def __attrs_post_init__(self) -> None:
        """Take the stream over, as far as whole lines need it."""
        self._lines = SpanStream(stream=self.stream)

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Write whole lines, in a worker thread. Raises as the port says."""
        self._writing = writing = Writing()
        try:
            await self._lines.write_lines(
                lambda: [single_span_line(one, self.tags) for one in spans], writing
            )
        except ExportFailed as error:
            if not writing.spans:
                raise
            raise ExportRejected(str(error), spans=len(spans) - writing.spans) from error

    def arrived(self) -> int:
        """Count the lines that were out when the write was given up."""
        return self._writing.spans

    async def close(self) -> None:
        """Do nothing: the console stays open for others."""
