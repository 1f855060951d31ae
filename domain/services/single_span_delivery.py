"""Between a tracer's own spans and one who keeps them: a bounded queue that counts."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from ...ports.single_span_exporter import SingleSpanExporter
from ..model.single_span import SingleSpan
from .backoff import MAX_ASKED_SECONDS, Backoff

QUEUE_SPANS = 8_192
"""So many spans may wait, which is some 8 MB; what comes when it is full is dropped."""

BATCH_SPANS = 512

GATHER_SECONDS = 0.5
"""How long spans may wait for more of them."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class SingleSpanDelivery:
    """Brings spans to one exporter, from `start` to `close`; counts what became of each."""

    exporter: SingleSpanExporter
    clock: Clock
    backoff: Backoff = field(factory=Backoff)
    delivered: int = 0
    dropped: int = 0
    trouble: str = ""
    _queue: deque[SingleSpan] = field(factory=deque)
    _arrived: asyncio.Event = field(factory=asyncio.Event)
    _closing: bool = False
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"own spans to {self.exporter.name}")

    def offer(self, span: SingleSpan) -> None:
        """Take a span, or drop it if the queue is full."""
        if len(self._queue) >= QUEUE_SPANS or self._closing:
            self.dropped += 1
            return
        self._queue.append(span)
        self._arrived.set()

    async def close(self, seconds: float) -> None:
        """Deliver what waits, in so long at most, and hang up; drop the rest."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        try:
            async with asyncio.timeout(seconds):
                while self._queue and await self._deliver_next() is None:
                    pass
        except TimeoutError:
            _log.warning("span_delivery.not_delivered_in_time", exporter=self.exporter.name)
        self.dropped += len(self._queue)
        self._queue.clear()
        await self.exporter.close()

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self.clock.sleep(GATHER_SECONDS)
            self._arrived.clear()
            while self._queue:
                pause = await self._deliver_next()
                if pause is not None:
                    await self.clock.sleep(pause)

    async def _deliver_next(self) -> float | None:
        """Send the spans that came first, and forget them unless they are to be sent again.

        Returns how many seconds to wait before that.
        """
        spans = [self._queue[place] for place in range(min(len(self._queue), BATCH_SPANS))]
        try:
            refused = await self._refused(spans)
        except ExportDelayed as error:
            self._note(str(error))
            return min(error.retry_after_seconds, MAX_ASKED_SECONDS) or self.backoff.seconds()
        self.backoff.reset()
        for _ in spans:
            self._queue.popleft()
        self.dropped += refused
        self.delivered += len(spans) - refused
        return None

    async def _refused(self, spans: Sequence[SingleSpan]) -> int:
        """Send spans; return how many of them were refused for good."""
        try:
            await self.exporter.send(spans)
        except ExportDelayed:
            raise
        except ExportRejected as error:
            self._note(str(error))
            return min(error.spans, len(spans))
        except ExportFailed as error:
            self._note(str(error))
            return len(spans)
        except Exception as error:  # noqa: BLE001 - what an exporter does wrong costs its spans only
            _log.error("span_delivery.exporter_broken", exporter=self.exporter.name, exc_info=error)
            return len(spans)
        self._recover()
        return 0

    def _note(self, why: str) -> None:
        if why != self.trouble:
            _log.warning("span_delivery.not_taken", exporter=self.exporter.name, error=why)
        self.trouble = why

    def _recover(self) -> None:
        if self.trouble:
            _log.info("span_delivery.recovered", exporter=self.exporter.name)
        self.trouble = ""
