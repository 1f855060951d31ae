"""Guests that a test says are connected."""

import asyncio
from collections.abc import Mapping, Sequence

from attrs import define, field

from ..domain.model.guests.peer import GuestAddress
from ..ports.errors import GuestLost, GuestsUnreachable


@define(eq=False)
class FakeGuestConnection:
    """Brings the bytes that are put into `incoming`, or raises what is: none are the end."""

    address: GuestAddress
    incoming: asyncio.Queue[bytes | GuestLost] = field(factory=asyncio.Queue)
    closed: bool = False

    def send(self, *parts: bytes) -> "FakeGuestConnection":
        """Put bytes there."""
        for part in parts:
            self.incoming.put_nowait(part)
        return self

    async def read(self) -> bytes:
        """Return what was put there next."""
        data = await self.incoming.get()
        if isinstance(data, GuestLost):
            raise data
        return data

    def close(self) -> None:
        """Take note that it was hung up."""
        self.closed = True


@define(eq=False)
class FakeGuestConnections:
    """Brings the connections that are put into `arrivals`; `failure` is raised by `open`."""

    arrivals: asyncio.Queue[FakeGuestConnection] = field(factory=asyncio.Queue)
    failure: GuestsUnreachable | None = None
    is_open: bool = False

    def connect(self, address: GuestAddress) -> FakeGuestConnection:
        """Let a guest connect."""
        connection = FakeGuestConnection(address)
        self.arrivals.put_nowait(connection)
        return connection

    async def open(self) -> None:
        """Raise `failure`, if there is one."""
        if self.failure:
            raise self.failure
        self.is_open = True

    async def accept(self) -> FakeGuestConnection:
        """Return what was put there next."""
        return await self.arrivals.get()

    def listening(self) -> Sequence[str]:
        """Name one place while it is open."""
        return ["fake"] if self.is_open else []

    def troubles(self) -> Mapping[str, str]:
        """Have none."""
        return {}

    async def close(self) -> None:
        """Take note of it."""
        self.is_open = False
