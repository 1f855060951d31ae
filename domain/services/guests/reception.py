"""Takes what virtual machines send, from all of them at once."""

import asyncio
from collections.abc import Coroutine, Hashable, Iterable, Mapping
from typing import Any, Protocol

import structlog
from attrs import define, field

from ....ports.clock import Clock
from ....ports.errors import GuestLost
from ....ports.guest_connections import GuestConnection, GuestConnections
from ...model.errors import DataError
from ...model.guests.connection_stats import GuestConnectionStats, GuestEnd
from ...model.guests.frames import FrameCutShort, FrameCutter, FrameTooLong
from ...model.guests.peer import GuestPeer, GuestSocket
from ...model.guests.slots import GuestSlots
from ...model.single_span import SingleSpanKind
from ..own_spans import OwnSpans
from .frame_room import FrameRoom
from .peers import GuestPeers

SLOT_SECONDS = 1.0
"""How long a connection counts behind its end: so nobody can come and go all the time."""

BUSY_SECONDS = 0.005
"""How long guests may be attended to before all of them rest."""

WAKING_NS = 50_000
"""What it takes to be woken by a guest, be it for a single byte, or to refuse him."""

REST = 0.5
"""How long they rest, as a share of that: so they take two thirds of a core at most."""

CROWDED_SECONDS = 1.0
CROWDED_STEP_SECONDS = 0.01

REFUSAL_LOG_SECONDS = 10.0

_ENDS: Mapping[type[Exception], GuestEnd] = {
    FrameCutShort: GuestEnd.CUT_SHORT,
    FrameTooLong: GuestEnd.TOO_LONG,
    GuestLost: GuestEnd.LOST,
    TimeoutError: GuestEnd.TOO_SLOW,
}

_log = structlog.get_logger()


class Guest(Protocol):
    """One who is connected."""

    def took(self, payload: bytes) -> None:
        """Take the payload of a frame, whatever it holds."""

    def broke(self, reason: str) -> None:
        """Count a frame that had begun, but did not come."""

    def left(self) -> None:
        """Take note that the connection is over."""


class Guests(Protocol):
    """Who makes spans of what guests send."""

    @property
    def is_crowded(self) -> bool:
        """Tell whether it would be better to go on a little later."""

    def guest(self, peer: GuestPeer) -> Guest:
        """Take note that one is connected; a virtual machine may be so several times."""


