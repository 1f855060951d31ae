"""Between single spans and one who keeps them: a bounded queue that counts."""

import asyncio
from collections.abc import Iterable

import structlog
from attrs import define, field, frozen

from ...ports.clock import Clock
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from ...ports.single_span_exporter import SingleSpanExporter
from ..model.single_span import SingleSpan
from ..model.single_span_size import size_of
from .backoff import MAX_ASKED_SECONDS, Backoff
from .fair_queue import FairQueue, WaitingSpan

QUEUE_SPANS = 8_192
QUEUE_BYTES = 16 << 20
"""So much may wait for an exporter; what is more is dropped."""

BATCH_SPANS = 2_048
"""What is sent at once: many, since Jaeger takes a request for each of the guests they are of."""

GATHER_SECONDS = 0.5
"""How long spans may wait for more of them."""

CANCEL_SECONDS = 0.1
"""How long sending that was cancelled may take to notice."""

_log = structlog.get_logger()


@frozen(kw_only=True)
class SingleSpanCounts:
    """What became of the spans that an exporter was offered."""

    delivered: int = 0
    dropped: int = 0
    pending: int = 0


@define(kw_only=True, eq=False)
class SingleSpanDelivery:
    """Brings spans to one exporter, from `start` to `close`; counts what became of each.

    At any moment `offered` is `delivered`, `dropped` and `pending` together.
    """

    exporter: SingleSpanExporter
    clock: Clock
    backoff: Backoff = field(factory=Backoff)
    offered: int = 0
    delivered: int = 0
    dropped: int = 0
    trouble: str = ""
    _queue: FairQueue = field(factory=FairQueue)
    _arrived: asyncio.Event = field(factory=asyncio.Event)
    _closing: bool = False
    _pause: asyncio.Task[None] | None = None
    _asked_until: float = 0.0
    _task: asyncio.Task[None] | None = None

    @property
    def pending(self) -> int:
        """Count the spans that wait, or are being sent."""
        return len(self._queue)

    @property
    def is_crowded(self) -> bool:
        """Tell whether who can wait should: much waits, and it is being delivered."""
        much = len(self._queue) > QUEUE_SPANS // 2 or self._queue.size > QUEUE_BYTES // 2
        return much and not self.trouble and not self._closing

    @property
    def counts(self) -> SingleSpanCounts:
        """Return the numbers of this moment."""
        return SingleSpanCounts(
            delivered=self.delivered, dropped=self.dropped, pending=self.pending
        )

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name=f"single spans to {self.exporter.name}")

    def offer(self, span: SingleSpan, *, sender: str = "") -> None:
        """Take a span; if the queue is full, drop what came last of the sender who fills it."""
        self.offered += 1
        if self._closing:
            self.dropped += 1
            return
        self._queue.add(WaitingSpan(span, size_of(span), sender))
        self.dropped += self._queue.shrink(count=QUEUE_SPANS, size=QUEUE_BYTES)
        self._arrived.set()
        if self.is_crowded and self._pause:
            self._pause.cancel()

    async def close(self, seconds: float) -> None:
        """Deliver what waits, in so long at most, and hang up; drop the rest.

        Who asked to be left alone for longer is not asked again.
        """
        if self._task is None:
            self.start()
        self._closing = True
        self._arrived.set()
        asked = self._asked_until - asyncio.get_running_loop().time()
        if self._pause and asked <= 0:
            self._pause.cancel()
        await self._end_task(seconds if asked <= seconds else 0)
        self.dropped += len(self._queue)
        self._queue.clear()
        try:
            await self.exporter.close()
        except ExportFailed as error:
            self._note(str(error))

    async def _end_task(self, seconds: float) -> None:
        task = self._task
        if task is None:
            return
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            _log.warning("span_delivery.not_delivered_in_time", exporter=self.exporter.name)
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_SECONDS)

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._sleep(GATHER_SECONDS)
            self._arrived.clear()
            await self._deliver_all()
            if self._closing:
                return

    async def _deliver_all(self) -> None:
        while self._queue:
            pause = await self._deliver_next()
            if pause is None:
                continue
            if self._closing:
                return
            await self._sleep(pause)

    async def _sleep(self, seconds: float) -> None:
        """Sleep until it is time, or this is being closed."""
        if self._closing:
            return
        name = f"pause of {self.exporter.name}"
        self._pause = pause = asyncio.create_task(self.clock.sleep(seconds), name=name)
        try:
            await asyncio.wait([pause])
        finally:
            pause.cancel()
            self._pause = None

    async def _deliver_next(self) -> float | None:
        """Send the spans that came first, and forget them unless they are to be sent again.

        Returns how many seconds to wait before anything is sent again, None if nothing is wrong.
        """
        batch = self._queue.take(BATCH_SPANS)
        try:
            error = await self._send([one.span for one in batch])
        except asyncio.CancelledError:
            arrived = self.exporter.arrived()
            self._queue.settle(batch[arrived:])  # or others: all that is left is dropped
            self.delivered += arrived
            raise
        if not isinstance(error, ExportDelayed):
            self.backoff.reset()
        left = _left(batch, error)
        settled = len(batch) - len(left)
        refused = min(_refused(error, settled), settled)
        self._queue.settle(left)
        self.dropped += refused
        self.delivered += settled - refused
        if isinstance(error, ExportDelayed):
            asked = min(error.retry_after_seconds, MAX_ASKED_SECONDS)
            self._asked_until = asyncio.get_running_loop().time() + asked
            return asked or self.backoff.seconds()
        return None

    async def _send(self, spans: list[SingleSpan]) -> ExportFailed | None:
        """Send spans; return what became of them, if not all have arrived."""
        try:
            await self.exporter.send(spans)
        except ExportFailed as error:
            self._note(str(error))
            return error
        except Exception as error:  # noqa: BLE001 - what an exporter does wrong costs its spans only
            _log.error("span_delivery.exporter_broken", exporter=self.exporter.name, exc_info=error)
            return ExportFailed(repr(error))
        self._recover()
        return None

    def _note(self, why: str) -> None:
        if why != self.trouble:
            _log.warning("span_delivery.not_taken", exporter=self.exporter.name, error=why)
        self.trouble = why

    def _recover(self) -> None:
        if self.trouble:
            _log.info("span_delivery.recovered", exporter=self.exporter.name)
        self.trouble = ""


def _left(batch: Iterable[WaitingSpan], error: ExportFailed | None) -> list[WaitingSpan]:
    """Return what is to be sent again, or was not tried."""
    if error is None:
        return []
    if error.left is None:
        return list(batch) if isinstance(error, ExportDelayed) else []
    left = set(map(id, error.left))
    return [one for one in batch if id(one.span) in left]


def _refused(error: ExportFailed | None, settled: int) -> int:
    """Count the spans that were refused for good, among those it is known of what became."""
    match error:
        case None | ExportDelayed():
            return 0
        case ExportRejected():
            return error.spans
        case _:
            return settled
