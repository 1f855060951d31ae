"""Spans gather until there are enough of them, or long enough: then they are one unit."""

from attrs import define, field

from ...ports.clock import Clock
from ..model.spans import SpanBatch
from .background import Background
from .delivery import Delivery

UNIT_SPANS = 8_192
"""What is written at once has at most so many spans."""


@define(kw_only=True, eq=False)
class Gatherer:
    """Joins batches into units, the same ones for all its deliveries; lives as long as a run.

    It holds less than a unit between calls, and for `seconds` at most.
    """

    seconds: float
    clock: Clock
    deliveries: list[Delivery] = field(factory=list)
    _waiting: list[SpanBatch] = field(factory=list)
    _spans: int = 0
    _timers: Background = field(factory=Background)
    _timed: bool = False
    _closed: bool = False

    def offer(self, batch: SpanBatch) -> None:
        """Take spans; hand on at once what is enough."""
        if self._waiting and not batch.shares_tables(self._waiting[0]):
            self.flush()
        self._take(batch)
        if self._closed:
            self.flush()
        elif self._waiting and not self._timed:
            self._timed = True
            self._timers.leave(self._flush_later(), name="gather spans")

    def flush(self) -> None:
        """Hand on what waits."""
        waiting, self._waiting, self._spans = self._waiting, [], 0
        if waiting:
            self._hand_on(SpanBatch.join(waiting))

    def close(self) -> None:
        """Hand on what waits, and from now on whatever comes."""
        self._closed = True
        for timer in self._timers.tasks:
            timer.cancel()
        self.flush()

    async def _flush_later(self) -> None:
        await self.clock.sleep(self.seconds)
        self._timed = False
        self.flush()

    def _take(self, batch: SpanBatch) -> None:
        """Hand on whole units of what waits and this; let the rest wait."""
        begin = 0
        while (end := begin + UNIT_SPANS - self._spans) <= len(batch):
            waiting, self._waiting, self._spans = self._waiting, [], 0
            part = _part(batch, begin, end)
            self._hand_on(SpanBatch.join([*waiting, part]) if waiting else part)
            begin = end
        if begin < len(batch):
            self._waiting.append(_part(batch, begin, len(batch)))
            self._spans += len(batch) - begin

    def _hand_on(self, unit: SpanBatch) -> None:
        for one in self.deliveries:
            one.offer(unit)


def _part(batch: SpanBatch, begin: int, end: int) -> SpanBatch:
    """Copy rows: views would hold all of the batch in memory for as long as one of them waits."""
    if (begin, end) == (0, len(batch)):
        return batch
    return batch.take(slice(begin, end)).copy()
