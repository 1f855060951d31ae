"""Spans that are offered for delivery, and what became of them as far as is counted."""

import asyncio
import time
from collections.abc import Callable, Mapping

import numpy as np
from attrs import define, evolve

from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.single_span import SingleSpan, SpanOrigin
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import delivery as delivery_module
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.domain.services.single_span_delivery import SingleSpanDelivery
from container_tracer.fakes.spans import NOON_NS, many_spans

from .exchanges import SILENCE
from .wires import Run

SPANS = 1_400
SINGLE_SPANS = 300
UNREST_SECONDS = 2.0
HASTE = 100
"""Pauses are so many times shorter than they say."""


@define
class HastyClock(SystemClock):
    """A clock whose pauses are so many times shorter than they say; it knows what they said."""

    haste: float = HASTE
    slept_seconds: float = 0.0

    async def sleep(self, seconds: float) -> None:
        self.slept_seconds += seconds
        await asyncio.sleep(seconds / self.haste)


def load(count: int) -> SpanBatch:
    """Make spans of many tasks, of one event or two."""
    number = np.arange(count)
    batch = many_spans(count)
    return evolve(batch, tid=(number // 40).astype(np.int32), returned=number % 7 != 0)


LOAD = load(SPANS)
EVENTS_BY_START: Mapping[int, int] = dict(
    zip(
        ((LOAD.start_ns + 500) // 1_000).tolist(),
        (LOAD.entered.astype(int) + LOAD.returned).tolist(),
        strict=True,
    )
)


ORIGINS = (None, SpanOrigin(attributes={"service.name": "kata-agent"}))


@define(eq=False)
class Session:
    """What one session offered, and what became of it as far as is counted."""

    run: Run
    ways: Deliveries
    counts: ExporterStats
    spans: int = 0
    events: int = 0

    @property
    def all_offered(self) -> bool:
        return self.spans == SPANS

    @property
    def pending(self) -> int:
        return self.counts.pending

    def offer(self, count: int) -> None:
        batch = LOAD.take(slice(self.spans, self.spans + count))
        self.ways.offer(batch)
        self.spans += len(batch)
        self.events += batch.events

    def known(self, *, doubtful: bool) -> tuple[int, int]:
        """Count spans and events of which it can be known that they are there."""
        calls = [one for one in self.run.ledger.known(doubtful=doubtful) if one.call]
        return len(calls), sum(EVENTS_BY_START[one.start_us] for one in calls)

    def check(self) -> None:
        """At any moment."""
        one = self.counts
        assert one.delivered + one.dropped + one.pending == self.events
        assert one.delivered_spans + one.dropped_spans + one.pending_spans == self.spans
        assert min(one.pending, one.dropped, one.pending_spans, one.dropped_spans) >= 0
        for member in self.ways.members:
            assert member._held_bytes <= delivery_module.QUEUE_BYTES

    def check_all(self) -> None:
        """When it is over."""
        self.check()
        assert (self.counts.pending, self.counts.pending_spans) == (0, 0)
        least, most = self.known(doubtful=False), self.known(doubtful=True)
        assert least[0] <= self.counts.delivered_spans <= most[0], (least, most, self.counts)
        assert least[1] <= self.counts.delivered <= most[1], (least, most, self.counts)
        check_books(self.run)


@define(eq=False)
class Singles:
    """Spans that are offered one by one."""

    run: Run
    delivery: SingleSpanDelivery
    spans: int = 0

    @property
    def all_offered(self) -> bool:
        return self.spans >= SINGLE_SPANS

    @property
    def pending(self) -> int:
        return self.delivery.pending

    def offer(self, count: int) -> None:
        for number in range(self.spans, self.spans + count):
            self.delivery.offer(single_span(number))
        self.spans += count

    def check(self) -> None:
        """At any moment."""
        one = self.delivery.counts
        assert one.delivered + one.dropped + one.pending == self.spans == self.delivery.offered
        assert min(one.delivered, one.dropped, one.pending) >= 0

    def check_all(self) -> None:
        """When it is over."""
        self.check()
        known = [len(self.run.ledger.known(doubtful=doubtful)) for doubtful in (False, True)]
        assert self.delivery.pending == 0
        assert known[0] <= self.delivery.delivered <= known[1], (known, self.delivery.counts)
        check_books(self.run)


def check_books(run: Run) -> None:
    run.ledger.check_twice()
    if not run.ends_in_silence:
        run.ledger.check_patience(HASTE)


def single_span(number: int) -> SingleSpan:
    return SingleSpan(
        name=f"span {number}",
        trace_id=b"\1" * 16,
        span_id=(number + 1).to_bytes(8, "big"),
        parent_span_id=b"\2" * 8,
        started_ns=NOON_NS + number,
        ended_ns=NOON_NS + number + 1,
        origin=ORIGINS[number % len(ORIGINS)],
    )


async def under_load(run: Run, offer: Callable[[], None], load: "Session | Singles") -> None:
    """Offer everything, and let most of it have its fate while things go wrong."""
    deadline = time.monotonic() + UNREST_SECONDS
    while not load.all_offered:
        offer()
        load.check()
        await asyncio.sleep(run.drawn.random() * 0.02)
    while load.pending and time.monotonic() < deadline:
        load.check()
        await asyncio.sleep(0.005)


async def silence(run: Run, load: "Session | Singles") -> None:
    """Let nobody get an answer any more, and somebody wait for one."""
    run.exchanges.faults = SILENCE
    hushed, deadline = len(run.exchanges.every), time.monotonic() + 0.5
    await until(
        lambda: len(run.exchanges.every) > hushed or time.monotonic() > deadline, load.check
    )


async def until(condition: Callable[[], bool], check: Callable[[], None]) -> None:
    async with asyncio.timeout(40):
        while not condition():
            check()
            await asyncio.sleep(0.005)
