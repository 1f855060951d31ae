"""The stream that all sessions write their spans to."""

import asyncio
import os
import select
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from threading import Lock
from typing import TextIO, TypeAlias

from attrs import define, field

from ...domain.model.span_text import json_lines
from ...domain.model.spans import SpanBatch
from ...domain.model.tags import NO_TAGS, Tags
from ...ports.errors import ExportFailed
from .table import SpanTable

CHUNK_BYTES = select.PIPE_BUF
"""A pipe that is ready takes as much without making us wait."""

LOOK_SECONDS = 0.02
"""How long a thread waits for a reader, and how long it is then left to others."""

GIVE_UP_SECONDS = 0.08
"""How long whoever gives a write up waits to know how far it came."""

LinesOf: TypeAlias = Callable[[], Sequence[str]]
"""Makes a text for each span, of whole lines without the last one's end."""


@define(eq=False)
class Writing:
    """How many spans are out, of a write that is to end soon if it is `given_up`."""

    spans: int = 0
    given_up: bool = False


@define(eq=False)
class _Text:
    """What is written, and how much of it is out; `ends` are where its spans end."""

    data: memoryview
    ends: Sequence[int]
    done: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.done

    @property
    def spans(self) -> int:
        """How many are out as a whole."""
        return bisect_right(self.ends, self.done)

    @property
    def torn(self) -> bool:
        """Tell whether what is out ends within a span."""
        spans = self.spans
        return self.done > (self.ends[spans - 1] if spans else 0)

    @property
    def next_chunk(self) -> memoryview:
        """Whole lines, if they are not too long: somebody else may write in between."""
        fitting = bisect_right(self.ends, self.done + CHUNK_BYTES)
        end = self.ends[fitting - 1] if fitting > self.spans else self.done + CHUNK_BYTES
        return self.data[self.done : end]


@define(kw_only=True)
class SpanStream:
    """Puts whole lines on a stream, for tasks that may do so at the same time.

    A terminal gets a `table`, anything else JSON lines. `torn` tells that the last write ended
    within a line; the next begins with a line end, so that only that line is spoilt.
    """

    stream: TextIO
    node: str = ""
    tags: Tags = NO_TAGS
    table: SpanTable | None = None
    torn: bool = False
    _turn: asyncio.Lock = field(factory=asyncio.Lock)
    _lock: Lock = field(factory=Lock)

    async def write(self, batch: SpanBatch, writing: Writing) -> None:
        """Write a batch, by a worker thread; raise `ExportFailed`.

        `writing` tells how many spans are out, also if this is cancelled. A reader that does not
        read keeps no thread, of which there are few.
        """
        await self.write_lines(lambda: self._lines(batch), writing)

    async def write_lines(self, lines_of: LinesOf, writing: Writing) -> None:
        """Write lines likewise; they are made when it is their turn."""
        async with self._turn:
            text = await asyncio.to_thread(self._encoded, lines_of)
            while not await self._in_thread(text, writing):  # noqa: ASYNC110 - files have no event
                await asyncio.sleep(LOOK_SECONDS)

    async def _in_thread(self, text: _Text, writing: Writing) -> bool:
        """Write what the reader takes; tell whether that is all."""
        put = asyncio.ensure_future(asyncio.to_thread(self._put, text, writing))
        try:
            return await asyncio.shield(put)
        except asyncio.CancelledError:
            writing.given_up = True
            put.add_done_callback(_forget)
            await asyncio.wait([put], timeout=GIVE_UP_SECONDS)
            raise

    def _lines(self, batch: SpanBatch) -> list[str]:
        if self.table is None:
            return json_lines(batch, node=self.node, tags=self.tags)
        return self.table.rows(batch, _terminal_width(self.stream))

    def _encoded(self, lines_of: LinesOf) -> _Text:
        with _export_errors():
            lines = [f"{line}\n".encode(self._encoding, "backslashreplace") for line in lines_of()]
        if lines and self.torn:
            lines[0] = b"\n" + lines[0]
        return _Text(memoryview(b"".join(lines)), [*accumulate(map(len, lines))])

    @property
    def _encoding(self) -> str:
        """How text becomes bytes; a stream in memory takes it as it is."""
        return self.stream.encoding or "utf-8"

    def _put(self, text: _Text, writing: Writing) -> bool:
        with self._lock, _export_errors():
            self.stream.flush()
            try:
                self._put_some(text, writing)
            finally:
                writing.spans = text.spans
                self.torn = text.torn if text.done else self.torn
        return not text.left

    def _put_some(self, text: _Text, writing: Writing) -> None:
        descriptor = _descriptor(self.stream)
        if descriptor is None:
            self.stream.write(str(text.data, self._encoding))
            text.done = len(text.data)
            return
        # Past the stream's own buffer: what it could not write it would keep, and write later,
        # although these spans are counted as dropped by then.
        while text.left and not writing.given_up:
            written = _write_some(descriptor, text.next_chunk)
            if not written:
                return
            text.done += written


def _write_some(descriptor: int, data: memoryview) -> int:
    """Write what can be written soon, which may be nothing."""
    ready = select.poll()
    ready.register(descriptor, select.POLLOUT)
    if not ready.poll(LOOK_SECONDS * 1_000):
        return 0
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        # Somebody who shares the terminal or pipe with us made it non-blocking.
        return 0


def _forget(put: "asyncio.Future[bool]") -> None:
    """Take notice of how a write ended that was given up: nobody else does."""
    if not put.cancelled():
        put.exception()


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
