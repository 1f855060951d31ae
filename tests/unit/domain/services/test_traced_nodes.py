"""Each request to a node is a span below the one that it is sent in, and the node is told of it."""

import asyncio
from contextlib import suppress

import pytest

from container_tracer.domain.model.nodes import Node
from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext, read_span_context
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.traced_nodes import TracedNodeClient
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_client import FakeNodeClient, FakeNodeStream
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

NODE = Node(name="worker-1", host="fd00::1", port=8080)
CALLER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="a=1")
NOT_KEPT = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, sampled=False)


def traced(
    answer: NodeAnswer | NodeUnreachable, *, exported: bool = True
) -> tuple[TracedNodeClient, FakeNodeClient, FakeSingleSpanExporter]:
    client, exporter = FakeNodeClient(), FakeSingleSpanExporter()
    client.answers["worker-1"] = answer
    spans = OwnSpans(exporters=[exporter] if exported else [], clock=FakeClock())
    return TracedNodeClient(client=client, spans=spans), client, exporter


def heard(client: FakeNodeClient) -> SpanContext | None:
    """Return what the node was told by a request that has all else, too."""
    ((_, told),) = client.asked
    assert told.headers["X-Request-ID"] == "7"
    return read_span_context(lambda name: [told.headers[name]] if name in told.headers else [])


async def recorded(client: TracedNodeClient, exporter: FakeSingleSpanExporter) -> list[SingleSpan]:
    await client.spans.start()
    await client.spans.close()
    return exporter.spans


async def ask(
    caller: SpanContext | None,
    *,
    method: str = "POST",
    answer: NodeAnswer | NodeUnreachable | None = None,
    exported: bool = True,
) -> tuple[SpanContext | None, list[SingleSpan]]:
    """Return what the node was told, and the spans there are then but for that of the request."""
    client, asked, exporter = traced(answer or NodeAnswer(status=201), exported=exported)
    request = NodeRequest(
        method=method, target="/v1/trace-session?a=b", headers={"X-Request-ID": "7"}
    )
    with client.spans.span("request", caller=caller), suppress(NodeUnreachable):
        await client.ask(NODE, request, seconds=1)
    found = await recorded(client, exporter)
    return heard(asked), [one for one in found if one.name != "request"]


async def test_a_node_is_told_of_the_span_that_asks_it() -> None:
    told, (span,) = await ask(CALLER)
    assert told is not None
    assert (told.trace_id, told.span_id) == (span.trace_id, span.span_id)
    assert (span.trace_id, bool(span.parent_span_id)) == (CALLER.trace_id, True)
    assert told.trace_state == "a=1"
    assert (span.name, span.kind, span.status_message) == (
        "POST tracer-node",
        SingleSpanKind.CLIENT,
        "",
    )
    assert span.attributes == {
        "http.request.method": "POST",
        "url.path": "/v1/trace-session",
        "server.address": "fd00::1",
        "server.port": 8080,
        "k8s.node.name": "worker-1",
        "http.response.status_code": 201,
        "http.response.body.size": 0,
    }


async def test_a_node_that_fails_makes_a_span_that_says_so() -> None:
    _, (span,) = await ask(CALLER, answer=NodeUnreachable("refuses connections"))
    assert span.status_message == "refuses connections"
    _, (span,) = await ask(CALLER, answer=NodeAnswer(status=503))
    assert span.status_message == "the node answered 503"


@pytest.mark.parametrize("caller", [None, NOT_KEPT, CALLER])
async def test_what_nobody_keeps_goes_on_as_it_came(caller: SpanContext | None) -> None:
    assert await ask(caller, exported=False) == (caller, [])


async def test_a_stream_is_a_span_until_whoever_listens_has_heard_enough() -> None:
    client, asked, exporter = traced(NodeAnswer(status=200))
    asked.streams[NODE.name] = FakeNodeStream()
    listening = asyncio.Event()

    async def listen() -> None:
        request = NodeRequest(method="GET", target="/events", headers={"X-Request-ID": "7"})
        async with client.stream(NODE, request, seconds=1, silence_seconds=1):
            listening.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(listen(), name="listen")
    await listening.wait()
    assert exporter.spans == []
    task.cancel()
    await asyncio.wait([task])
    (span,) = await recorded(client, exporter)
    assert heard(asked) == SpanContext(trace_id=span.trace_id, span_id=span.span_id)
    assert (span.name, span.status_message) == ("GET tracer-node", "")
    assert span.attributes["http.response.status_code"] == 200


async def test_closing_closes_the_connections() -> None:
    client = FakeNodeClient()
    await TracedNodeClient(client=client, spans=OwnSpans(clock=FakeClock())).close()
    assert client.closed
