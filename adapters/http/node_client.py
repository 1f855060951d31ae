"""Asking nodes over HTTP."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
from attrs import define, frozen
from yarl import URL

from ... import __version__
from ...domain.model.nodes import Node
from ...ports.errors import NodeUnreachable
from ...ports.node_client import NodeAnswer, NodeRequest
from .errors import node_errors

MAX_ANSWER_BYTES = 32 * 2**20
"""How large the answer of one node may be."""

MAX_PROBLEM_BYTES = 64 * 2**10
"""How large an answer may be where a stream was asked for and there is none."""

ANSWER_BYTES = 64 * 2**10
"""How much of an answer is read ahead."""

STREAM_BYTES = 16 * 2**10
"""How much of a stream is read ahead, by the kernel and by us: there may be a thousand of them."""

KEEP_SECONDS = 60.0
"""How long idle connections are kept; nodes close theirs after two minutes."""

_OWN_HEADERS: Mapping[str, str] = {
    "User-Agent": f"tracer-svc/{__version__}",
    "Accept-Encoding": "identity",
}


@frozen(kw_only=True)
class NodeTls:
    """How nodes are spoken to by TLS; `server_name` is what their certificates must be for."""

    context: ssl.SSLContext
    server_name: str | None = None


@define
class HttpNodeStream:
    """An answer that goes on."""

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
        with node_errors(self._silence_seconds):
            return await _limited(self._response, MAX_PROBLEM_BYTES)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield pieces as they come; raise `NodeUnreachable`."""
        with node_errors(self._silence_seconds):
            async for chunk in self._response.content.iter_any():
                yield chunk


@define(kw_only=True, eq=False)
class HttpNodeClient:
    """Keeps connections to nodes, and speaks HTTP on them; with `tls`, HTTPS.

    Nothing of the environment has a say, and nothing that a node answers leads elsewhere.
    """

    tls: NodeTls | None = None
    max_answer_bytes: int = MAX_ANSWER_BYTES
    _answers: aiohttp.ClientSession | None = None
    _streams: aiohttp.ClientSession | None = None

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`."""
        with node_errors(seconds):
            async with asyncio.timeout(seconds):
                async with self._request(self._for_answers(), node, request) as response:
                    body = await _limited(response, self.max_answer_bytes)
                    return NodeAnswer(
                        status=response.status, content_type=response.content_type, body=body
                    )

    @asynccontextmanager
    async def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AsyncIterator[HttpNodeStream]:
        """Open an answer that goes on in the block; raise `NodeUnreachable`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=silence_seconds)
        opening = self._request(self._for_streams(), node, request, timeout)
        with node_errors(seconds):
            async with asyncio.timeout(seconds):
                response = await opening
        try:
            yield HttpNodeStream(response, silence_seconds)
        finally:
            # Of an answer that may go on for ever nothing is waited for.
            response.close()

    async def close(self) -> None:
        """Close every connection; again is harmless."""
        for session in (self._answers, self._streams):
            if session:
                await session.close()

    def _request(
        self,
        session: aiohttp.ClientSession,
        node: Node,
        request: NodeRequest,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> "aiohttp.client._RequestContextManager":
        scheme = "https" if self.tls else "http"
        return session.request(
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

    def _for_answers(self) -> aiohttp.ClientSession:
        if self._answers is None:
            # No limit: one that hangs must not take another's place.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
            self._answers = _session(connector, read_bytes=ANSWER_BYTES)
        return self._answers

    def _for_streams(self) -> aiohttp.ClientSession:
        if self._streams is None:
            connector = aiohttp.TCPConnector(limit=0, force_close=True, socket_factory=_narrow)
            self._streams = _session(connector, read_bytes=STREAM_BYTES)
        return self._streams


def _session(connector: aiohttp.TCPConnector, *, read_bytes: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_OWN_HEADERS,
        timeout=aiohttp.ClientTimeout(total=None),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=read_bytes,
    )


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
            raise NodeUnreachable(f"answers with more than {most // 2**10} KiB")
    return b"".join(chunks)
