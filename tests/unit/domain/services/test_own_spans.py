"""A tracer's own spans are in the trace of the caller, if he keeps his, and nobody waits."""

import pytest

from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.single_span_delivery import SingleSpanCounts
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter

CALLER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="a=1")
NOT_KEPT = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, sampled=False)


async def recorded(spans: OwnSpans, exporter: FakeSingleSpanExporter) -> list[SingleSpan]:
    await spans.start()
    await spans.close()
    return exporter.spans


def made() -> tuple[OwnSpans, FakeSingleSpanExporter, FakeClock]:
    exporter, clock = FakeSingleSpanExporter(), FakeClock()
    return OwnSpans(exporters=[exporter], clock=clock), exporter, clock


async def test_a_span_is_below_its_caller_and_lasts_as_long_as_the_block() -> None:
    spans, exporter, clock = made()
    began = clock.wall
    with spans.span("a", kind=SingleSpanKind.SERVER, caller=CALLER, attributes={"x": 1}) as span:
        assert span is not None
        assert span.context.trace_id == CALLER.trace_id
        assert span.context.span_id not in (CALLER.span_id, bytes(8))
        assert (span.context.sampled, span.context.trace_state) == (True, "a=1")
        clock.advance(2)
        span.attributes["y"] = "late"
    (kept,) = await recorded(spans, exporter)
    assert kept == SingleSpan(
        name="a",
        kind=SingleSpanKind.SERVER,
        trace_id=CALLER.trace_id,
        span_id=span.context.span_id,
        parent_span_id=CALLER.span_id,
        trace_state="a=1",
        started_ns=began,
        ended_ns=began + 2 * 10**9,
        attributes={"x": 1, "y": "late"},
    )
    assert spans.counts() == {"fake": SingleSpanCounts(delivered=1)}


async def test_without_a_caller_it_is_the_root_of_a_new_trace() -> None:
    spans, exporter, _ = made()
    for _ in range(2):
        with spans.span("a", kind=SingleSpanKind.SERVER, caller=None, attributes={}):
            pass
    one, two = await recorded(spans, exporter)
    assert one.parent_span_id == two.parent_span_id == b""
    assert one.trace_id != two.trace_id


async def test_what_raises_has_failed() -> None:
    spans, exporter, _ = made()
    with (
        pytest.raises(ValueError, match="no such node"),
        spans.span("a", kind=SingleSpanKind.SERVER, caller=None, attributes={}),
    ):
        raise ValueError("no such node")
    (kept,) = await recorded(spans, exporter)
    assert kept.status_message == "no such node"


async def test_nobody_keeps_a_span_below_one_that_is_not_kept() -> None:
    spans, exporter, _ = made()
    with spans.span("a", kind=SingleSpanKind.SERVER, caller=NOT_KEPT, attributes={}) as span:
        assert span is None
    assert await recorded(spans, exporter) == []


async def test_without_an_exporter_there_are_no_spans() -> None:
    spans = OwnSpans(exporters=[], clock=FakeClock())
    await spans.start()
    with spans.span("a", kind=SingleSpanKind.SERVER, caller=CALLER, attributes={}) as span:
        assert span is None
    await spans.close()
    assert spans.counts() == {}
