"""One connection to a node: a request, the whole of its answer, then the next.

A broadcast asks a thousand nodes at once, and the last answer waits for the work of all of them:
aiohttp's client, which is made for more, takes several times as long for each.
"""

import asyncio
from asyncio import BaseTransport, Transport
from typing import cast

import httptools
from attrs import define, field

from ...ports.errors import NodeUnreachable
from ...ports.node_client import NodeAnswer
from .errors import BROKE_OFF, CLOSED, NO_HTTP, too_large

HEAD_BYTES = 64 * 2**10
"""How large the head of an answer may be, and what stands between the pieces of its body."""

_INFORMATIONAL = range(100, 200)


class ConnectionStale(NodeUnreachable):
    """A connection that was kept was closed by the node before it answered anything."""


@define(eq=False)
class NodeConnection(asyncio.Protocol):
    """Speaks HTTP/1.1, one request at a time; `most_bytes` is how large a body may be.

    `reusable` tells whether another request may be sent, `idle_since` since when none was.
    """

    most_bytes: int
    reusable: bool = False
    idle_since: float = 0.0
    _transport: Transport | None = None
    _parser: "httptools.HttpResponseParser | None" = None
    _answer: "asyncio.Future[NodeAnswer] | None" = None
    _kept: bool = False
    _received: int = 0
    _head: int = 0
    _length: int = 0
    _headed: bool = False
    _content_type: str = ""
    _body: list[bytes] = field(factory=list)

    async def ask(self, request: bytes) -> NodeAnswer:
        """Send a request and return its answer; raise `NodeUnreachable`.

        If the caller is cancelled, the connection is closed.
        """
        transport, self._kept = self._transport, self.reusable
        if transport is None or transport.is_closing():
            raise ConnectionStale(CLOSED)
        self._begin()
        self._answer = asyncio.get_running_loop().create_future()
        transport.write(request)
        try:
            return await self._answer
        finally:
            self._answer = None
            if not self.reusable:
                self.abort()

    def abort(self) -> None:
        """Close it at once."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: BaseTransport) -> None:
        """Begin."""
        self._transport = cast(Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Read on; what nobody asked for ends the connection."""
        if self._answer is None or self._answer.done() or self._parser is None:
            self.abort()
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NodeUnreachable(NO_HTTP))
        if not self._headed and self._received > HEAD_BYTES:
            self._fail(NodeUnreachable(NO_HTTP))
        if self._received > self.most_bytes + HEAD_BYTES:
            self._fail(NodeUnreachable(too_large(self.most_bytes)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        """Give an answer up that has not come to its end."""
        self.reusable, self._transport = False, None
        if self._received:
            self._fail(NodeUnreachable(BROKE_OFF if self._headed else CLOSED))
        else:
            self._fail(ConnectionStale(CLOSED) if self._kept else NodeUnreachable(CLOSED))

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep the only header that says something."""
        self._head += len(name) + len(value)
        if self._head > HEAD_BYTES:
            self._fail(NodeUnreachable(NO_HTTP))
        if name.lower() == b"content-type":
            self._content_type = value.decode("latin-1").partition(";")[0].strip().lower()

    def on_headers_complete(self) -> None:
        """Note that a body is to come."""
        self._headed = True

    def on_body(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self._body.append(piece)
        self._length += len(piece)
        if self._length > self.most_bytes:
            self._fail(NodeUnreachable(too_large(self.most_bytes)))

    def on_message_complete(self) -> None:
        """Give the answer to who waits for it; one that only announces another is none."""
        parser, answer = self._parser, self._answer
        if parser is None or answer is None or answer.done():
            self.reusable = False  # more than one answer to one request
            return
        status = parser.get_status_code()
        if status in _INFORMATIONAL:
            self._headed, self._content_type, self._body = False, "", []
            return
        self.reusable = parser.should_keep_alive()
        body = b"".join(self._body)
        self._body = []
        answer.set_result(NodeAnswer(status=status, content_type=self._content_type, body=body))

    def _begin(self) -> None:
        self.reusable, self._parser = False, httptools.HttpResponseParser(self)
        self._received = self._head = self._length = 0
        self._headed, self._content_type, self._body = False, "", []

    def _fail(self, error: NodeUnreachable) -> None:
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)
