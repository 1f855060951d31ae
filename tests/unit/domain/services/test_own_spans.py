"""A tracer's own spans are in the trace of the caller, if he keeps his, and nobody waits."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.model.sampling import SampleRate
from container_tracer.domain.model.single_span import (
    SingleSpan,
    SingleSpanKind,
    SpanLink,
    SpanStatus,
)
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.open_span import (
    OpenSpan,
    current_span,
    told_context,
)
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


def made(**how: Any) -> tuple[OwnSpans, FakeSingleSpanExporter, FakeClock]:
    exporter, clock = FakeSingleSpanExporter(), FakeClock()
    return OwnSpans(exporters=[exporter], clock=clock, **how), exporter, clock


@define
class Book:
    """Notes what it sees, in order."""

    seen: list[tuple[str, str, int]] = field(factory=list)

    def began(self, span: OpenSpan) -> None:
        self.seen.append(("began", span.name, span.started_ns))

    def ended(self, span: SingleSpan) -> None:
        self.seen.append(("ended", span.name, span.ended_ns))


async def test_a_span_is_below_its_caller_and_lasts_as_long_as_the_block() -> None:
    spans, exporter, clock = made()
    began, link = clock.wall, SpanLink(context=NOT_KEPT)
    with spans.span(
        "a", kind=SingleSpanKind.SERVER, caller=CALLER, attributes={"x": 1}, links=[link]
    ) as span:
        assert span.context.trace_id == CALLER.trace_id
        assert span.context.span_id not in (CALLER.span_id, bytes(8))
        assert (span.context.sampled, span.context.trace_state) == (True, "a=1")
        clock.advance(2)
        span.links.append(SpanLink(context=CALLER))
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
        links=(link, SpanLink(context=CALLER)),
    )
    assert spans.counts() == {"fake": SingleSpanCounts(delivered=1)}


async def test_without_a_caller_it_is_the_root_of_a_new_trace() -> None:
    spans, exporter, _ = made()
    for _ in range(2):
        with spans.span("a"):
            pass
    one, two = await recorded(spans, exporter)
    assert one.parent_span_id == two.parent_span_id == b""
    assert one.trace_id != two.trace_id


async def test_what_begins_in_a_span_is_below_it_wherever_that_runs() -> None:
    spans, exporter, _ = made()

    async def work() -> None:
        with spans.span("below"):
            await asyncio.sleep(0)

    with spans.span("above", caller=CALLER) as above:
        await asyncio.gather(work(), asyncio.create_task(work(), name="work"))
        assert current_span() is above
    assert current_span() is None
    assert told_context() is None
    *below, top = await recorded(spans, exporter)
    assert top.name == "above"
    assert [(one.name, one.trace_id, one.parent_span_id) for one in below] == [
        ("below", CALLER.trace_id, top.span_id)
    ] * 2


async def test_a_caller_elsewhere_goes_before_the_span_that_the_code_runs_in() -> None:
    spans, exporter, _ = made()
    with spans.span("connection"), spans.span("request", caller=CALLER):
        pass
    request, _ = await recorded(spans, exporter)
    assert (request.trace_id, request.parent_span_id) == (CALLER.trace_id, CALLER.span_id)


async def test_what_raises_has_failed() -> None:
    spans, exporter, _ = made()
    with pytest.raises(ValueError, match="no such node"), spans.span("a"):
        raise ValueError("no such node")
    with suppress(ValueError), spans.span("b") as span:
        span.error = ""
        raise ValueError("judged to be no failure")
    failed, judged = await recorded(spans, exporter)
    assert (failed.status, failed.status_message) == (SpanStatus.ERROR, "no such node")
    assert failed.attributes == {"error.type": "ValueError"}
    assert (judged.status, judged.attributes) == (SpanStatus.UNSET, {})


async def test_what_is_not_exported_is_a_span_all_the_same_and_never_named_as_a_parent() -> None:
    spans, exporter, _ = made()
    with spans.span("a", caller=NOT_KEPT) as span, spans.span("below") as below:
        assert (span.context.trace_id, span.context.sampled) == (NOT_KEPT.trace_id, False)
        assert span.told == below.told == told_context() == NOT_KEPT
    with spans.span("probe", exported=False) as span, spans.span("below") as below:
        assert span.told is below.told is None
    assert await recorded(spans, exporter) == []


async def test_those_asked_are_told_of_a_span_that_is_exported() -> None:
    spans, exporter, _ = made()
    with spans.span("a", caller=CALLER) as span:
        assert span.told == told_context() == span.context
        with spans.span("secret", exported=False):
            assert told_context() == span.context
    (kept,) = await recorded(spans, exporter)
    assert kept.name == "a"


async def test_a_trace_that_begins_here_is_kept_or_not_as_a_whole_and_others_are_told() -> None:
    spans, exporter, _ = made(keeps=SampleRate.of("never").keeps)
    with spans.span("a") as span, spans.span("below") as below:
        assert not below.context.sampled
        assert span.told == below.told == span.context
        assert span.told.parent_id == b""
    with spans.span("asked for", caller=CALLER):
        pass
    (kept,) = await recorded(spans, exporter)
    assert kept.name == "asked for"


async def test_without_an_exporter_callers_are_passed_on_as_they_are() -> None:
    spans = OwnSpans(clock=FakeClock())
    await spans.start()
    with spans.span("a", caller=CALLER) as span, spans.span("below"):
        assert not span.context.sampled
        assert told_context() == CALLER
    with spans.span("a"), spans.span("below"):
        assert told_context() is None
    await spans.close()
    assert spans.counts() == {}


async def test_observers_see_every_span_begin_and_end() -> None:
    book, clock = Book(), FakeClock()
    spans = OwnSpans(clock=clock, observers=[book])
    began = clock.wall
    with spans.span("a", caller=NOT_KEPT), spans.span("b"):
        clock.advance(1)
    ended = began + 10**9
    assert book.seen == [
        ("began", "a", began),
        ("began", "b", began),
        ("ended", "b", ended),
        ("ended", "a", ended),
    ]
