"""A UNIX socket beside that of a virtual machine monitor, which connects to it for its guest.

The folder may be the monitor's own. So nothing in it is reached by a path, no link is followed,
and what is not this program's is neither removed nor given away.
"""

import os
import socket
import stat
from contextlib import suppress
from typing import TypeAlias

from attrs import frozen

from ...domain.model.guests.sockets import listening_name
from ...ports.errors import GuestsUnreachable
from .sandbox_folders import FoundSocket

BACKLOG = 64

_OWNER_ONLY = 0o600

Identity: TypeAlias = tuple[int, int, int]


@frozen(kw_only=True, eq=False)
class SocketFile:
    """A listening socket and its file, from `made_beside` to `close`."""

    listener: socket.socket
    folder: int
    name: str
    identity: Identity

    def is_beside(self, found: FoundSocket) -> bool:
        """Tell whether it is there still, where that monitor looks for it."""
        return _identity(found.folder, self.name) == self.identity

    def close(self) -> None:
        """Listen no more, and remove the file if it is there still."""
        self.listener.close()
        _remove(self.folder, self.name, self.identity)
        os.close(self.folder)


def made_beside(found: FoundSocket, port: int) -> SocketFile:
    """Make a socket that only its monitor may use; raise `GuestsUnreachable`.

    One of a program that was killed is replaced.
    """
    name = listening_name(found.name, port)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    folder, identity = os.dup(found.folder), None
    try:
        identity = _bound(listener, folder, name)
        _give_away(folder, name, identity, uid=found.uid, gid=found.gid)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        _remove(folder, name, identity)
        os.close(folder)
        raise GuestsUnreachable(
            f"Guests cannot be listened to at {found.address}_{port}:"
            f" {(error.strerror or str(error)).lower()}."
        ) from error
    return SocketFile(listener=listener, folder=folder, name=name, identity=identity)


def _bound(listener: socket.socket, folder: int, name: str) -> Identity:
    """Make the file; return which it is."""
    # It gets the permissions that the socket has, and never has others.
    os.fchmod(listener.fileno(), _OWNER_ONLY)
    _remove_dead(folder, name)
    listener.bind(_path(folder, name))
    return _identity_of(os.stat(name, dir_fd=folder, follow_symlinks=False))


def _remove_dead(folder: int, name: str) -> None:
    """Remove the socket of a program that was killed; nothing else, and none that is in use."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise FileExistsError(0, "a file of that name is there that is no socket")
        if _is_served(folder, name):
            raise FileExistsError(0, "another program listens there")
        os.unlink(name, dir_fd=folder)


def _is_served(folder: int, name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as client:
        try:
            client.connect(_path(folder, name))
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # it has more to do than it can
            return True
    return True


def _give_away(folder: int, name: str, identity: Identity, *, uid: int, gid: int) -> None:
    """Make the file the monitor's, which may run as another user."""
    entry = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        made = os.fstat(entry)
        # Somebody may have put another file in its place, perhaps one that also is elsewhere.
        if _identity_of(made) != identity or not _is_ours(made):
            raise FileExistsError(0, "somebody has replaced the socket that was made there")
        if (made.st_uid, made.st_gid) != (uid, gid):
            os.chown(f"/proc/self/fd/{entry}", uid, gid)
    finally:
        os.close(entry)


def _is_ours(file: os.stat_result) -> bool:
    return stat.S_ISSOCK(file.st_mode) and (file.st_uid, file.st_nlink) == (os.geteuid(), 1)


def _remove(folder: int, name: str, identity: Identity | None) -> None:
    with suppress(OSError):
        if identity is not None and _identity(folder, name) == identity:
            os.unlink(name, dir_fd=folder)


def _identity(folder: int, name: str) -> Identity | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return None
    return _identity_of(found)


def _identity_of(file: os.stat_result) -> Identity:
    # A file that is made where one was removed may get its number, but not its time.
    return file.st_dev, file.st_ino, file.st_mtime_ns


def _path(folder: int, name: str) -> str:
    """Reach a name in an open folder; a path through folders may also be too long for a socket."""
    return f"/proc/self/fd/{folder}/{name}"
