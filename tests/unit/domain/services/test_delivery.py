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
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.domain.services.delivery import Delivery
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.span_exporter import FakeSpanExporter, FakeSpanSink
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import ExportFailed
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
    delivery: Delivery = field(init=False)
    sink: FakeSpanSink = field(init=False)

    async def open(self) -> "Way":
        self.sink = await self.exporter.open(CONTEXT)
        self.delivery = Delivery(
            name="fake", sink=self.sink, clock=self.clock, statistics=self.statistics
        )
        self.delivery.start()
        return self

    def offer(self, batch: SpanBatch) -> None:
        self.delivery.offer(batch)
        self.offered += batch.events

    def check(self) -> None:
        counts = self.statistics
        assert counts.delivered + counts.dropped + counts.pending == self.offered
        assert counts.delivered == sum(batch.events for batch in self.exporter.batches)
        assert counts.delivered_spans == sum(map(len, self.exporter.batches))

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_what_is_offered_is_delivered_together() -> None:
    way = await Way().open()
    for _ in range(3):
        way.offer(ONE)
    way.check()
    assert way.statistics.pending == way.offered
    await way.settle()
    assert [len(batch) for batch in way.exporter.batches] == [30]
    way.check()
    await way.delivery.close(1)
    assert way.sink.closed
    assert way.statistics.delivered == way.offered


async def test_batches_with_other_tables_are_written_apart() -> None:
    way = await Way().open()
    for batch in (ONE, many_spans(3), ONE):
        way.offer(batch)
    await way.delivery.close(1)
    assert [len(batch) for batch in way.exporter.batches] == [10, 3, 10]
    way.check()


async def test_many_at_once_are_written_in_parts_and_without_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WRITE_BYTES", ONE.nbytes * 2)
    way = await Way().open()
    before = way.clock.trace
    for _ in range(5):
        way.offer(ONE)
    await way.settle()
    assert [len(batch) for batch in way.exporter.batches] == [20, 20, 10]
    assert way.clock.trace - before == round(module.GATHER_SECONDS * 1e9)  # for the last one
    await way.delivery.close(1)


async def test_one_large_batch_is_written_in_parts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WRITE_BYTES", ONE.nbytes)
    way = await Way().open()
    way.offer(many_spans(35))
    way.check()
    await way.delivery.close(1)
    assert [len(batch) for batch in way.exporter.batches] == [10, 10, 10, 5]
    assert way.statistics.delivered == way.offered
    way.check()


async def test_what_does_not_fit_into_the_queue_is_dropped_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "QUEUE_BYTES", ONE.nbytes * 3)
    way = await Way().open()
    way.exporter.gate.clear()
    for _ in range(7):
        way.offer(ONE)
    assert (way.statistics.dropped, way.statistics.dropped_spans) == (4 * ONE.events, 40)
    way.check()
    way.exporter.gate.set()
    await way.settle()
    way.offer(ONE)
    await way.delivery.close(1)
    assert way.statistics.delivered == 4 * ONE.events
    way.check()


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

    async def stubborn(_: FakeSpanSink) -> None:
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
    async def fail(_: FakeSpanSink) -> None:
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


async def test_of_several_exporters_one_that_cannot_open_closes_the_others() -> None:
    good, bad = FakeSpanExporter("good"), FakeSpanExporter("bad", failure="No disk.")
    statistics: dict[str, ExporterStats] = {}
    opening = Deliveries.open(
        {"good": good, "bad": bad}, CONTEXT, clock=FakeClock(), statistics=statistics
    )
    with pytest.raises(ExportFailed, match=r"No disk\."):
        await opening
    assert [sink.closed for sink in good.sinks] == [True]
    assert bad.sinks == []


async def test_several_exporters_get_the_same_and_are_counted_apart() -> None:
    exporters = {name: FakeSpanExporter(name) for name in ("one", "two")}
    statistics: dict[str, ExporterStats] = {}
    ways = await Deliveries.open(exporters, CONTEXT, clock=FakeClock(), statistics=statistics)
    assert ways.outputs == ("one:1", "two:1")
    exporters["two"].failure = "Down."
    ways.offer(ONE)
    await ways.close()
    assert (statistics["one"].delivered, statistics["two"].dropped) == (ONE.events,) * 2
    assert ways.errors == ("Down.",)
