import asyncio
import errno
import socket
from pathlib import Path

import pytest

from container_tracer.adapters.vsock import listening
from container_tracer.adapters.vsock.connection import SocketGuestConnection
from container_tracer.adapters.vsock.guest_connections import SocketGuestConnections
from container_tracer.adapters.vsock.listening import bring, vsock_address, vsock_listener
from container_tracer.adapters.vsock.settings import GuestListenSettings, VsockUse
from container_tracer.domain.model.guests.peer import GuestCid
from container_tracer.ports.errors import GuestLost, GuestsUnreachable


@pytest.fixture
def without_vsock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let VSOCK be a family that no kernel has."""
    monkeypatch.setattr(socket, "AF_VSOCK", 9_999)


@pytest.mark.usefixtures("without_vsock")
def test_a_kernel_without_vsock_is_said_so_with_what_is_missing() -> None:
    with pytest.raises(GuestsUnreachable, match=r"this kernel has no VSOCK \(module vhost_vsock\)"):
        vsock_listener(10240)


@pytest.mark.usefixtures("without_vsock")
@pytest.mark.parametrize(("use", "troubles"), [("auto", ["vsock:10240"]), ("off", [])])
async def test_where_vsock_need_not_be_it_goes_on_without(
    use: VsockUse, troubles: list[str], tmp_path: Path
) -> None:
    settings = GuestListenSettings(port=10240, run_paths=(tmp_path,), vsock=use)
    connections = SocketGuestConnections(settings)
    await connections.open()
    assert list(connections.troubles()) == troubles
    assert connections.listening() == []
    await connections.close()


@pytest.mark.usefixtures("without_vsock")
async def test_where_vsock_must_be_nothing_is_opened(tmp_path: Path) -> None:
    settings = GuestListenSettings(port=10240, run_paths=(tmp_path,), vsock="on")
    connections = SocketGuestConnections(settings)
    with pytest.raises(GuestsUnreachable):
        await connections.open()
    await connections.close()


def test_a_guest_on_vsock_is_known_by_its_number() -> None:
    assert vsock_address((555233078, 1023)) == GuestCid(555233078)
    assert str(GuestCid(7)) == "vsock:7"


async def test_what_cannot_be_accepted_now_is_accepted_later(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "PAUSE_SECONDS", 0.001)
    loop, failures = asyncio.get_running_loop(), [OSError(errno.EMFILE, "too many open files")]
    accept = loop.sock_accept

    async def refuse_once(listener: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", refuse_once)
    arrivals: asyncio.Queue[SocketGuestConnection] = asyncio.Queue()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as guest:
        listener.bind(str(socket_folder / "s"))
        listener.listen()
        listener.setblocking(False)
        guest.connect(str(socket_folder / "s"))
        bringing = asyncio.create_task(bring(listener, lambda _: GuestCid(1), arrivals))
        connection = await asyncio.wait_for(arrivals.get(), 5)
        connection.close()
        bringing.cancel()
        await asyncio.gather(bringing, return_exceptions=True)
    assert failures == []


async def test_a_connection_that_breaks_is_said_so() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    ours.send(b"what is never read")
    theirs.close()  # with something unread: that is a reset
    connection = SocketGuestConnection(GuestCid(1), ours)
    with pytest.raises(GuestLost, match="The connection broke: Connection reset by peer"):
        await connection.read()
    connection.close()
