"""All ways out of a session: the same for each, and independent of each other."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import gathering
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.span_exporter import FakeSpanExporter
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.errors import ExportFailed
from container_tracer.ports.span_exporter import TraceContext

CONTEXT = TraceContext(session_id="1")
ONE = many_spans(10)


@pytest.fixture(autouse=True)
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield list(captured)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


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


async def test_the_sinks_learn_when_the_run_ended() -> None:
    exporter = FakeSpanExporter()
    ways = await Deliveries.open({"fake": exporter}, CONTEXT, clock=FakeClock(), statistics={})
    await ways.close(ended_ns=5)
    assert [sink.ended_ns for sink in exporter.sinks] == [5]


async def test_what_gathers_is_pending_for_each() -> None:
    exporters = {name: FakeSpanExporter(name) for name in ("one", "two")}
    statistics: dict[str, ExporterStats] = {}
    ways = await Deliveries.open(exporters, CONTEXT, clock=FakeClock(), statistics=statistics)
    ways.offer(ONE)
    assert [one.pending for one in statistics.values()] == [ONE.events] * 2
    assert [one.pending_spans for one in statistics.values()] == [10] * 2
    await settle()
    assert [one.delivered for one in statistics.values()] == [ONE.events] * 2
    await ways.close()


async def test_those_that_gather_equally_long_get_the_same_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "UNIT_SPANS", 25)
    exporters = {
        "quick": FakeSpanExporter("quick", gather_seconds=0.1),
        "otlp": FakeSpanExporter("otlp", gather_seconds=1),
        "jaeger": FakeSpanExporter("jaeger", gather_seconds=1),
    }
    ways = await Deliveries.open(exporters, CONTEXT, clock=FakeClock(), statistics={})
    exporters["jaeger"].gate.clear()
    for _ in range(7):
        ways.offer(ONE)
    exporters["jaeger"].gate.set()
    await ways.close()
    sizes = {name: [len(unit) for unit in one.batches] for name, one in exporters.items()}
    assert sizes == {"quick": [25, 25, 20], "otlp": [25, 25, 20], "jaeger": [25, 25, 20]}
    pairs = zip(exporters["otlp"].batches, exporters["jaeger"].batches, strict=True)
    assert all(one is other for one, other in pairs)


async def test_one_that_hangs_delays_nobody_else() -> None:
    exporters = {name: FakeSpanExporter(name) for name in ("good", "stuck")}
    statistics: dict[str, ExporterStats] = {}
    ways = await Deliveries.open(exporters, CONTEXT, clock=FakeClock(), statistics=statistics)
    exporters["stuck"].gate.clear()
    for _ in range(5):
        ways.offer(ONE)
        await settle()
    assert statistics["good"].delivered == 5 * ONE.events
    assert statistics["stuck"].pending == 5 * ONE.events
    exporters["stuck"].gate.set()
    await ways.close()
    assert statistics["stuck"].delivered == 5 * ONE.events
