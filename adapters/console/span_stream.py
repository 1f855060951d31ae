"""The stream that all sessions write their spans to."""

import os
import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TextIO

from attrs import define, field

from ...domain.model.span_text import json_lines
from ...domain.model.spans import SpanBatch
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.errors import ExportFailed
from .table import SpanTable


@define(kw_only=True)
class SpanStream:
    """Puts whole lines on a stream, for threads that may do so at the same time.

    A terminal gets a `table`, anything else JSON lines. `torn` tells that the last write ended
    within a line; the next begins with a line end, so that only that line is spoilt.
    """

    stream: TextIO
    node: str = ""
    tags: Tags = NO_TAGS
    table: SpanTable | None = None
    torn: bool = False
    _lock: Lock = field(factory=Lock)

    def write(self, batch: SpanBatch) -> None:
        """Write a batch; raise `ExportFailed`."""
        with self._lock, _export_errors():
            self._put_lines(self._lines(batch))

    def write_lines(self, lines: Sequence[str]) -> None:
        """Write lines, given without their ends; raise `ExportFailed`."""
        with self._lock, _export_errors():
            self._put_lines(lines)

    def _put_lines(self, lines: Sequence[str]) -> None:
        if lines:
            self._put("\n" * self.torn + "\n".join(lines) + "\n")

    def _lines(self, batch: SpanBatch) -> list[str]:
        if self.table is None:
            return json_lines(batch, node=self.node, tags=self.tags)
        return self.table.lines(batch, _terminal_width(self.stream))

    def _put(self, text: str) -> None:
        descriptor = _descriptor(self.stream)
        self.stream.flush()
        if descriptor is None:
            self.stream.write(text)
            return
        # Past the stream's own buffer: what it could not write it would keep, and write later,
        # although these spans are counted as dropped by then.
        rest = memoryview(text.encode(self.stream.encoding, "backslashreplace"))
        while rest:
            rest = rest[_write_some(descriptor, rest) :]
            self.torn = bool(rest)


def _write_some(descriptor: int, data: memoryview) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        # Somebody who shares the terminal or pipe with us made it non-blocking.
        ready = select.poll()
        ready.register(descriptor, select.POLLOUT)
        ready.poll()
        return 0


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except OSError:  # io.UnsupportedOperation: a stream in memory
        return None


def _terminal_width(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


@contextmanager
def _export_errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ExportFailed(
            "Nobody reads this program's output any more (broken pipe);"
            " stop the session, or start it with another exporter, such as file."
        ) from error
    except (OSError, ValueError) as error:  # ValueError: the stream was closed
        reason = getattr(error, "strerror", None) or str(error)
        raise ExportFailed(
            f"The console cannot take spans: {reason};"
            " look after this program's standard output, or use another exporter."
        ) from error