@define(kw_only=True, eq=False)
class GuestReception:
    """Gives the frames of each connection to `guests`, from `start` to `close`.

    No guest is trusted, and none is waited for: what one sends is taken in small parts, in turns,
    and rests after that. A connection is never ended that can go on.
    """

    connections: GuestConnections
    peers: GuestPeers
    guests: Guests
    room: FrameRoom
    own_spans: OwnSpans
    clock: Clock
    max_frame_bytes: int
    slots: GuestSlots = field(factory=GuestSlots)
    stats: GuestConnectionStats = field(factory=GuestConnectionStats)
    failure: str = ""
    _tasks: set[asyncio.Task[None]] = field(factory=set)
    _turn: asyncio.Lock = field(factory=asyncio.Lock)
    _busy_ns: int = 0
    """How long guests were attended to since the last rest."""
    _refusal_logged_ns: int | None = None

    async def start(self) -> None:
        """Begin to listen; raise `GuestsUnreachable`."""
        await self.connections.open()
        self._spawn(self._run(), name="guests: accept")

    async def close(self) -> None:
        """Listen no more, and hang up on those who are connected; again is harmless."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.connections.close()

    async def _run(self) -> None:
        while True:
            await self.step()

    async def step(self) -> None:
        """Take the next connection, if there is a place for it."""
        connection = await self.connections.accept()
        slot = _slot(connection)
        if not self.slots.take(slot):
            connection.close()
            self._refused(connection)
            self._busy_ns += WAKING_NS
            await self._rest()
            return
        task = self._spawn(self._attend(connection, slot), name=f"guest {connection.address}")
        # Also if it is cancelled before it has begun.
        task.add_done_callback(lambda _: connection.close())

    async def _attend(self, connection: GuestConnection, slot: Hashable) -> None:
        try:
            await self._serve(connection)
            await self.clock.sleep(SLOT_SECONDS)
        finally:
            self.slots.give_back(slot)

    async def _serve(self, connection: GuestConnection) -> None:
        end = GuestEnd.STOPPED
        self.stats.connected += 1
        try:
            end = await self._hear(connection, await self.peers.peer_of(connection.address))
        finally:
            self.stats.ends[end] += 1
            connection.close()

    async def _hear(self, connection: GuestConnection, peer: GuestPeer) -> GuestEnd:
        """Take all that one sends; say why it is over."""
        named = {"guest": peer.address, "sandbox": peer.sandbox_id, "vmm": peer.vmm}
        attributes = {
            "container_tracer.guest.address": peer.address,
            "container_tracer.sandbox.id": peer.sandbox_id,
            "container_tracer.vmm": peer.vmm,
        }
        guest = self.guests.guest(peer)
        try:
            with self.own_spans.span(
                "guest", kind=SingleSpanKind.CONSUMER, attributes=attributes
            ) as span:
                _log.info("guest.connected", **named)
                end, why = await self._ended(connection, guest)
                span.attributes["container_tracer.guest.end"] = end.value
                span.error = why
                _log.info("guest.left", **named, end=end.value, reason=why)
        finally:
            guest.left()
        return end

    async def _ended(self, connection: GuestConnection, guest: Guest) -> tuple[GuestEnd, str]:
        """Take what comes until nothing can come any more; say why."""
        cutter = FrameCutter(self.max_frame_bytes)
        try:
            await self._receive(connection, guest, cutter)
            cutter.end()
        except (DataError, GuestLost, TimeoutError) as error:
            end = _ENDS[type(error)]
            if cutter.is_within_frame:
                guest.broke("too_long" if end is GuestEnd.TOO_LONG else "incomplete")
            return end, str(error) or "a long frame did not come, and others waited for its room"
        return GuestEnd.ENDED, ""

    async def _receive(
        self, connection: GuestConnection, guest: Guest, cutter: FrameCutter
    ) -> None:
        """Take all that comes, until the end."""
        ended = False
        while not ended:
            wanted, taken = cutter.wanted_bytes, 0
            async with self.room.reserve(wanted):
                while not (ended or taken) and cutter.wanted_bytes == wanted:
                    data = await connection.read()
                    ended = not data
                    self.stats.received_bytes += len(data)
                    taken = await self._take(cutter.feed(data), guest)

    async def _take(self, payloads: Iterable[bytes], guest: Guest) -> int:
        """Let a guest have his turn; return how many payloads it were."""
        taken = 0
        async with self._turn:
            began_ns = self.clock.trace_ns()
            try:
                for payload in payloads:
                    taken += 1
                    guest.took(payload)
            finally:
                self._busy_ns += WAKING_NS + self.clock.trace_ns() - began_ns
            await self._rest()
            await self._let_others_catch_up()
        return taken

    async def _rest(self) -> None:
        """Let everything else that this program does have its turn."""
        if self._busy_ns >= BUSY_SECONDS * 1e9:
            seconds, self._busy_ns = self._busy_ns / 1e9, 0
            await self.clock.sleep(REST * seconds)

    async def _let_others_catch_up(self) -> None:
        """Wait for exporters, but not for long: their queues are bounded, and count."""
        waited_seconds = 0.0
        while self.guests.is_crowded and waited_seconds < CROWDED_SECONDS:
            await self.clock.sleep(CROWDED_STEP_SECONDS)
            waited_seconds += CROWDED_STEP_SECONDS

    def _refused(self, connection: GuestConnection) -> None:
        """Count it, and say so from time to time."""
        self.stats.refused += 1
        now_ns = self.clock.trace_ns()
        if self._refusal_logged_ns is None or (
            now_ns - self._refusal_logged_ns >= REFUSAL_LOG_SECONDS * 1e9
        ):
            self._refusal_logged_ns = now_ns
            guest = str(connection.address)
            _log.warning("guest.refused", guest=guest, refused=self.stats.refused)

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.failure = f"{task.get_name()}: {error}"
            _log.error("guests.failed", task=task.get_name(), error=str(error), exc_info=error)


def _slot(connection: GuestConnection) -> Hashable:
    """Name the guest that a connection counts for."""
    address = connection.address
    return address.sandbox_id if isinstance(address, GuestSocket) else address
