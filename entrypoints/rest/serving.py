"""Serving a Sanic application in an event loop that is ours.

Sanic's own `run` may lose a SIGTERM that comes while it starts, and may wait for idle
connections when it stops; it also wants to own the loop that our sources are read in.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from socket import socket
from typing import Protocol

from sanic.server.async_server import AsyncioServer

from .connection import ClientConnection
from .context import App
from .tls import GOODBYE_SECONDS, HANDSHAKE_SECONDS

_CHECK_SECONDS = 0.02


class _Connection(Protocol):
    def close_if_idle(self) -> bool: ...

    def abort(self) -> None: ...


@contextlib.asynccontextmanager
async def serving(
    app: App, sock: socket, *, tls: ssl.SSLContext | None = None, grace_seconds: float = 5.0
) -> AsyncIterator[None]:
    """Serve on a bound socket while in the block, then let requests finish for a while.

    Idle connections are closed at once when the block ends; requests that are still being
    answered after `grace_seconds` are cut off.
    """
    patience = {
        "ssl_handshake_timeout": HANDSHAKE_SECONDS,
        "ssl_shutdown_timeout": GOODBYE_SECONDS,
    }
    server = await app.create_server(
        sock=sock,
        ssl=tls,
        protocol=ClientConnection,
        asyncio_server_kwargs={"start_serving": False, **(patience if tls else {})},
    )
    if server is None or server.server is None:
        raise RuntimeError("Sanic made no server.")
    await server.startup()
    await server.before_start()
    await server.server.start_serving()
    await server.after_start()
    try:
        yield
    finally:
        await server.before_stop()
        server.server.close()
        await _drain(server, grace_seconds)
        await server.after_stop()


async def _drain(server: AsyncioServer, grace_seconds: float) -> None:
    connections: set[_Connection] = server.connections
    end = time.monotonic() + grace_seconds
    while connections and time.monotonic() < end:
        for connection in list(connections):
            connection.close_if_idle()
        await asyncio.sleep(_CHECK_SECONDS)
    for connection in list(connections):
        connection.abort()
