"""Being told of changes in folders: inotify(7), which Python has no module for."""

import asyncio
import ctypes
import os
from contextlib import suppress

from attrs import define, field

_CREATE, _DELETE, _DELETE_SELF = 0x100, 0x200, 0x400
_MOVED_FROM, _MOVED_TO, _ONLYDIR = 0x40, 0x80, 0x01000000
_MASK = _CREATE | _DELETE | _DELETE_SELF | _MOVED_FROM | _MOVED_TO | _ONLYDIR

_DISCARD_BYTES = 65_536


@define(eq=False)
class FolderWatch:
    """Says that something was made, moved or removed in a folder that is watched.

    Not what: whoever is told looks for himself, so that it does not matter should the kernel's
    queue overflow. A folder is no longer watched when it is removed.
    """

    _library: ctypes.CDLL = field(init=False, factory=lambda: ctypes.CDLL(None, use_errno=True))
    _descriptor: int = field(init=False, default=-1)

    @property
    def is_open(self) -> bool:
        """Tell whether it tells of anything."""
        return self._descriptor >= 0

    def open(self) -> None:
        """Begin; raise `OSError`, as where a user has too many of these."""
        self._descriptor = self._checked(self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, folder: int) -> None:
        """Watch an open folder; again is harmless. Raises `OSError`."""
        # Not by its path: that may lead elsewhere by now.
        path = f"/proc/self/fd/{folder}".encode()
        self._checked(self._library.inotify_add_watch(self._descriptor, path, _MASK))

    async def changed(self) -> None:
        """Wait for a change since the last call."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
        self._discard()

    def close(self) -> None:
        """End; again is harmless."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _discard(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self._descriptor, _DISCARD_BYTES):
                pass

    def _checked(self, result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result
