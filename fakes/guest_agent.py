"""The agent in a virtual machine, as far as it sends spans: over real sockets."""

import asyncio
import socket
from collections.abc import Iterable
from pathlib import Path

from attrs import define, field

AGENT_PORT = 10240


@define(eq=False)
class FakeGuestAgent:
    """Connects when it first sends, and again after it has hung up, as agents do.

    It reaches the host by a UNIX socket, as its monitor would, or by the number of the host on
    VSOCK.
    """

    path: Path | None = None
    cid: int | None = None
    port: int = AGENT_PORT
    connections: int = 0
    _socket: socket.socket | None = field(default=None)

    async def send(self, data: bytes) -> None:
        """Send bytes; wait as long as the host lets it."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = await self._connected()
        await loop.sock_sendall(self._socket, data)

    async def send_frames(self, frames: Iterable[bytes]) -> None:
        """Send frames, one by one."""
        for frame in frames:
            await self.send(frame)

    def hang_up(self) -> None:
        """End the connection; again is harmless."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _connected(self) -> socket.socket:
        family = socket.AF_VSOCK if self.path is None else socket.AF_UNIX
        address = (self.cid, self.port) if self.path is None else str(self.path)
        made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            await asyncio.get_running_loop().sock_connect(made, address)
        except BaseException:
            made.close()
            raise
        self.connections += 1
        return made
