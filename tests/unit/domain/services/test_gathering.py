"""Spans become units: nothing is lost or written twice, and nothing waits too long."""

import asyncio

import numpy as np
import pytest
from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st

from container_tracer.domain.model.spans import SpanBatch
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import gathering as module
from container_tracer.domain.services.delivery import Delivery
from container_tracer.domain.services.gathering import Gatherer
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.span_exporter import FakeSpanExporter, FakeSpanSink
from container_tracer.fakes.spans import many_spans
from container_tracer.ports.span_exporter import TraceContext

ALL = many_spans(60_000)


@define(eq=False)
class Kept(Delivery):
    """A delivery that only keeps what it is offered."""

    units: list[SpanBatch] = field(factory=list, kw_only=True)

    def offer(self, unit: SpanBatch) -> None:
        self.units.append(unit)


def gatherer(clock: FakeClock | None = None) -> tuple[Gatherer, list[SpanBatch]]:
    clock = clock or FakeClock()
    sink = FakeSpanSink(FakeSpanExporter(), TraceContext(session_id="1"))
    kept = Kept(name="kept", sink=sink, clock=clock, statistics=ExporterStats())
    return Gatherer(seconds=1.0, clock=clock, deliveries=[kept]), kept.units


def parts(*sizes: int) -> list[SpanBatch]:
    ends = np.cumsum(sizes).tolist()
    return [ALL.take(slice(end - size, end)) for end, size in zip(ends, sizes, strict=True)]


async def test_what_comes_within_the_time_is_one_unit() -> None:
    clock = FakeClock()
    gathers, units = gatherer(clock)
    before = clock.trace
    for part in parts(10, 20, 30):
        gathers.offer(part)
    assert units == []
    for _ in range(5):
        await asyncio.sleep(0)
    assert [len(unit) for unit in units] == [60]
    assert clock.trace - before == 10**9
    gathers.offer(parts(5)[0])
    gathers.close()
    assert [len(unit) for unit in units] == [60, 5]


async def test_enough_is_handed_on_at_once() -> None:
    gathers, units = gatherer()
    for part in parts(8_000, 8_000, 20_000):
        gathers.offer(part)
    assert [len(unit) for unit in units] == [8_192] * 4
    gathers.close()
    assert [len(unit) for unit in units] == [8_192] * 4 + [36_000 - 4 * 8_192]


async def test_parts_do_not_hold_the_whole_in_memory() -> None:
    gathers, units = gatherer()
    gathers.offer(ALL)
    gathers.close()
    assert len(units) > 1
    assert all(unit.start_ns.base is None for unit in units)


async def test_batches_with_other_tables_are_other_units() -> None:
    gathers, units = gatherer()
    for batch in (*parts(10), many_spans(3), *parts(10)):
        gathers.offer(batch)
    gathers.close()
    assert [len(unit) for unit in units] == [10, 3, 10]


async def test_after_the_close_nothing_waits_any_more() -> None:
    gathers, units = gatherer()
    gathers.close()
    for part in parts(10, 20):
        gathers.offer(part)
    assert [len(unit) for unit in units] == [10, 20]


@settings(deadline=None)  # it is about what becomes of spans, not how fast
@given(sizes=st.lists(st.integers(0, 9_000), max_size=6))
def test_every_span_is_in_one_unit_in_order(sizes: list[int]) -> None:
    async def gather() -> list[SpanBatch]:
        gathers, units = gatherer()
        for part in parts(*sizes):
            gathers.offer(part)
        gathers.close()
        return units

    units = asyncio.run(gather())
    assert max(map(len, units), default=0) <= module.UNIT_SPANS
    starts = np.concatenate([np.empty(0, np.int64), *(unit.start_ns for unit in units)])
    assert starts.tolist() == ALL.start_ns[: sum(sizes)].tolist()


async def test_a_full_unit_needs_no_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNIT_SPANS", 10)
    gathers, units = gatherer()
    (part,) = parts(10)
    gathers.offer(part)
    assert units == [part]


async def test_what_comes_while_a_unit_is_handed_on_has_a_time_of_its_own() -> None:
    gathers, _ = gatherer()
    first, second = parts(10, 20)

    class Answering(list[SpanBatch]):
        def append(self, unit: SpanBatch) -> None:
            super().append(unit)
            if len(self) == 1:
                gathers.offer(second)

    (kept,) = gathers.deliveries
    seen = Answering()
    kept.units = seen  # type: ignore[attr-defined]
    gathers.offer(first)
    for _ in range(9):
        await asyncio.sleep(0)
    assert [len(unit) for unit in seen] == [10, 20]
