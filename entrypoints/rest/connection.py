"""Connections of clients: how long they may take, and how many there may be."""

from asyncio import BaseTransport, Transport
from typing import cast

from sanic.http import Stage
from sanic.server import HttpProtocol

MAX_CONNECTIONS = 512
"""How many connections are held; beyond, who has waited longest without a request is let go.

Programs may often have 1024 files open, and have others to open.
"""

LINGER_SECONDS = 2.0
"""How long a connection is kept on which a request was late, so that its client sees the answer.

Sanic itself would read the rest of the body, for ever.
"""

_TLS_HANDSHAKE = b"\x16\x03"
"""How TLS begins (RFC 8446, 5.1)."""


class ClientConnection(HttpProtocol):
    """A connection whose time is counted from the first byte of a request.

    Sanic counts from the last one, so that whoever sends a byte now and then would never be late.
    """

    def connection_made(self, transport: BaseTransport) -> None:
        """Take a connection, if need be instead of one that does nothing."""
        if len(self.connections) >= MAX_CONNECTIONS:
            self._make_room()
        super().connection_made(cast(Transport, transport))  # type: ignore[no-untyped-call]

    def data_received(self, data: bytes) -> None:
        """Take bytes; where they are TLS, and none is spoken here, end it at once."""
        began = self._time
        waiting = self.is_waiting
        if waiting and data.startswith(_TLS_HANDSHAKE):
            self._let_go()
            return
        super().data_received(data)
        if not waiting:
            self._time = began

    def check_timeouts(self) -> None:
        """Answer a request that is late, and end its connection."""
        super().check_timeouts()  # type: ignore[no-untyped-call]
        if self.http is not None and self.http.exception is not None:
            self.loop.call_later(LINGER_SECONDS, self._let_go)

    @property
    def is_waiting(self) -> bool:
        """Tell whether no request has begun since the last one was answered."""
        return self.http is None or self.http.stage is Stage.IDLE

    @property
    def is_unfinished(self) -> bool:
        """Tell whether there is no whole request to be answered."""
        return self.is_waiting or self.http.stage is Stage.REQUEST

    def _make_room(self) -> None:
        unfinished = [one for one in self.connections if one.is_unfinished]
        if unfinished:
            min(unfinished, key=lambda one: one._time)._let_go()  # noqa: SLF001 - of this class

    def _let_go(self) -> None:
        """End it as if the client had; Sanic's own `abort` would be an error in the log."""
        if self.transport is not None:
            self.transport.abort()
