"""Sockets of which each brings connections, until it is closed."""

import asyncio
import errno
import socket
from collections.abc import Callable

from ...domain.model.guests.peer import GuestAddress, GuestCid
from ...ports.errors import GuestsUnreachable
from .connection import SocketGuestConnection

BACKLOG = 128

PAUSE_SECONDS = 0.5
"""How long nothing is accepted after that failed, as where files are used up."""

_WITHOUT_VSOCK = {
    errno.EAFNOSUPPORT: "this kernel has no VSOCK (module vhost_vsock)",
    errno.EPERM: "a profile of this container forbids VSOCK (seccomp)",
    errno.EACCES: "a profile of this container forbids VSOCK",
    errno.EADDRINUSE: "another program listens there",
}


def vsock_listener(port: int) -> socket.socket:
    """Listen to all virtual machines that have VSOCK; raise `GuestsUnreachable`."""
    listener = None
    try:
        listener = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        listener.bind((socket.VMADDR_CID_ANY, port))
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        reason = _WITHOUT_VSOCK.get(error.errno or 0) or (error.strerror or str(error)).lower()
        raise GuestsUnreachable(f"VSOCK port {port} cannot be listened to: {reason}.") from error
    return listener


async def bring(
    listener: socket.socket,
    address: Callable[[object], GuestAddress],
    arrivals: asyncio.Queue[SocketGuestConnection],
) -> None:
    """Accept connections until cancelled; they wait in the kernel while the queue is full."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            accepted, peer = await loop.sock_accept(listener)
        except OSError:
            await asyncio.sleep(PAUSE_SECONDS)
            continue
        connection = SocketGuestConnection(address(peer), accepted)
        try:
            await arrivals.put(connection)
        except asyncio.CancelledError:
            connection.close()
            raise


def vsock_address(peer: object) -> GuestAddress:
    """Say which number a virtual machine has."""
    assert isinstance(peer, tuple)  # noqa: S101 - the family's addresses are
    return GuestCid(peer[0])
