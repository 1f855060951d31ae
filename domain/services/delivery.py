"""Between the pipeline and an exporter: a bounded queue that counts what becomes of each event."""

import asyncio
from collections import deque

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import ExportFailed
from ...ports.span_exporter import SpanSink
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats

QUEUE_BYTES = 32 << 20
"""What may wait for one exporter of one session, as columns; more is dropped and counted."""

GATHER_SECONDS = 0.1
"""How long spans wait for more of them: a write has a cost of its own."""

WRITE_BYTES = 1 << 20
"""From so many on, they are written at once."""

FLUSH_SHARE = 0.8
"""So much of the time that closing may take is for the queue, the rest for the sink."""

CANCEL_SECONDS = 0.1
"""How long a write that was cancelled may take to notice."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class Delivery:
    """Brings one session's spans to one sink; lives as long as a run of the session."""

    name: str
    sink: SpanSink
    clock: Clock
    statistics: ExporterStats
    error: str = ""
    _queue: deque[SpanBatch] = field(factory=deque)
    _queued_bytes: int = 0
    _arrived: asyncio.Event = field(factory=asyncio.Event)
    _closing: bool = False
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"delivery to {self.name}")

    def offer(self, batch: SpanBatch) -> None:
        """Take spans, or drop them all if the queue is full."""
        if self._queued_bytes + batch.nbytes > QUEUE_BYTES or self._closing:
            self.statistics.dropped += batch.events
            self.statistics.dropped_spans += len(batch)
            return
        self.statistics.pending += batch.events
        self._queue.append(batch)
        self._queued_bytes += batch.nbytes
        self._arrived.set()

    async def close(self, deadline_seconds: float) -> None:
        """Deliver what waits and close the sink, in so long at most; drop the rest."""
        self._closing = True
        self._arrived.set()
        # Not the clock of the port: a test's would stand still while something hangs.
        now = asyncio.get_running_loop().time
        deadline = now() + deadline_seconds
        await self._end_task(deadline_seconds * FLUSH_SHARE)
        self._drop_all()
        closing = asyncio.create_task(self._close_sink(), name=f"close {self.name}")
        if not await _ended(closing, max(deadline - now(), CANCEL_SECONDS)):
            self._fail(f"exporter {self.name} did not close in time")

    async def _end_task(self, seconds: float) -> None:
        task, self._task = self._task, None
        if task is not None and not await _ended(task, seconds):
            self._fail(f"exporter {self.name} was too slow: the rest was dropped")

    async def _close_sink(self) -> None:
        try:
            await self.sink.close()
        except Exception as error:  # noqa: BLE001 - one exporter must not keep others from closing
            self._note(error)

    async def _run(self) -> None:
        while self._queue or not self._closing:
            self._arrived.clear()
            if not self._queue:
                await self._arrived.wait()
            if self._queued_bytes < WRITE_BYTES and not self._closing:
                await self.clock.sleep(GATHER_SECONDS)
            await self._deliver()

    async def _deliver(self) -> None:
        """Write the next spans; a sink takes all of them or none."""
        if not self._queue:
            return
        batch = self._next()
        counts = self.statistics
        delivered = False
        try:
            await self.sink.write(batch)
            delivered = True
        except Exception as error:  # noqa: BLE001 - what an exporter does wrong is the session's loss
            self._note(error)
        finally:
            counts.pending -= batch.events
            if delivered:
                counts.delivered += batch.events
                counts.delivered_spans += len(batch)
            else:
                counts.dropped += batch.events
                counts.dropped_spans += len(batch)

    def _next(self) -> SpanBatch:
        """Join waiting batches that use the same tables, up to what is written at once."""
        batches = [self._first()]
        size = batches[0].nbytes
        while self._queue and self._queue[0].shares_tables(batches[0]) and size < WRITE_BYTES:
            batches.append(self._first())
            size += batches[-1].nbytes
        self._queued_bytes -= size
        return SpanBatch.join(batches)

    def _first(self) -> SpanBatch:
        """Take the first batch that waits; of a large one, leave the rest."""
        batch = self._queue.popleft()
        if batch.nbytes <= WRITE_BYTES:
            return batch
        count = max(1, WRITE_BYTES * len(batch) // batch.nbytes)
        self._queue.appendleft(batch.take(slice(count, None)))
        return batch.take(slice(count))

    def _drop_all(self) -> None:
        for batch in self._queue:
            self.statistics.dropped += batch.events
            self.statistics.dropped_spans += len(batch)
            self.statistics.pending -= batch.events
        self._queue.clear()
        self._queued_bytes = 0

    def _note(self, error: Exception) -> None:
        if isinstance(error, ExportFailed):
            self._fail(str(error))
            return
        _log.error("export.broken", exporter=self.name, exc_info=error)
        self._fail(f"exporter {self.name} has a fault: {error!r}")

    def _fail(self, why: str) -> None:
        if why != self.error:
            _log.warning("export.failed", exporter=self.name, error=why)
        self.error = why


async def _ended(task: asyncio.Task[None], seconds: float) -> bool:
    """Wait for a task, then cancel it, and do not wait long even if it will not be cancelled."""
    await asyncio.wait([task], timeout=seconds)
    if task.done():
        return not task.cancelled()
    task.cancel()
    await asyncio.wait([task], timeout=CANCEL_SECONDS)
    return False
