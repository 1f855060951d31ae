"""The bytes of a node's stream of events, cut into spans and what the stream says of itself.

A stream is lines of JSON. Those that say something of it begin with `{"stream"`; all others are
spans, which are passed on as they are and never read.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from attrs import define, field, frozen

from .errors import DataError

MAX_LINE_BYTES = 1 << 20
"""No line of a node is longer; more than that without an end is no stream of events."""

_MARKER = b'{"stream"'
_TORN = re.compile(rb"\n(?:(?<!\}\n)|(?!\{|\Z))")
"""The end of a line that does not end as an object does, or whose next does not begin so."""

_TOLD = re.compile(rb'^\{"stream"[^\n]*\n', re.MULTILINE)


class MalformedStream(DataError):
    """What a node sends is not lines of JSON objects."""


@frozen(kw_only=True)
class Told:
    """A line that a stream says of itself; `body` has all its keys but `stream`."""

    kind: str
    body: dict[str, Any] = field(factory=dict)


Piece: TypeAlias = bytes | Told
"""Whole lines of spans, each with its newline, or one line about the stream."""


@define
class LineCutter:
    """Takes chunks of any size, gives whole lines; what has no end yet waits for the next chunk."""

    _rest: bytes = b""

    def cut(self, chunk: bytes) -> Iterator[Piece]:
        """Yield what is whole by now, up to what is malformed; raise `MalformedStream` there."""
        end = chunk.rfind(b"\n") + 1
        if end:
            text, self._rest = self._rest + chunk[:end], b""
            yield from _pieces(text)
        self._keep(self._rest + chunk[end:])

    def _keep(self, rest: bytes) -> None:
        if len(rest) > MAX_LINE_BYTES:
            raise MalformedStream(f"it sends a line of more than {MAX_LINE_BYTES} bytes")
        self._rest = rest


def _pieces(text: bytes) -> Iterator[Piece]:
    start = 0
    if _MARKER in text:
        for line in _TOLD.finditer(text):
            if line.start() > start:
                yield _spans(text[start : line.start()])
            yield _told(line[0])
            start = line.end()
    if start < len(text):
        yield _spans(text[start:])


def _spans(text: bytes) -> bytes:
    """Check that every line looks like an object, and has nothing that would end a line early."""
    if not text.startswith(b"{") or _TORN.search(text) or b"\r" in text:
        raise MalformedStream("it sends lines that are no JSON objects")
    return text


def _told(line: bytes) -> Told:
    try:
        body = json.loads(line)
        kind = body.pop("stream")
    except (ValueError, RecursionError) as error:
        raise MalformedStream("it sends a line about its stream that is no JSON") from error
    if not isinstance(kind, str):
        raise MalformedStream("it sends a line about its stream that is of no kind")
    return Told(kind=kind, body=body)
