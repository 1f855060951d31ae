"""All ways in which virtual machines of this host reach this program."""

import asyncio
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from attrs import define, field

from ...domain.model.guests.peer import GuestSocket
from ...ports.errors import GuestsUnreachable
from .connection import SocketGuestConnection
from .inotify import FolderWatch
from .listening import bring, vsock_address, vsock_listener
from .sandbox_sockets import SandboxSockets
from .settings import GuestListenSettings
from .socket_file import SocketFile

LOOK_SECONDS = 10.0
"""How often to look for monitors without being told of any."""

LOOK_UNTOLD_SECONDS = 1.0
"""How often where the kernel tells nothing."""

LEAST_GAP_SECONDS = 0.05
"""How long to leave folders alone after a look: what is made in them comes in bursts."""

SHARE_OF_A_CORE = 0.05
"""Looking may take so much of a core, whatever a monitor does in its folder."""

WAITING_CONNECTIONS = 16

_log = structlog.get_logger()


@define(eq=False)
class SocketGuestConnections:
    """Listens to VSOCK, and beside the socket of every monitor as long as that is there."""

    settings: GuestListenSettings
    _arrivals: asyncio.Queue[SocketGuestConnection] = field(
        init=False, factory=lambda: asyncio.Queue(WAITING_CONNECTIONS)
    )
    _is_told: bool = field(init=False, default=False)
    """Whether all folders are watched."""
    _watch: FolderWatch = field(init=False, factory=FolderWatch)
    _sockets: SandboxSockets = field(init=False)
    _accepting: dict[GuestSocket, tuple[SocketFile, asyncio.Task[None]]] = field(
        init=False, factory=dict
    )
    _vsock: socket.socket | None = field(init=False, default=None)
    _troubles: dict[str, str] = field(init=False, factory=dict)
    _tasks: list[asyncio.Task[None]] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Open nothing yet."""
        self._sockets = SandboxSockets(
            self.settings.run_paths, self.settings.port, self._watch_folder
        )

    async def open(self) -> None:
        """Begin to listen; raise `GuestsUnreachable` where VSOCK must be there and is not."""
        if self.settings.vsock != "off":
            self._open_vsock()
        try:
            self._watch.open()
        except OSError as error:
            self._note("inotify", f"Folders cannot be watched: {error.strerror}.")
        await self.look()
        self._tasks.append(asyncio.create_task(self._keep_looking(), name="guests: look"))

    async def accept(self) -> SocketGuestConnection:
        """Wait for the next connection."""
        return await self._arrivals.get()

    def listening(self) -> Sequence[str]:
        """Say where it listens."""
        places = [f"{address}_{self.settings.port}" for address in self._accepting]
        return [*([self._vsock_place] if self._vsock else []), *places]

    def troubles(self) -> Mapping[str, str]:
        """Say where it should listen and cannot, and why."""
        return {**self._troubles, **self._sockets.troubles}

    async def close(self) -> None:
        """Listen no more, and remove all sockets."""
        tasks, self._tasks = self._tasks, []
        await _end(*tasks, *(task for _, task in self._accepting.values()))
        self._accepting.clear()
        await asyncio.to_thread(self._sockets.close_all)
        self._watch.close()
        if self._vsock is not None:
            self._vsock.close()
            self._vsock = None
        while not self._arrivals.empty():
            self._arrivals.get_nowait().close()

    async def look(self) -> None:
        """Listen beside every monitor's socket that is there, and at no other."""
        if await self._left_some():
            # Where a file was replaced, the place is free now.
            await self._left_some()

    async def _left_some(self) -> bool:
        """Look once; tell whether there were places to be left."""
        self._is_told = self._watch.is_open
        try:
            right = await asyncio.to_thread(self._sockets.look)
        except OSError as error:
            self._note("folders", f"Folders cannot be searched: {error.strerror}.")
            return False
        self._troubles.pop("folders", None)
        if self._is_told:
            self._troubles.pop("inotify", None)
        wrong = [one for one, (file, _) in self._accepting.items() if right.get(one) is not file]
        for address in wrong:
            await self._leave(address)
        for address, file in right.items():
            if address not in self._accepting:
                self._accepting[address] = file, self._bring(address, file)
        return bool(wrong)

    async def _leave(self, address: GuestSocket) -> None:
        file, task = self._accepting.pop(address)
        await _end(task)
        await asyncio.to_thread(self._sockets.close, address, file)
        _log.info("guests.not_listening", place=str(address), sandbox=address.sandbox_id)

    def _note(self, what: str, why: str) -> None:
        if self._troubles.get(what) != why:
            _log.warning("guests.trouble", what=what, reason=why)
        self._troubles[what] = why

    def _bring(self, address: GuestSocket, file: SocketFile) -> asyncio.Task[None]:
        _log.info("guests.listening", place=str(address), sandbox=address.sandbox_id)
        return asyncio.create_task(
            bring(file.listener, lambda _: address, self._arrivals), name=f"guests: {address}"
        )

    async def _keep_looking(self) -> None:
        while True:
            await self._told()
            began_seconds = time.monotonic()
            await self.look()
            took_seconds = time.monotonic() - began_seconds
            await asyncio.sleep(max(LEAST_GAP_SECONDS, took_seconds / SHARE_OF_A_CORE))

    async def _told(self) -> None:
        """Wait until something may have changed."""
        if not self._is_told:
            await asyncio.sleep(LOOK_UNTOLD_SECONDS)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                await self._watch.changed()

    def _watch_folder(self, folder: int) -> None:
        """Be told of changes in a folder; where that fails, looks must do."""
        if not self._is_told:
            return
        try:
            self._watch.add(folder)
        except FileNotFoundError:  # it was removed just now, of which the one above tells
            return
        except OSError as error:
            self._note("inotify", f"Folders cannot be watched: {error.strerror}.")
            self._is_told = False

    def _open_vsock(self) -> None:
        try:
            self._vsock = vsock_listener(self.settings.port)
        except GuestsUnreachable as error:
            if self.settings.vsock == "on":
                raise
            self._note(self._vsock_place, str(error))
        else:
            _log.info("guests.listening", place=self._vsock_place)
            bringing = bring(self._vsock, vsock_address, self._arrivals)
            self._tasks.append(asyncio.create_task(bringing, name="guests: vsock"))

    @property
    def _vsock_place(self) -> str:
        return f"vsock:{self.settings.port}"


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
