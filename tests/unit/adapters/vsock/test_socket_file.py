import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from container_tracer.adapters.vsock.sandbox_folders import FoundSocket, SandboxFolders
from container_tracer.adapters.vsock.socket_file import SocketFile, made_beside
from container_tracer.domain.model.guests.peer import GuestSocket
from container_tracer.ports.errors import GuestsUnreachable

NAME = "clh.sock_10240"


def bound(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    return listener


def names_in(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir()]


@pytest.fixture
def sandbox(socket_folder: Path) -> Path:
    folder = socket_folder / "vc/vm/box"
    folder.mkdir(parents=True)
    return folder


@contextmanager
def found_in(sandbox: Path) -> Iterator[FoundSocket]:
    run_path = sandbox.parent.parent.parent
    with closing(SandboxFolders(run_paths=[run_path], watch=lambda _: None).sockets()) as found:
        yield next(found)


@pytest.fixture
def found(sandbox: Path) -> Iterator[FoundSocket]:
    with bound(sandbox / "clh.sock"), found_in(sandbox) as one:
        yield one


def test_only_the_monitor_may_connect(found: FoundSocket, sandbox: Path) -> None:
    made = made_beside(found, 10240)
    try:
        entry = (sandbox / NAME).stat()
        assert (stat.S_IMODE(entry.st_mode), entry.st_uid) == (0o600, os.geteuid())
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(sandbox / NAME))
            assert made.is_beside(found)
    finally:
        made.close()
    assert names_in(sandbox) == ["clh.sock"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_monitor_that_is_another_user_gets_the_socket(sandbox: Path) -> None:
    with bound(sandbox / "clh.sock"):
        os.chown(sandbox / "clh.sock", 4711, 4712)
        with found_in(sandbox) as found:
            made = made_beside(found, 10240)
        entry = (sandbox / NAME).stat()
        assert (entry.st_uid, entry.st_gid, stat.S_IMODE(entry.st_mode)) == (4711, 4712, 0o600)
        made.close()


def test_the_socket_of_a_program_that_was_killed_is_replaced(
    found: FoundSocket, sandbox: Path
) -> None:
    bound(sandbox / NAME).close()
    made_beside(found, 10240).close()
    assert not (sandbox / NAME).exists()


def test_the_socket_of_a_program_that_runs_is_left_alone(found: FoundSocket, sandbox: Path) -> None:
    with bound(sandbox / NAME) as other:
        other.listen()
        before = (sandbox / NAME).stat()
        with pytest.raises(GuestsUnreachable, match=r"clh\.sock_10240: another program listens"):
            made_beside(found, 10240)
        assert (sandbox / NAME).stat() == before


@pytest.mark.parametrize("trap", ["file", "link", "dangling link", "folder"])
def test_what_is_no_socket_is_neither_followed_nor_removed(
    trap: str, found: FoundSocket, sandbox: Path
) -> None:
    victim = sandbox.parent / "victim"
    if trap != "dangling link":
        bound(victim).close()
    if trap == "file":
        (sandbox / NAME).write_text("mine")
    elif trap == "folder":
        (sandbox / NAME).mkdir()
    else:
        (sandbox / NAME).symlink_to(victim)
    with pytest.raises(GuestsUnreachable, match="is no socket"):
        made_beside(found, 10240)
    assert (sandbox / NAME).is_symlink() == ("link" in trap)
    assert victim.exists() == (trap != "dangling link")


def test_what_was_put_in_its_place_is_not_removed(found: FoundSocket, sandbox: Path) -> None:
    made = made_beside(found, 10240)
    (sandbox / NAME).unlink()
    (sandbox / NAME).write_text("somebody else's")
    assert not made.is_beside(found)
    made.close()
    assert (sandbox / NAME).read_text() == "somebody else's"


def test_a_folder_that_is_gone_is_no_trouble_at_the_end(found: FoundSocket, sandbox: Path) -> None:
    made = made_beside(found, 10240)
    for one in sandbox.iterdir():
        one.unlink()
    sandbox.rmdir()
    made.close()


def test_paths_may_be_longer_than_those_of_sockets(sandbox: Path) -> None:
    deep = sandbox / ("x" * 100)
    deep.mkdir()
    folder = os.open(deep, os.O_PATH)
    address = GuestSocket(path=str(deep / "clh.sock"), sandbox_id="box")
    found = FoundSocket(
        address=address, folder=folder, name="clh.sock", uid=os.geteuid(), gid=os.getegid()
    )
    made: SocketFile = made_beside(found, 10240)
    assert names_in(deep) == [NAME]
    made.close()
    os.close(folder)
