"""One connection from a virtual machine."""

import asyncio
import socket

from attrs import frozen

from ...domain.model.guests.peer import GuestAddress
from ...ports.errors import GuestLost

READ_BYTES = 32_768


@frozen(eq=False)
class SocketGuestConnection:
    """A connected stream socket, which must not block."""

    address: GuestAddress
    _socket: socket.socket

    async def read(self) -> bytes:
        """Wait for bytes; return at most `READ_BYTES`, none at the end. Raises `GuestLost`."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._socket, READ_BYTES)
        except OSError as error:
            raise GuestLost(f"The connection broke: {error.strerror or error}.") from error

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
