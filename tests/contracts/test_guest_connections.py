"""What is true of every way in for guests: the sockets of an adapter, and the fake."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from attrs import define

from container_tracer.adapters.vsock.guest_connections import SocketGuestConnections
from container_tracer.adapters.vsock.settings import GuestListenSettings
from container_tracer.domain.model.guests.peer import GuestSocket
from container_tracer.fakes.guest_connections import FakeGuestConnections
from container_tracer.ports.guest_connections import GuestConnections


@define
class Wired:
    """A port, and what makes a guest connect, send bytes, and hang up."""

    connections: GuestConnections
    send: Callable[[bytes], None]


def fake(_folder: Path) -> Wired:
    connections = FakeGuestConnections()

    def send(data: bytes) -> None:
        connections.connect(GuestSocket(path="/box/clh.sock", sandbox_id="box")).send(data, b"")

    return Wired(connections, send)


def sockets(folder: Path) -> Wired:
    sandbox = folder / "vc/vm/box"
    sandbox.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.bind(str(sandbox / "clh.sock"))
    settings = GuestListenSettings(port=10240, run_paths=(folder,), vsock="off")

    def send(data: bytes) -> None:
        with socket.socket(socket.AF_UNIX) as guest:
            guest.connect(str(sandbox / "clh.sock_10240"))
            guest.sendall(data)

    return Wired(SocketGuestConnections(settings), send)


@pytest.fixture(params=[fake, sockets])
async def wired(request: pytest.FixtureRequest, socket_folder: Path) -> AsyncIterator[Wired]:
    made: Wired = request.param(socket_folder)
    await made.connections.open()
    yield made
    await made.connections.close()


class TestGuestConnections:
    async def test_bytes_come_whole_and_then_the_end(self, wired: Wired) -> None:
        wired.send(b"x" * 100_000)
        connection = await wired.connections.accept()
        found = b""
        while data := await connection.read():
            found += data
        assert found == b"x" * 100_000
        assert isinstance(connection.address, GuestSocket)
        assert connection.address.sandbox_id == "box"
        connection.close()
        connection.close()

    async def test_those_who_came_before_they_were_asked_for_are_not_lost(
        self, wired: Wired
    ) -> None:
        for number in range(5):
            wired.send(bytes([number]))
        found = []
        for _ in range(5):
            connection = await wired.connections.accept()
            found.append(await connection.read())
            connection.close()
        assert found == [bytes([number]) for number in range(5)]

    async def test_it_says_where_it_listens_until_it_is_closed(self, wired: Wired) -> None:
        assert len(wired.connections.listening()) == 1
        assert wired.connections.troubles() == {}
        await wired.connections.close()
        await wired.connections.close()
        assert wired.connections.listening() == []

    async def test_who_waits_can_be_told_not_to(self, wired: Wired) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(wired.connections.accept(), 0.01)
        wired.send(b"later")
        connection = await wired.connections.accept()
        assert await connection.read() == b"later"
        connection.close()
