"""Every request to a node is a span below its caller's, and no header about traces is an error."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from container_tracer.client import TracerClient
from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.entrypoints.rest.gate import Gate
from container_tracer.entrypoints.rest.logs import set_up_logs
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import TracingUnavailable
from tests.unit.entrypoints.conftest import Node, node_behind

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CALLER = SpanContext(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN))
W3C = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
NAMES = ("traceparent", "tracestate", *CALLER.headers, "X-B3-Flags", "X-B3-ParentSpanId")
WANTED = {"pod": "*", "trace-hook": "trace_syscalls"}


@pytest.fixture
def exporter() -> FakeSingleSpanExporter:
    return FakeSingleSpanExporter()


@pytest.fixture
async def traced(exporter: FakeSingleSpanExporter) -> AsyncIterator[Node]:
    """A node that exports its own spans."""
    spans = OwnSpans(clock=FakeClock(), exporters=[exporter])
    async with node_behind(Gate(), spans) as node:
        await spans.start()
        yield node
        await spans.close()


async def recorded(node: Node, exporter: FakeSingleSpanExporter) -> list[SingleSpan]:
    await node.app.ctx.spans.close()
    return exporter.spans


async def raw(node: Node, head: bytes) -> bytes:
    """Send a request as it is, and return the first line of its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"GET /v1/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + head + b"\r\n")
    try:
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()


async def test_sessions_are_below_the_request_that_comes_with_a_trace(
    traced: Node, exporter: FakeSingleSpanExporter
) -> None:
    made = await traced.ask("POST", "/v1/trace-session", json=WANTED, headers=W3C)
    (session_id,) = made.json
    path = f"/v1/trace-session/{session_id}"
    assert (await traced.ask("PUT", path, json={"Run": True}, headers=W3C)).status == 200
    assert (await traced.ask("PUT", path, json={"Run": True})).status == 200
    made_by, started_by, alone = await recorded(traced, exporter)
    assert (made_by.trace_id, made_by.parent_span_id) == (CALLER.trace_id, CALLER.span_id)
    assert made_by.kind is SingleSpanKind.SERVER
    assert made_by.attributes["container_tracer.session"] == session_id
    asked = traced.sessions.asked[-1].caller
    assert asked == SpanContext(trace_id=CALLER.trace_id, span_id=made_by.span_id)
    assert traced.sessions.callers == [
        SpanContext(trace_id=CALLER.trace_id, span_id=started_by.span_id),
        None,
    ]
    assert (alone.name, alone.parent_span_id) == ("PUT /v1/trace-session/{session_id}", b"")


async def test_what_fails_here_is_an_error_and_what_a_client_does_wrong_is_none(
    traced: Node, exporter: FakeSingleSpanExporter
) -> None:
    traced.sessions.failure = TracingUnavailable("There is no tracefs.")
    assert (await traced.create()).status == 503
    assert (await traced.send("POST", "/v1/trace-session", "{")).status == 400
    failed, wrong = await recorded(traced, exporter)
    assert (failed.status_message, failed.attributes["error.type"]) == (
        "There is no tracefs.",
        "503",
    )
    assert (wrong.status_message, wrong.attributes["http.response.status_code"]) == ("", 400)


async def test_the_client_says_what_span_it_is_run_in(
    traced: Node, exporter: FakeSingleSpanExporter
) -> None:
    url = f"http://127.0.0.1:{traced.port}"
    async with TracerClient(url, trace_context=W3C) as tracer:
        await tracer.pods()
    (span,) = await recorded(traced, exporter)
    assert (span.trace_id, span.parent_span_id) == (CALLER.trace_id, CALLER.span_id)


@pytest.mark.usefixtures("logs_left_as_found")
async def test_every_log_line_of_a_request_bears_its_trace_also_if_nobody_keeps_it(
    node: Any,
) -> None:
    set_up_logs(stream=(stream := StringIO()))
    await node.ask("GET", "/v1/pods", headers={"b3": f"{TRACE}-{SPAN}-0"})
    await node.ask("GET", "/v1/pods")
    kept, other = (json.loads(line) for line in stream.getvalue().splitlines())
    assert kept["event"] == other["event"] == "request.answered"
    assert kept["trace_id"] == TRACE
    assert kept["span_id"] != SPAN
    assert other["trace_id"] not in (TRACE, "")
    assert re.fullmatch(r"[0-9a-f]{32} [0-9a-f]{16}", f"{other['trace_id']} {other['span_id']}")


async def test_a_context_that_cannot_be_read_changes_the_answer_of_no_route(
    traced: Node, exporter: FakeSingleSpanExporter
) -> None:
    malformed = {"X-B3-TraceId": "f" * 33, "X-B3-SpanId": "f" * 17, "X-B3-Sampled": "d"}
    bodies: dict[str, Any] = {"POST": WANTED, "PUT": {"Run": True}}
    for route in traced.app.router.routes:
        path = "/" + route.path.replace("<session_id:str>", "7")
        for method in route.methods - {"HEAD"}:
            plain = await traced.ask(method, path, json=bodies.get(method))
            strange = await traced.ask(method, path, json=bodies.get(method), headers=malformed)
            assert strange.status == plain.status, (method, path)
    assert {one.parent_span_id for one in await recorded(traced, exporter)} == {b""}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example([("X-B3-TraceId", b"f" * 33), ("X-B3-SpanId", b"0f")])
@example([("X-B3-TraceId", b"0f"), ("X-B3-SpanId", b"f" * 17), ("X-B3-Sampled", b"d")])
@example([("X-B3-TraceId", b""), ("X-B3-SpanId", b""), ("X-B3-Flags", b"d")])
@example([("b3", b"d"), ("b3", b"d")])
@example([("traceparent", W3C["traceparent"].encode())] * 2)
@example([("traceparent", b"\xff\xfe"), ("tracestate", b"\xc3\xa9=\x80")])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.binary(max_size=60) | st.from_regex(rb"[0-9a-fdA-F-]{0,70}", fullmatch=True),
        ),
        max_size=5,
    )
)
async def test_whatever_headers_say_of_traces_the_request_is_answered(
    traced: Node, exporter: FakeSingleSpanExporter, headers: list[tuple[str, bytes]]
) -> None:
    lines = [(name, re.sub(rb"[\0\r\n]", b"", value)) for name, value in headers]
    head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in lines)
    assert (await raw(traced, head)).startswith(b"HTTP/1.1 200 "), lines
    for span in exporter.spans:
        assert (len(span.trace_id), len(span.span_id)) == (16, 8)
        assert span.trace_state.isascii()
