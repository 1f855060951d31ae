"""Each change of a node is a span below the one that asks for it, and the node is told of it."""

import pytest

from container_tracer.domain.model.nodes import Node
from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind
from container_tracer.domain.model.trace_context import SpanContext, read_span_context
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.domain.services.traced_nodes import TracedNodeClient
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.node_client import FakeNodeClient
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import NodeUnreachable
from container_tracer.ports.node_client import NodeAnswer, NodeRequest

NODE = Node(name="worker-1", host="fd00::1", port=8080)
CALLER = SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, trace_state="a=1")


async def ask(
    caller: SpanContext | None,
    *,
    method: str = "POST",
    answer: NodeAnswer | NodeUnreachable | None = None,
) -> tuple[SpanContext | None, list[SingleSpan]]:
    """Return what the node was told, and the spans there are then."""
    client, exporter = FakeNodeClient(), FakeSingleSpanExporter()
    client.answers["worker-1"] = answer or NodeAnswer(status=201)
    spans = OwnSpans(exporters=[exporter], clock=FakeClock())
    traced = TracedNodeClient(client=client, spans=spans)
    headers = {"X-Request-ID": "7", **(caller.headers if caller else {})}
    request = NodeRequest(method=method, target="/v1/trace-session?a=b", headers=headers)
    try:
        await traced.ask(NODE, request, seconds=1)
    except NodeUnreachable:
        assert isinstance(answer, NodeUnreachable)
    ((_, told),) = client.asked
    assert told.headers["X-Request-ID"] == "7"
    await spans.start()
    await spans.close()
    found = read_span_context(lambda name: [told.headers[name]] if name in told.headers else [])
    return found, exporter.spans


async def test_a_node_is_told_of_the_span_that_asks_it() -> None:
    told, (span,) = await ask(CALLER)
    assert told is not None
    assert (told.trace_id, told.span_id) == (span.trace_id, span.span_id)
    assert (span.trace_id, span.parent_span_id) == (CALLER.trace_id, CALLER.span_id)
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
    }


async def test_a_node_that_fails_makes_a_span_that_says_so() -> None:
    _, (span,) = await ask(CALLER, answer=NodeUnreachable("refuses connections"))
    assert span.status_message == "refuses connections"
    _, (span,) = await ask(CALLER, answer=NodeAnswer(status=503))
    assert span.status_message == "the node answered 503"


@pytest.mark.parametrize(
    ("caller", "method"),
    [
        (None, "POST"),
        (CALLER, "GET"),
        (SpanContext(trace_id=b"\1" * 16, span_id=b"\2" * 8, sampled=False), "DELETE"),
    ],
)
async def test_what_only_asks_or_is_in_no_trace_that_is_kept_goes_on_as_it_is(
    caller: SpanContext | None, method: str
) -> None:
    assert await ask(caller, method=method) == (caller, [])


async def test_closing_closes_the_connections() -> None:
    client = FakeNodeClient()
    await TracedNodeClient(client=client, spans=OwnSpans(exporters=[], clock=FakeClock())).close()
    assert client.closed
