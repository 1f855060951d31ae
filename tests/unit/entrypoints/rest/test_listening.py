"""A UNIX socket is its owner's alone, and replaces only one that is dead."""

import socket
import stat
from pathlib import Path

import pytest

from container_tracer.entrypoints.rest.listening import listen, release
from container_tracer.entrypoints.values import Address, UnixAddress


def test_a_socket_is_for_its_owner_only_and_goes_with_its_server(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "socket")
    with listen(address):
        assert stat.S_IMODE(address.path.stat().st_mode) == 0o600
    release(address)
    assert not address.path.exists()
    release(address)


def test_a_dead_servers_socket_is_replaced(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "socket")
    listen(address).close()
    with listen(address), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(address.path))


def test_a_living_servers_socket_is_in_use(tmp_path: Path) -> None:
    address = UnixAddress(tmp_path / "socket")
    with listen(address), pytest.raises(OSError, match="in use"):
        listen(address)


def test_a_file_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        listen(UnixAddress(path))
    assert path.read_text() == "mine"


def test_a_path_no_socket_can_have_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="too long"):
        listen(UnixAddress(tmp_path / ("x" * 200)))


def test_releasing_a_port_is_nothing() -> None:
    release(Address("127.0.0.1", 1))
