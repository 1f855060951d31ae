"""Between a session and an exporter: a bounded queue that counts what becomes of each event."""

import asyncio
import math
from collections import deque

import structlog
from attrs import define, field, frozen

from ...ports.clock import Clock
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from ...ports.span_exporter import SpanSink
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats
from .background import apart
from .backoff import MAX_ASKED_SECONDS, Backoff

QUEUE_BYTES = 32 << 20
"""What may wait for one exporter of one session, as columns; more is dropped and counted."""

FLUSH_SHARE = 0.8
"""So much of the time that closing may take is for the queue, the rest for the sink."""

CANCEL_SECONDS = 0.1
"""How long a write that was cancelled may take to notice."""

_log = structlog.get_logger()


@frozen(eq=False)
class _Pause:
    """Before another attempt; `asked_until` (of the loop's time) is 0 if nobody asked for it."""

    sleep: asyncio.Task[None]
    asked_until: float


@define(kw_only=True, eq=False)
class Delivery:
    """Brings one session's spans to one sink; lives as long as a run of the session.

    What it is offered is counted as expected in `statistics` by whoever offers it.
    """

    name: str
    sink: SpanSink
    clock: Clock
    statistics: ExporterStats
    backoff: Backoff = field(factory=Backoff)
    _queue: deque[SpanBatch] = field(factory=deque)
    _held_bytes: int = 0
    _arrived: asyncio.Event = field(factory=asyncio.Event)
    _closing: bool = False
    _flush_until: float = math.inf
    _pause: _Pause | None = None
    _gave_up: bool = False
    _task: asyncio.Task[None] | None = None

    @property
    def error(self) -> str:
        """What is wrong now, or was."""
        return self.statistics.error

    def start(self) -> None:
        """Begin to deliver."""
        self._task = apart(self._run(), name=f"delivery to {self.name}")

    def offer(self, unit: SpanBatch) -> None:
        """Take spans, or drop them all if the queue is full."""
        if self._held_bytes + unit.nbytes > QUEUE_BYTES or self._closing:
            self._drop(unit)
            if delay := self.statistics.delay:
                self._fail(f"{delay}; what did not fit into the queue meanwhile was dropped")
            return
        self._queue.append(unit)
        self._held_bytes += unit.nbytes
        self._arrived.set()

    async def close(self, deadline_seconds: float, *, ended_ns: int | None = None) -> None:
        """Deliver what waits and close the sink, in so long at most; drop the rest."""
        # Not the clock of the port: a test's would stand still while something hangs.
        now = asyncio.get_running_loop().time
        deadline = now() + deadline_seconds
        self._closing, self._flush_until = True, now() + deadline_seconds * FLUSH_SHARE
        self._arrived.set()
        self._hurry()
        await self._end_task(deadline_seconds * FLUSH_SHARE)
        self._drop_all()
        self._flush_until = deadline
        closing = asyncio.create_task(self._close_sink(ended_ns), name=f"close {self.name}")
        if not await _ended(closing, max(deadline - now(), CANCEL_SECONDS)) and not self._gave_up:
            self._fail(self._unclosed(self.statistics.delay))
        self.statistics.delay = ""

    # Writing, and writing again.

    async def _run(self) -> None:
        while not self._gave_up and (self._queue or not self._closing):
            self._arrived.clear()
            if self._queue:
                await self._deliver(self._queue.popleft())
            else:
                await self._arrived.wait()

    async def _deliver(self, unit: SpanBatch) -> None:
        """Write a unit, and count what became of it even if that is broken off."""
        arrived = None
        try:
            arrived = await self._write(unit)
        finally:
            spans, events = self.sink.arrived(unit) if arrived is None else arrived
            self._held_bytes -= unit.nbytes
            self.statistics.deliver(spans=spans, events=events)
            self.statistics.drop(spans=len(unit) - spans, events=unit.events - events)

    async def _write(self, unit: SpanBatch) -> tuple[int, int] | None:
        """Write until it is known what became of the unit; return the spans and events arrived.

        None if it was given up.
        """
        while True:
            try:
                await self.sink.write(unit)
            except ExportDelayed as error:
                if not await self._wait(error):
                    return None
                continue
            except ExportRejected as error:
                self._recover()
                self._note(error)
                spans = max(0, len(unit) - error.spans)
                if error.events is None:
                    return spans, unit.take(slice(spans)).events
                return spans, max(0, unit.events - error.events)
            except ExportFailed as error:
                self._recover()
                self._note(error)
                return 0, 0
            except Exception as error:  # noqa: BLE001 - what an exporter does wrong is the session's loss
                self._recover()
                self._note(error)
                return None
            self._recover()
            return len(unit), unit.events

    async def _wait(self, error: ExportDelayed) -> bool:
        """Wait before another attempt; tell whether there is time for one."""
        if str(error) != self.statistics.delay:
            _log.warning("export.delayed", exporter=self.name, error=str(error))
        self.statistics.delay = str(error)
        asked = min(error.retry_after_seconds, MAX_ASKED_SECONDS)
        asked_until = asyncio.get_running_loop().time() + asked if asked else 0.0
        self._gave_up |= asked_until > self._flush_until
        if not self._gave_up:
            await self._sleep(asked or self.backoff.seconds(), asked_until)
        return not self._gave_up

    async def _sleep(self, seconds: float, asked_until: float) -> None:
        sleep = asyncio.create_task(self.clock.sleep(seconds), name=f"retry {self.name}")
        self._pause = _Pause(sleep, asked_until)
        try:
            await asyncio.wait([sleep])
        finally:
            sleep.cancel()
            self._pause = None

    def _hurry(self) -> None:
        """Try again at once, or never if the destination asked to be left alone for too long."""
        self.backoff.reset()
        if pause := self._pause:
            self._gave_up = pause.asked_until > self._flush_until
            if self._gave_up or not pause.asked_until:
                pause.sleep.cancel()

    # Closing.

    async def _end_task(self, seconds: float) -> None:
        task, self._task = self._task, None
        if task is not None and not await _ended(task, seconds):
            self._gave_up = True
            if not self.statistics.delay:
                self._fail(f"exporter {self.name} was too slow: the rest was dropped")

    def _drop_all(self) -> None:
        for unit in self._queue:
            self._drop(unit)
        self._queue.clear()
        self._held_bytes = 0
        if delay := self.statistics.delay:
            self._fail(f"{delay}; what waited when the session stopped was dropped")

    async def _close_sink(self, ended_ns: int | None) -> None:
        try:
            await self._close_in_time(ended_ns)
        except asyncio.CancelledError:
            await self.sink.close()
            raise

    async def _close_in_time(self, ended_ns: int | None) -> None:
        """Close the sink, again and again while its destination is not there."""
        already = self._gave_up
        while True:
            try:
                await self.sink.close(ended_ns=ended_ns)
            except ExportDelayed as error:
                if await self._wait(error):
                    continue
                if not already:
                    self._fail(self._unclosed(str(error)))
                await self.sink.close()
            except Exception as error:  # noqa: BLE001 - one exporter must not keep others from closing
                self._note(error)
            return

    def _unclosed(self, delay: str) -> str:
        if delay:
            return f"{delay}; the session's own span was not delivered"
        return f"exporter {self.name} did not close in time"

    # Telling.

    def _drop(self, unit: SpanBatch) -> None:
        self.statistics.drop(spans=len(unit), events=unit.events)

    def _recover(self) -> None:
        self.backoff.reset()
        if self.statistics.delay:
            _log.info("export.recovered", exporter=self.name)
        self.statistics.delay = ""

    def _note(self, error: Exception) -> None:
        if isinstance(error, ExportFailed):
            self._fail(str(error))
            return
        _log.error("export.broken", exporter=self.name, exc_info=error)
        self._fail(f"exporter {self.name} has a fault: {error!r}")

    def _fail(self, why: str) -> None:
        """Keep why spans were dropped."""
        if why != self.statistics.failure:
            _log.warning("export.failed", exporter=self.name, error=why)
        self.statistics.failure = why


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    """Wait for a task, then cancel it, and do not wait long even if it will not be cancelled."""
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return not task.cancelled()
    task.cancel()
    await asyncio.wait([task], timeout=CANCEL_SECONDS)
    return False
