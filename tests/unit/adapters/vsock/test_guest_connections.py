import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from container_tracer.adapters.vsock.guest_connections import SocketGuestConnections
from container_tracer.adapters.vsock.inotify import FolderWatch
from container_tracer.adapters.vsock.settings import GuestListenSettings

SECONDS = 5


def monitor(path: Path) -> None:
    """Leave what a virtual machine monitor makes when it begins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def open_files() -> set[str]:
    return {one.name for one in Path("/proc/self/fd").iterdir()}


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not true():  # noqa: ASYNC110 - folders tell nobody
            await asyncio.sleep(0.005)


@pytest.fixture
async def connections(socket_folder: Path) -> AsyncIterator[SocketGuestConnections]:
    settings = GuestListenSettings(port=10240, run_paths=(socket_folder,), vsock="off")
    made = SocketGuestConnections(settings)
    await made.open()
    yield made
    await made.close()


async def test_sandboxes_that_appear_later_are_listened_to_at_once(
    connections: SocketGuestConnections, socket_folder: Path
) -> None:
    places = [f"vc/firecracker/{number}/root/kata.hvsock" for number in range(5)]
    for place in [*places, "kata/late/ch-vm.sock"]:
        monitor(socket_folder / place)
        await asyncio.sleep(0.01)
    await until(lambda: len(connections.listening()) == 6)
    with socket.socket(socket.AF_UNIX) as guest:
        guest.connect(str(socket_folder / "kata/late/ch-vm.sock_10240"))
        connection = await connections.accept()
        guest.sendall(b"hello")
        assert await connection.read() == b"hello"
        connection.close()


async def test_a_sandbox_that_goes_is_forgotten_and_one_of_its_name_is_another(
    connections: SocketGuestConnections, socket_folder: Path
) -> None:
    sandbox = socket_folder / "vc/vm/box"
    for _ in range(3):
        monitor(sandbox / "clh.sock")
        await until((sandbox / "clh.sock_10240").exists)
        await until(lambda: len(connections.listening()) == 1)
        shutil.rmtree(sandbox)
    await until(lambda: connections.listening() == [])


@pytest.mark.usefixtures("connections")
async def test_our_socket_goes_with_that_of_the_monitor(socket_folder: Path) -> None:
    monitor(socket_folder / "vc/vm/box/clh.sock")
    ours = socket_folder / "vc/vm/box/clh.sock_10240"
    await until(ours.exists)
    (socket_folder / "vc/vm/box/clh.sock").unlink()
    await until(lambda: not ours.exists())


async def test_a_connection_outlives_the_socket_it_came_by(
    connections: SocketGuestConnections, socket_folder: Path
) -> None:
    monitor(socket_folder / "vc/vm/box/clh.sock")
    await until((socket_folder / "vc/vm/box/clh.sock_10240").exists)
    with socket.socket(socket.AF_UNIX) as guest:
        await until(lambda: len(connections.listening()) == 1)
        guest.connect(str(socket_folder / "vc/vm/box/clh.sock_10240"))
        connection = await connections.accept()
        shutil.rmtree(socket_folder / "vc/vm/box")
        await until(lambda: connections.listening() == [])
        await connections.close()
        guest.sendall(b"still here")
        assert await connection.read() == b"still here"
        connection.close()


@pytest.mark.usefixtures("connections")
async def test_a_socket_that_somebody_removed_is_made_again(socket_folder: Path) -> None:
    monitor(socket_folder / "vc/vm/box/clh.sock")
    ours = socket_folder / "vc/vm/box/clh.sock_10240"
    await until(ours.exists)
    first = ours.stat().st_mtime_ns
    ours.unlink()
    await until(lambda: ours.exists() and ours.stat().st_mtime_ns != first)


async def test_where_another_listens_that_is_said_and_he_is_asked_once(
    connections: SocketGuestConnections, socket_folder: Path
) -> None:
    sandbox = socket_folder / "vc/vm/box"
    sandbox.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(sandbox / "clh.sock_10240"))
        other.listen()
        other.setblocking(False)
        monitor(sandbox / "clh.sock")
        await until(lambda: str(sandbox / "clh.sock") in connections.troubles())
        (sandbox / "noise").touch()
        await connections.look()
        other.accept()[0].close()
        with pytest.raises(BlockingIOError):
            other.accept()
    assert connections.listening() == []


async def test_where_the_kernel_tells_nothing_it_looks_by_itself(
    socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: FolderWatch) -> None:
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(FolderWatch, "open", refuse)
    settings = GuestListenSettings(port=10240, run_paths=(socket_folder,), vsock="off")
    connections = SocketGuestConnections(settings)
    await connections.open()
    assert connections.troubles() == {"inotify": "Folders cannot be watched: Too many open files."}
    monitor(socket_folder / "vc/vm/box/clh.sock")
    await until(lambda: len(connections.listening()) == 1)
    await connections.close()


async def test_too_many_folders_to_be_watched_are_looked_at_until_it_works_again(
    connections: SocketGuestConnections, socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: FolderWatch, _folder: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(FolderWatch, "add", refuse)
        monitor(socket_folder / "vc/vm/box/clh.sock")
        await until(lambda: len(connections.listening()) == 1)
        assert "No space left" in connections.troubles()["inotify"]
    await connections.look()
    assert connections.troubles() == {}


async def test_nothing_is_left_behind(
    connections: SocketGuestConnections, socket_folder: Path
) -> None:
    before = open_files()
    monitor(socket_folder / "vc/vm/box/clh.sock")
    await until(lambda: len(connections.listening()) == 1)
    with socket.socket(socket.AF_UNIX) as guest:
        guest.connect(str(socket_folder / "vc/vm/box/clh.sock_10240"))
        await asyncio.sleep(0.05)  # nobody accepts it
        await connections.close()
    assert open_files() <= before
    assert os.listdir(socket_folder / "vc/vm/box") == ["clh.sock"]  # noqa: PTH208
