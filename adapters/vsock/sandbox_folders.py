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

from ...domain.model.guest_peer import GuestSocket
from ...domain.model.guest_sockets import MONITOR, SANDBOX, SOCKET_PLACES, SocketPlace

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES)

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
    """Searches run paths; `watch` is called with each open folder before it is looked at."""

    run_paths: Sequence[Path]
    watch: Callable[[int], None]
    places: Sequence[SocketPlace] = SOCKET_PLACES

    def sockets(self) -> Generator[FoundSocket, None, None]:
        """Find all sockets that are there now; those of a path that is there twice, once."""
        seen = set()
        for run_path in self.run_paths:
            # A run path itself may be a link, as /var/run is.
            with _opened(str(run_path), None, _FOLDER & ~os.O_NOFOLLOW) as root:
                if root is None or (identity := _identity(root)) in seen:
                    continue
                seen.add(identity)
                self.watch(root)
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
            with _opened(name, folder, _FOLDER) as below:
                if below is not None:
                    self.watch(below)
                    yield from self._below(below, f"{path}/{name}", place, (*names, name))


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
    with _opened(".", folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) as readable:
        names = [] if readable is None else os.listdir(readable)  # noqa: PTH208 - by its descriptor
    return sorted(name for name in names if name.isprintable())


def _identity(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino


@contextmanager
def _opened(name: str, folder: int | None, flags: int) -> Iterator[int | None]:
    """Open a folder while in the block; None if there is none that may be opened."""
    descriptor = _unless_gone(lambda: os.open(name, flags, dir_fd=folder))
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _unless_gone(ask: Callable[[], _Found]) -> _Found | None:
    """Ask for something that may not be there; other errors, as want of memory, say nothing."""
    try:
        return ask()
    except OSError as error:
        if error.errno not in _GONE:
            raise
        return None
