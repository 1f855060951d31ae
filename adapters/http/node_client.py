"""Asking nodes over HTTP."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from attrs import define, field
from yarl import URL

from ...domain.model.nodes import Node
from ...ports.errors import NodeUnreachable
from ...ports.node_client import NodeAnswer, NodeRequest
from .connections import OWN_HEADERS, NodeConnections, NodeTls
from .errors import node_errors, too_large

MAX_ANSWER_BYTES = 32 * 2**20
"""How large the answer of one node may be."""

MAX_PROBLEM_BYTES = 64 * 2**10
"""How large an answer may be where a stream was asked for and there is none."""

STREAM_BYTES = 16 * 2**10
"""How much of a stream is read ahead, by the kernel and by us: there may be a thousand of them."""


@define
class HttpNodeStream:
    """An answer that goes on."""

    _node: Node
    _response: aiohttp.ClientResponse
    _silence_seconds: float

    @property
    def status(self) -> int:
        """Return the status of the answer."""
        return self._response.status

    @property
    def content_type(self) -> str:
        """Return the media type of the answer, without parameters."""
        return self._response.content_type

    async def body(self) -> bytes:
        """Read an answer that is no stream; raise `NodeUnreachable`."""
        with node_errors(self._node, self._silence_seconds):
            return await _limited(self._response, MAX_PROBLEM_BYTES)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield pieces as they come; raise `NodeUnreachable`."""
        with node_errors(self._node, self._silence_seconds):
            async for chunk in self._response.content.iter_any():
                yield chunk


@define(kw_only=True, eq=False)
class HttpNodeClient:
    """Keeps connections to nodes, and speaks HTTP on them; with `tls`, HTTPS.

    Nothing of the environment has a say, and nothing that a node answers leads elsewhere.
    """

    tls: NodeTls | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES
    _connections: NodeConnections = field(init=False)
    _streams: aiohttp.ClientSession | None = None

    def __attrs_post_init__(self) -> None:
        """Begin without a connection."""
        self._connections = NodeConnections(most_bytes=self.max_answer_bytes, tls=self.tls)

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`."""
        with node_errors(node, seconds):
            async with asyncio.timeout(seconds):
                return await self._connections.ask(node, request)

    @asynccontextmanager
    async def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AsyncIterator[HttpNodeStream]:
        """Open an answer that goes on in the block; raise `NodeUnreachable`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=silence_seconds)
        opening = self._request(node, request, timeout)
        with node_errors(node, seconds):
            async with asyncio.timeout(seconds):
                response = await opening
        try:
            yield HttpNodeStream(node, response, silence_seconds)
        finally:
            # Of an answer that may go on for ever nothing is waited for.
            response.close()

    async def close(self) -> None:
        """Close every connection; again is harmless."""
        self._connections.close()
        if self._streams:
            await self._streams.close()

    def _request(
        self, node: Node, request: NodeRequest, timeout: aiohttp.ClientTimeout
    ) -> "aiohttp.client._RequestContextManager":
        scheme = "https" if self.tls else "http"
        return self._for_streams().request(
            request.method,
            # What is asked was put together here: it is sent as it is.
            URL(f"{scheme}://{node.authority}{request.target}", encoded=True),
            headers=request.headers,
            data=request.body or None,
            allow_redirects=False,
            timeout=timeout,
            ssl=self.tls.context if self.tls else True,
            server_hostname=self.tls.server_name if self.tls else None,
        )

    def _for_streams(self) -> aiohttp.ClientSession:
        if self._streams is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=_narrow)
            self._streams = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=OWN_HEADERS,
                auto_decompress=False,
                trust_env=False,
                read_bufsize=STREAM_BYTES,
            )
        return self._streams


def _narrow(address: aiohttp.AddrInfoType) -> socket.socket:
    """Make a socket for which the kernel keeps little, so that little comes at once."""
    family, kind, protocol, _, _ = address
    one = socket.socket(family, kind, protocol)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STREAM_BYTES)
    return one


async def _limited(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read a body; raise `NodeUnreachable` if it is larger than it may be."""
    chunks: list[bytes] = []
    left = most
    async for chunk in response.content.iter_any():
        chunks.append(chunk)
        left -= len(chunk)
        if left < 0:
            raise NodeUnreachable(too_large(most))
    return b"".join(chunks)
