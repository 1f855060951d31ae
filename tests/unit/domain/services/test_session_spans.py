"""What happens to a session is a span, apart from the session's own, and linked to it."""

from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.open_span import current_span
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.session_spans import SessionSpans
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import TracingUnavailable

CALLER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8)


def parents(spans: list[SingleSpan]) -> dict[str, str]:
    """Name what each span is below."""
    names = {one.span_id: one.name for one in spans}
    return {one.name: names.get(one.parent_span_id, "") for one in spans}


async def test_to_start_and_to_stop_a_session_is_a_span_with_all_that_this_takes(
    world: Any,
) -> None:
    world.container("web", 100)
    with world.own_spans.span("request"):
        session = await world.sessions.create(world.request())
    assert parents(world.seen.over) == {
        "request": "",
        "discovery": "request",
        "session start": "request",
        "source open": "session start",
    }
    (start,) = world.seen.named("session start")
    about = {
        "container_tracer.session": session.session_id,
        "container_tracer.hook": "trace_syscalls",
        "container_tracer.containers": 1,
    }
    assert start.attributes == about
    own = world.exporter.sinks[0].context.trace
    assert [(one.context.trace_id, one.context.span_id) for one in start.links] == [
        (own.trace_id, own.span_id)
    ]

    world.seen.over.clear()
    with world.own_spans.span("request"):
        await world.sessions.stop(session.session_id)
        await world.sessions.close()
    found = parents(world.seen.over)
    assert found.pop("drain") == "session stop"
    assert found == {"request": "", "session stop": "request", "source close": "session stop"}
    (stop,) = world.seen.named("session stop")
    assert stop.attributes == {**about, "container_tracer.reason": "stopped by request"}
    assert stop.links == start.links


async def test_each_attempt_to_export_is_a_span_of_its_own_trace(world: Any) -> None:
    world.container("web", 100)
    with world.own_spans.span("request") as request:
        session = await world.sessions.create(world.request())
    world.call(100)
    await world.sessions.stop(session.session_id)
    (export,) = world.seen.named("export fake")
    assert export.trace_id != request.context.trace_id
    assert export.attributes == {
        "container_tracer.exporter": "fake",
        "container_tracer.spans": 1,
        "container_tracer.events": 2,
    }
    (link,) = export.links
    assert link.context.trace_id == session.trace_id


async def test_a_session_that_ends_by_itself_ends_in_no_request(world: Any) -> None:
    world.container("web", 100)
    with world.own_spans.span("request"):
        session = await world.sessions.create(evolve(world.request(), duration_ns=10**9))
    await world.until(lambda: not session.running)
    (stop,) = world.seen.named("session stop")
    assert stop.parent_span_id == b""
    assert stop.attributes["container_tracer.reason"] == "its duration of 1 s is over"


async def test_a_start_that_fails_is_a_span_that_says_why(world: Any) -> None:
    world.container("web", 100)
    world.kernel.failures["open_source"] = TracingUnavailable("No tracefs.")
    with pytest.raises(TracingUnavailable):
        await world.sessions.create(world.request())
    failed = {one.name: one.status_message for one in world.seen.over if one.status_message}
    assert failed == {"source open": "No tracefs.", "session start": "No tracefs."}


async def test_below_the_start_is_the_session_of_a_caller_and_of_nobody_else(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request(run=False))
    spans = OwnSpans(clock=world.clock, exporters=[FakeSingleSpanExporter()])
    with spans.span("request", caller=CALLER):
        with SessionSpans(spans).starting(session, None):
            assert session.caller is None
        with SessionSpans(spans).starting(session, CALLER):
            start = current_span()
            assert start is not None
            assert session.caller == start.context
    with SessionSpans(OwnSpans(clock=world.clock)).starting(session, CALLER):
        assert session.caller == CALLER
