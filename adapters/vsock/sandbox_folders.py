"""Looking for the sockets of virtual machine monitors, through folders that these may change.

No link is followed below a run path: a monitor may be in the power of its guest.
"""

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from attrs import frozen

from ...domain.model.guests.peer import GuestSocket
from ...domain.model.guests.sockets import MONITOR, SANDBOX, SOCKET_PLACES, SocketPlace

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)

_Found = TypeVar("_Found")


@frozen(kw_only=True)
class FoundSocket:
    """A monitor's socket: its name, in a folder that is open until the next one is asked for.

    `uid` and `gid` are whom the socket belongs to: so the monitor itself.
    """

    address: GuestSocket
    folder: int
    name: str
    uid: int
    gid: int


@frozen(kw_only=True)
class SandboxFolders:
    """Searches run paths; `watch` is called with each open folder before it is looked at.

    `deny` is called with the path of each that may not be looked into.
    """

    run_paths: Sequence[Path]
    watch: Callable[[int], None]
    deny: Callable[[str], None] = lambda _: None
    places: Sequence[SocketPlace] = SOCKET_PLACES

    def sockets(self) -> Generator[FoundSocket, None, None]:
        """Find all sockets that are there now; those of a path that is there twice, once."""
        seen = set[tuple[int, int]]()
        for run_path in self.run_paths:
            # A run path itself may be a link, as /var/run is.
            with self._looked_into(str(run_path), None, str(run_path), links=True) as root:
                if root is not None and (identity := _identity(root)) not in seen:
                    seen.add(identity)
                    for place in self.places:
                        yield from self._below(root, str(run_path), place, ())

    def _below(
        self, folder: int, path: str, place: SocketPlace, names: tuple[str, ...]
    ) -> Iterator[FoundSocket]:
        if len(names) == len(place.folders):
            yield from _socket_in(folder, path, place, names)
            return
        wanted = place.folders[len(names)]
        for name in _names_in(folder) if wanted in (SANDBOX, MONITOR) else (wanted,):
            with self._looked_into(name, folder, f"{path}/{name}") as below:
                if below is not None:
                    yield from self._below(below, f"{path}/{name}", place, (*names, name))

    @contextmanager
    def _looked_into(
        self, name: str, folder: int | None, path: str, *, links: bool = False
    ) -> Iterator[int | None]:
        """Open a folder and watch it while in the block; say if something is forbidden there."""
        opened = None
        try:
            opened = _opened(name, folder, _FOLDER & ~os.O_NOFOLLOW if links else _FOLDER)
        except PermissionError:
            self.deny(path)
        try:
            if opened is not None:
                self.watch(opened)
            yield opened
        except PermissionError:
            self.deny(path)
        finally:
            if opened is not None:
                os.close(opened)


def _socket_in(
    folder: int, path: str, place: SocketPlace, names: Sequence[str]
) -> Iterator[FoundSocket]:
    found = _unless_gone(lambda: os.stat(place.name, dir_fd=folder, follow_symlinks=False))
    if found is not None and stat.S_ISSOCK(found.st_mode):
        yield FoundSocket(
            address=place.socket(f"{path}/{place.name}", names),
            folder=folder,
            name=place.name,
            uid=found.st_uid,
            gid=found.st_gid,
        )


def _names_in(folder: int) -> list[str]:
    readable = _opened(".", folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if readable is None:
        return []
    try:
        names = os.listdir(readable)  # noqa: PTH208 - by its descriptor
    finally:
        os.close(readable)
    return sorted(name for name in names if name.isprintable())


def _identity(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino


def _opened(name: str, folder: int | None, flags: int) -> int | None:
    """Open a folder; None if there is none."""
    return _unless_gone(lambda: os.open(name, flags, dir_fd=folder))


def _unless_gone(ask: Callable[[], _Found]) -> _Found | None:
    """Ask for something that may not be there; other errors, as want of memory, say nothing."""
    try:
        return ask()
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None
