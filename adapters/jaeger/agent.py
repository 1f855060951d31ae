"""A Jaeger agent, reached over UDP: it never answers, so what the kernel has taken is delivered.

But the kernel says, of addresses at which nobody listens, that packets were refused: at once on
the same machine, and after a while of others.
"""

import asyncio
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from attrs import define, frozen

from ...ports.errors import ExportDelayed, ExportFailed
from .packets import packets_of
from .sender import Packet
from .thrift_values import ThriftBatch

DOUBT_SECONDS = 0.1
"""How long a refusal may take to come in, of the first packet and of the first after a refusal."""

PACE_SECONDS = 0.001
"""The pause between other packets: an agent's buffer holds a few of them, and drops the rest."""

RESOLVE_SECONDS = 30.0
"""How often the agent's name is looked up: an address that is nobody's any more may say nothing."""

Place: TypeAlias = tuple[socket.AddressFamily, Any]
"""A family, and an address of it."""


@frozen(kw_only=True)
class AgentAddress:
    """Where an agent takes the compact protocol."""

    host: str
    port: int

    @property
    def shown(self) -> str:
        """How people are told of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"udp://{host}:{self.port}"

    def open(self) -> "JaegerAgent":
        """Prepare to send; nothing is looked up yet."""
        return JaegerAgent(self)


@define(eq=False)
class JaegerAgent:
    """A socket that is connected to an agent, from the first packet on until `close`."""

    address: AgentAddress
    _socket: socket.socket | None = None
    _place: Place | None = None
    _resolve_at: float = 0.0
    _refusals: int = 0
    _doubtful: bool = True

    def packets(self, batch: ThriftBatch) -> list[Packet]:
        """Encode a batch for datagrams."""
        return packets_of(batch)

    async def send(self, body: bytes) -> None:
        """Send a packet, or raise as the interface says."""
        with self._as_export_errors():
            sender = await self._connected()
            await asyncio.get_running_loop().sock_sendall(sender, body)
            _raise_refusal(sender)
            await asyncio.sleep(DOUBT_SECONDS if self._doubtful else PACE_SECONDS)
            _raise_refusal(sender)
            self._doubtful = False

    async def close(self) -> None:
        """Close the socket; again is harmless."""
        self._hang_up()

    def _hang_up(self) -> None:
        sender, self._socket = self._socket, None
        if sender is not None:
            sender.close()

    async def _connected(self) -> socket.socket:
        """Return the socket, connected to where the agent is now."""
        now = asyncio.get_running_loop().time()
        if self._socket is not None and now >= self._resolve_at:
            self._resolve_at = now + RESOLVE_SECONDS
            await self._look_again()
        if self._socket is None:
            places = await self._resolved()
            self._resolve_at = now + RESOLVE_SECONDS
            # A name may have addresses of which the agent has only some.
            self._place = places[self._refusals % len(places)]
            self._socket, self._doubtful = _connect(self._place), True
        return self._socket

    async def _look_again(self) -> None:
        """Hang up if the agent has moved; who cannot be looked up now has not."""
        with suppress(socket.gaierror):
            if self._place not in await self._resolved():
                self._hang_up()

    async def _resolved(self) -> list[Place]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self.address.host, self.address.port, type=socket.SOCK_DGRAM)
        return [(family, address) for family, _, _, _, address in found]

    @contextmanager
    def _as_export_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = f"jaeger: {self.address.shown} {_trouble(error)}"
            if error.errno == errno.EMSGSIZE:
                raise ExportFailed(why) from error
            self._refusals += 1
            self._hang_up()
            raise ExportDelayed(why) from error


def _connect(place: Place) -> socket.socket:
    family, address = place
    sender = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        sender.connect(address)
    except OSError:
        sender.close()
        raise
    return sender


def _raise_refusal(sender: socket.socket) -> None:
    """Raise what the kernel has heard of packets sent before."""
    if number := sender.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        raise OSError(number, os.strerror(number))


def _trouble(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "refuses packets: no agent listens there"
        case socket.gaierror():
            return f"cannot be found: {error.strerror}"
        case _:
            return f"cannot be sent to: {error.strerror or error}"
