"""Each event offered is delivered, dropped or pending, whatever an exporter does."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define, field
from structlog.testing import capture_logs

from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import delivery as module
from container_tracer.domain.services.backoff import MAX_ASKED_SECONDS, Backoff
from container_tracer.domain.services.delivery import Delivery
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.span_exporter import FakeSpanExporter, FakeSpanSink
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import ExportDelayed, ExportFailed, ExportRejected
from container_tracer.ports.span_exporter import TraceContext

CONTEXT = TraceContext(session_id="1")
ONE = many_spans(10)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield list(captured)


@define
class Way:
    """A delivery to a fake sink, and how many events it was offered."""

    exporter: FakeSpanExporter = field(factory=FakeSpanExporter)
    clock: FakeClock = field(factory=FakeClock)
    statistics: ExporterStats = field(factory=ExporterStats)
    offered: int = 0
    spans: int = 0
    delivery: Delivery = field(init=False)
    sink: FakeSpanSink = field(init=False)

    async def open(self) -> "Way":
        self.sink = await self.exporter.open(CONTEXT)
        self.delivery = Delivery(
            name="fake",
            sink=self.sink,
            clock=self.clock,
            statistics=self.statistics,
            backoff=Backoff(draw=lambda: 1.0),
        )
        self.delivery.start()
        return self

    def offer(self, batch: SpanBatch) -> None:
        self.statistics.expect(spans=len(batch), events=batch.events)
        self.delivery.offer(batch)
        self.offered += batch.events
        self.spans += len(batch)

    def check(self) -> None:
        counts = self.statistics
        assert counts.delivered + counts.dropped + counts.pending == self.offered
        assert counts.delivered == sum(batch.events for batch in self.exporter.batches)
        assert counts.delivered_spans == sum(map(len, self.exporter.batches))
        assert counts.delivered_spans + counts.dropped_spans + counts.pending_spans == self.spans

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", ONE.nbytes * 3)
    way = await Way().open()
    way.exporter.gate.clear()
    way.offer(ONE)
    await way.settle()  # it is being written, and still counts
    for _ in range(6):
        way.offer(ONE)
    assert (way.statistics.dropped, way.statistics.dropped_spans) == (4 * ONE.events, 40)
    way.check()
    way.exporter.gate.set()
    await way.settle()
    way.offer(ONE)
    await way.delivery.close(1)
    assert way.statistics.delivered == 4 * ONE.events
    way.check()


@define
class RealClock(FakeClock):
    """A clock whose sleeps never end by themselves; it notes how long they should be."""

    sleeps: list[float] = field(factory=list)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await asyncio.Event().wait()


async def test_a_destination_that_is_away_is_asked_again_and_nothing_is_lost() -> None:
    way = await Way().open()
    way.exporter.failures += [ExportDelayed("The collector is away.")] * 3
    before = way.clock.trace
    for _ in range(3):
        way.offer(ONE)
    await way.settle()
    assert way.statistics.delivered == way.offered
    assert way.clock.trace - before == round((0.5 + 1 + 2) * 1e9)
    assert way.delivery.error == ""
    way.check()
    await way.delivery.close(1)
    way.check()


async def test_while_a_destination_is_away_the_error_says_how_many_wait() -> None:
    clock = RealClock()
    way = await Way(clock=clock).open()
    way.exporter.failures.append(ExportDelayed("The collector is away."))
    way.offer(ONE)
    way.offer(many_spans(5))
    await way.settle()
    assert way.delivery.error == "The collector is away.; retrying, 15 spans wait"
    assert way.statistics.pending == way.offered
    way.check()
    await way.delivery.close(1)
    assert way.statistics.delivered == way.offered  # tried again at once, for the last time
    assert way.delivery.error == ""
    way.check()


async def test_it_waits_exactly_as_long_as_it_was_asked_to_but_not_for_ever() -> None:
    clock = FakeClock()
    way = await Way(clock=clock).open()
    way.exporter.failures += [
        ExportDelayed("Busy.", retry_after_seconds=7),
        ExportDelayed("Busy.", retry_after_seconds=1e9),
    ]
    before = clock.trace
    way.offer(ONE)
    await way.settle()
    assert clock.trace - before == round((7 + MAX_ASKED_SECONDS) * 1e9)
    assert way.statistics.delivered == way.offered
    await way.delivery.close(1)


async def test_one_that_asked_for_more_time_than_there_is_is_not_asked_again_at_the_end() -> None:
    way = await Way(clock=RealClock()).open()
    way.exporter.failures.append(ExportDelayed("Busy.", retry_after_seconds=60))
    way.offer(ONE)
    way.offer(ONE)
    await way.settle()
    began = time.monotonic()
    await way.delivery.close(30)
    assert time.monotonic() - began < 10
    assert way.statistics.dropped == way.offered
    assert way.delivery.error == "Busy.; what waited when the session stopped was dropped"
    assert way.sink.closed
    way.check()


async def test_one_that_asks_for_time_while_the_session_stops_is_waited_for_if_there_is_time() -> (
    None
):
    way = await Way().open()
    way.exporter.failures += [
        ExportDelayed("Busy.", retry_after_seconds=1),
        ExportDelayed("Busy.", retry_after_seconds=100),
    ]
    way.offer(ONE)
    await way.delivery.close(10)
    assert way.exporter.failures == []
    assert way.statistics.dropped == way.offered
    way.check()


async def test_a_destination_that_stays_away_costs_bounded_memory_and_no_more_than_the_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", ONE.nbytes * 3)
    way = await Way(clock=RealClock()).open()
    away = ExportDelayed("Away.")
    way.exporter.failures += [away] * 1000
    for _ in range(10):
        way.offer(ONE)
        await way.settle()
        assert way.delivery._held_bytes <= ONE.nbytes * 3
        way.check()
    assert (way.statistics.pending, way.statistics.dropped) == (3 * ONE.events, 7 * ONE.events)
    await way.delivery.close(0.3)
    assert way.statistics.dropped == way.offered
    assert way.delivery.error == "Away.; what waited when the session stopped was dropped"
    assert way.delivery._held_bytes == 0
    way.check()


async def test_what_was_dropped_while_a_destination_was_away_is_said_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", ONE.nbytes)
    way = await Way(clock=RealClock()).open()
    way.exporter.failures.append(ExportDelayed("Away."))
    way.offer(ONE)
    await way.settle()
    way.offer(ONE)
    await way.delivery.close(5)
    assert way.delivery.error == "Away.; what did not fit into the queue meanwhile was dropped"
    assert (way.statistics.delivered, way.statistics.dropped) == (ONE.events, ONE.events)
    way.check()


async def test_what_a_destination_rejects_is_dropped_and_the_rest_delivered() -> None:
    way = await Way().open()
    way.exporter.failures.append(ExportRejected("Three are bad.", spans=3))
    way.offer(ONE)
    await way.delivery.close(1)
    assert (way.statistics.delivered_spans, way.statistics.dropped_spans) == (7, 3)
    assert way.statistics.dropped == ONE.take(slice(7, None)).events
    assert way.statistics.delivered == ONE.take(slice(7)).events
    assert way.delivery.error == "Three are bad."


async def test_an_exporter_may_say_which_events_were_rejected_and_cannot_say_too_much() -> None:
    way = await Way().open()
    way.exporter.failures += [
        ExportRejected("Some are bad.", spans=3, events=1),
        ExportRejected("All are bad, and more.", spans=11, events=10_000),
    ]
    way.offer(ONE)
    way.offer(ONE)
    await way.delivery.close(1)
    assert (way.statistics.delivered_spans, way.statistics.dropped_spans) == (7, 13)
    assert way.statistics.dropped == ONE.events + 1
    assert way.statistics.pending == way.statistics.pending_spans == 0


@pytest.mark.parametrize("hangs", [True, False])
async def test_what_had_arrived_of_a_unit_that_was_given_up_is_delivered(*, hangs: bool) -> None:
    way = await Way(clock=RealClock()).open()
    way.exporter.arrived = (7, 12)
    if hangs:
        way.exporter.gate.clear()
    way.exporter.failures.append(ExportDelayed("Busy.", retry_after_seconds=60))
    way.offer(ONE)
    await way.settle()
    await way.delivery.close(0.1)
    assert (way.statistics.delivered_spans, way.statistics.dropped_spans) == (7, 3)
    assert (way.statistics.delivered, way.statistics.dropped) == (12, ONE.events - 12)
    assert way.statistics.pending == way.statistics.pending_spans == 0


async def test_a_sink_is_closed_again_while_its_destination_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[object] = []

    async def close(_: FakeSpanSink, *, ended_ns: int | None = None) -> None:
        closed.append(ended_ns)
        if len(closed) < 3:
            raise ExportDelayed("Away.")

    monkeypatch.setattr(FakeSpanSink, "close", close)
    way = await Way().open()
    await way.delivery.close(5, ended_ns=77)
    assert closed == [77, 77, 77]
    assert way.delivery.error == ""


async def test_a_sink_whose_destination_stays_away_is_let_go_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[object] = []

    async def close(_: FakeSpanSink, *, ended_ns: int | None = None) -> None:
        closed.append(ended_ns)
        if ended_ns is not None:
            raise ExportDelayed("Away.")

    monkeypatch.setattr(FakeSpanSink, "close", close)
    way = await Way(clock=RealClock()).open()
    await way.delivery.close(0.2, ended_ns=77)
    assert closed == [77, None]
    assert way.delivery.error == "Away.; the session's own span was not delivered"


async def test_an_exporter_that_fails_drops_and_goes_on() -> None:
    way = await Way().open()
    way.exporter.failure = "The collector is down."
    way.offer(ONE)
    await way.settle()
    assert way.statistics.dropped == ONE.events
    assert way.delivery.error == "The collector is down."
    way.exporter.failure = ""
    way.offer(ONE)
    await way.delivery.close(1)
    assert way.statistics.delivered == ONE.events
    way.check()


async def test_an_exporter_with_a_fault_of_its_own_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    way = await Way().open()
    monkeypatch.setattr(FakeSpanExporter, "check", lambda _: broken())
    way.offer(ONE)
    await way.delivery.close(1)
    assert "ZeroDivisionError" in way.delivery.error
    assert way.statistics.dropped == ONE.events
    way.check()


async def test_what_had_arrived_before_an_exporter_showed_a_fault_of_its_own_is_delivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    way = await Way().open()
    way.exporter.arrived = (7, 12)
    monkeypatch.setattr(FakeSpanExporter, "check", lambda _: broken())
    way.offer(ONE)
    await way.delivery.close(1)
    assert (way.statistics.delivered_spans, way.statistics.dropped_spans) == (7, 3)
    assert (way.statistics.delivered, way.statistics.dropped) == (12, ONE.events - 12)


async def test_a_slow_exporter_is_waited_for_until_the_deadline() -> None:
    way = await Way().open()
    way.exporter.gate.clear()
    way.offer(ONE)
    closing = asyncio.create_task(way.delivery.close(10), name="close")
    await way.settle()
    assert not closing.done()
    way.exporter.gate.set()
    await closing
    assert way.statistics.delivered == ONE.events
    way.check()


async def test_an_exporter_that_hangs_keeps_nobody_longer_than_the_deadline() -> None:
    way = await Way().open()
    way.exporter.gate.clear()
    way.offer(ONE)
    await way.settle()
    way.offer(ONE)
    began = time.monotonic()
    await way.delivery.close(0.2)
    assert time.monotonic() - began < 5
    assert "too slow" in way.delivery.error
    assert way.statistics.dropped == way.offered
    assert way.sink.closed
    way.check()


async def test_a_sink_that_hangs_when_closed_or_will_not_be_cancelled_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = asyncio.Event()

    async def stubborn(_: FakeSpanSink, **_more: object) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    monkeypatch.setattr(FakeSpanSink, "close", stubborn)
    way = await Way().open()
    await asyncio.wait_for(way.delivery.close(0.1), 10)
    assert way.delivery.error == "exporter fake did not close in time"
    released.set()
    await way.settle()


async def test_a_sink_that_cannot_close_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_: FakeSpanSink, **_more: object) -> None:
        raise ExportFailed("The disk is full.")

    monkeypatch.setattr(FakeSpanSink, "close", fail)
    way = await Way().open()
    await way.delivery.close(1)
    assert way.delivery.error == "The disk is full."


async def test_what_comes_after_the_close_is_dropped() -> None:
    way = await Way().open()
    await way.delivery.close(1)
    way.offer(ONE)
    assert way.statistics.dropped == ONE.events
    way.check()
