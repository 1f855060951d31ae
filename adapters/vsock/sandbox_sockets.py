"""The sockets beside those of all monitors, kept in step with which of these are there."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

import structlog
from attrs import define, field

from ...domain.model.guests.peer import GuestSocket
from ...ports.errors import GuestsUnreachable
from .sandbox_folders import FoundSocket, SandboxFolders
from .socket_file import SocketFile, made_beside

AGAIN_SECONDS = 10.0
"""When to try again where it failed: whoever listens there is not to be asked all the time."""

MAX_SOCKETS = 4096

_log = structlog.get_logger()


@define(eq=False)
class SandboxSockets:
    """Opened by `look`, closed by `close`; both block, and may be called from any thread."""

    run_paths: Sequence[Path]
    port: int
    watch: Callable[[int], None]
    now_seconds: Callable[[], float] = time.monotonic
    troubles: dict[str, str] = field(factory=dict)
    """Why there is none at a place where there should be, or may be."""
    _denied: set[str] = field(factory=set)
    _files: dict[GuestSocket, SocketFile] = field(factory=dict)
    _again_seconds: dict[GuestSocket, float] = field(factory=dict)
    _lock: Lock = field(factory=Lock)

    def look(self) -> dict[GuestSocket, SocketFile]:
        """Open sockets beside new monitors; return all that are right where they are.

        Others, whose monitor or file is gone, wait to be closed. Raises `OSError`.
        """
        with self._lock:
            right, failed = {}, {}
            self._denied.clear()
            for found in self._found():
                if file := self._beside(found):
                    right[found.address] = file
                elif found.address in self._again_seconds:
                    failed[found.address] = self._again_seconds[found.address]
            self._again_seconds = failed
            standing = {*map(str, failed), *self._denied}
            self.troubles = {at: why for at, why in self.troubles.items() if at in standing}
            return right

    def _found(self) -> Iterator[FoundSocket]:
        return SandboxFolders(run_paths=self.run_paths, watch=self.watch, deny=self._deny).sockets()

    def close(self, address: GuestSocket, file: SocketFile) -> None:
        """Close a socket; it may be gone already."""
        with self._lock:
            if self._files.get(address) is file:
                del self._files[address]
                file.close()

    def close_all(self) -> None:
        """Close all of them."""
        with self._lock:
            while self._files:
                self._files.popitem()[1].close()

    def _beside(self, found: FoundSocket) -> SocketFile | None:
        there = self._files.get(found.address)
        if there is not None:
            return there if there.is_beside(found) else None
        if self.now_seconds() < self._again_seconds.get(found.address, 0.0):
            return None
        if len(self._files) >= MAX_SOCKETS:
            self._fail(found, f"Guests are listened to at {MAX_SOCKETS} places already.")
            return None
        try:
            made = self._files[found.address] = made_beside(found, self.port)
        except GuestsUnreachable as error:
            self._fail(found, str(error))
            return None
        self._again_seconds.pop(found.address, None)
        return made

    def _fail(self, found: FoundSocket, why: str) -> None:
        self._again_seconds[found.address] = self.now_seconds() + AGAIN_SECONDS
        self._note(str(found.address), why)

    def _deny(self, path: str) -> None:
        self._denied.add(path)
        self._note(path, "It cannot be looked into: permission denied (CAP_DAC_OVERRIDE).")

    def _note(self, what: str, why: str) -> None:
        if self.troubles.get(what) != why:
            _log.warning("guests.trouble", what=what, reason=why)
        self.troubles[what] = why
