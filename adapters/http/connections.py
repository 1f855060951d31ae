"""Connections to nodes that are kept for the next request."""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Mapping

from attrs import define, field, frozen

from ... import __version__
from ...domain.model.nodes import Node
from ...ports.node_client import NodeAnswer, NodeRequest
from .connection import ConnectionStale, NodeConnection
from .errors import connect_errors

KEEP_SECONDS = 60.0
"""How long idle connections are kept; nodes close theirs after two minutes."""

OWN_HEADERS: Mapping[str, str] = {
    "User-Agent": f"tracer-svc/{__version__}",
    "Accept-Encoding": "identity",
}

_FORBIDDEN = frozenset("\r\n\0")


@frozen(kw_only=True)
class NodeTls:
    """How nodes are spoken to by TLS; `server_name` is what their certificates must be for."""

    context: ssl.SSLContext
    server_name: str | None = None


@define(kw_only=True, eq=False)
class NodeConnections:
    """As many to each node as are asked for at once; `most_bytes` is how large an answer may be."""

    most_bytes: int
    tls: NodeTls | None = None
    _idle: defaultdict[tuple[str, int], list[NodeConnection]] = field(
        factory=lambda: defaultdict(list)
    )
    _swept: float = field(factory=time.monotonic)

    async def ask(self, node: Node, request: NodeRequest) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`.

        A connection that was kept may have been closed just now: what only asks is asked again.
        """
        written = _written(node, request)
        if (kept := self._take(node)) is not None:
            try:
                return await self._use(node, kept, written)
            except ConnectionStale:
                if request.method != "GET":
                    raise
        return await self._use(node, await self._open(node), written)

    def close(self) -> None:
        """Close those that are idle; again is harmless."""
        for kept in self._idle.values():
            for one in kept:
                one.abort()
        self._idle.clear()

    async def _use(self, node: Node, connection: NodeConnection, written: bytes) -> NodeAnswer:
        answer = await connection.ask(written)
        if connection.reusable:
            connection.idle_since = time.monotonic()
            self._idle[node.host, node.port].append(connection)
        return answer

    def _take(self, node: Node) -> NodeConnection | None:
        """Return the connection that was used last, if one can still be."""
        self._sweep()
        kept = self._idle[node.host, node.port]
        while kept:
            connection = kept.pop()
            if connection.reusable:
                return connection
        return None

    def _sweep(self) -> None:
        """Close what has not been used for long, such as connections to nodes that are gone."""
        now = time.monotonic()
        if now - self._swept < KEEP_SECONDS / 6:
            return
        self._swept = now
        for place, kept in list(self._idle.items()):
            fresh = [one for one in kept if one.reusable and now - one.idle_since < KEEP_SECONDS]
            for one in set(kept).difference(fresh):
                one.abort()
            if fresh:
                self._idle[place] = fresh
            else:
                del self._idle[place]

    async def _open(self, node: Node) -> NodeConnection:
        with connect_errors(node):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: NodeConnection(self.most_bytes),
                node.host,
                node.port,
                ssl=self.tls.context if self.tls else None,
                server_hostname=(self.tls.server_name or node.host) if self.tls else None,
            )
        return connection


def _written(node: Node, request: NodeRequest) -> bytes:
    """Write a request as it is sent; raise `ValueError` for what would become another header."""
    headers = {"Host": node.authority, **OWN_HEADERS, "Accept": "*/*", **request.headers}
    if request.body or request.method not in ("GET", "DELETE"):
        headers["Content-Length"] = str(len(request.body))
    lines = [
        f"{request.method} {request.target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if any(_FORBIDDEN.intersection(line) for line in lines) or lines[0].count(" ") > 2:  # noqa: PLR2004 - method, target, version
        raise ValueError("the request has a line that is none of HTTP")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + request.body
