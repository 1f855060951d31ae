import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, TypeAlias

import pytest
from attrs import evolve, frozen
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from container_tracer.adapters.console.single_spans import ConsoleSingleSpanExporter
from container_tracer.adapters.jaeger.agent import AgentAddress
from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.single_spans import JaegerSingleSpanExporter
from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.single_spans import OtlpSingleSpanExporter
from container_tracer.domain.model.single_span import SingleSpan, SingleSpanKind, SpanStatus
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.fakes.http_collector import Answer
from container_tracer.fakes.jaeger_agent import FakeJaegerAgent
from container_tracer.fakes.jaeger_collector import CollectedSpan, FakeJaegerCollector
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.fakes.spans import NOON_NS
from container_tracer.ports.errors import ExportDelayed, ExportFailed, ExportRejected
from container_tracer.ports.single_span_exporter import SingleSpanExporter
from tests.collectors import Received, Reply, attributes, grpc_collector, http_collector

RESOURCE = ServiceResource(service_name="svc", service_version="1", host_name="h")
ROOT = SingleSpan(
    name="POST /v1/trace-session",
    kind=SingleSpanKind.SERVER,
    trace_id=bytes(range(16)),
    span_id=b"\xff" * 8,
    started_ns=NOON_NS,
    ended_ns=NOON_NS + 5_000,
    attributes={"http.request.method": "POST", "http.response.status_code": 201},
)
CHILD = SingleSpan(
    name="POST\ud8ff tracer-node",
    kind=SingleSpanKind.CLIENT,
    trace_id=ROOT.trace_id,
    span_id=bytes(7) + b"\1",
    parent_span_id=ROOT.span_id,
    started_ns=NOON_NS + 1_000,
    ended_ns=NOON_NS + 4_000,
    status=SpanStatus.ERROR,
    status_message="refuses connections",
)
INSIDE = evolve(ROOT, kind=SingleSpanKind.INTERNAL, span_id=bytes(7) + b"\2", attributes={})


@frozen
class Destination:
    """An exporter, how to look at what arrived, and whether it says who sent it."""

    exporter: SingleSpanExporter
    arrived: Callable[[], list[SingleSpan]]
    services: Callable[[], set[str]] = lambda: {"svc"}


Make: TypeAlias = Callable[[AsyncExitStack], Awaitable[Destination]]


async def fake(_: AsyncExitStack) -> Destination:
    exporter = FakeSingleSpanExporter()
    return Destination(exporter, lambda: [readable(one) for one in exporter.spans])


async def console(_: AsyncExitStack) -> Destination:
    stream = io.StringIO()
    return Destination(
        ConsoleSingleSpanExporter(stream),
        lambda: [from_line(json.loads(line)) for line in stream.getvalue().splitlines()],
    )


async def jaeger(stack: AsyncExitStack) -> Destination:
    collector = await stack.enter_async_context(FakeJaegerCollector())
    exporter = JaegerSingleSpanExporter(
        address=CollectorAddress(url=collector.endpoint), resource=RESOURCE
    )
    return Destination(
        exporter,
        lambda: [from_thrift(one) for one in collector.spans],
        lambda: {one.service for one in collector.spans},
    )


async def jaeger_agent(stack: AsyncExitStack) -> Destination:
    agent = await stack.enter_async_context(FakeJaegerAgent())
    exporter = JaegerSingleSpanExporter(
        address=AgentAddress(host=agent.host, port=agent.port), resource=RESOURCE
    )
    return Destination(
        exporter,
        lambda: [from_thrift(one) for one in agent.spans],
        lambda: {one.service for one in agent.spans},
    )


def otlp(
    protocol: OtlpProtocol, collector: Callable[[Received], AbstractAsyncContextManager[str]]
) -> Make:
    async def make(stack: AsyncExitStack) -> Destination:
        received = Received()
        url = await stack.enter_async_context(collector(received))
        settings = OtlpSettings(endpoint=f"{url}/", protocol=protocol)
        return Destination(
            OtlpSingleSpanExporter(settings=settings, resource=RESOURCE),
            lambda: [from_otlp(span) for _, span in received.spans()],
            lambda: {resource["service.name"] for resource, _ in received.spans()},
        )

    return make


def readable(span: SingleSpan) -> SingleSpan:
    """Show a span as one reads it whose text must be Unicode."""
    return evolve(span, name=span.name.replace("\ud8ff", r"\ud8ff"))


def ended(error: str) -> dict[str, Any]:
    return {"status": SpanStatus.ERROR, "status_message": error} if error else {}


def from_line(line: dict[str, Any]) -> SingleSpan:
    assert set(line) - {"parent_span_id", "error"} == {
        *("time", "start_ns", "duration_ns", "name", "kind", "trace_id", "span_id", "attributes")
    }
    assert line["time"].startswith("20")
    return SingleSpan(
        name=line["name"],
        kind=SingleSpanKind(line["kind"]),
        trace_id=bytes.fromhex(line["trace_id"]),
        span_id=bytes.fromhex(line["span_id"]),
        parent_span_id=bytes.fromhex(line.get("parent_span_id", "")),
        started_ns=line["start_ns"],
        ended_ns=line["start_ns"] + line["duration_ns"],
        attributes=line["attributes"],
        **ended(line.get("error", "")),
    )


def from_thrift(span: CollectedSpan) -> SingleSpan:
    error = str(span.tags.get("otel.status_description", ""))
    assert ("error" in span.tags) == bool(error)
    return SingleSpan(
        name=span.name,
        kind=SingleSpanKind(str(span.tags["span.kind"])),
        trace_id=span.trace_id.to_bytes(16, "big"),
        span_id=span.span_id.to_bytes(8, "big"),
        parent_span_id=span.parent_id.to_bytes(8, "big") if span.parent_id else b"",
        started_ns=span.start_us * 1_000,
        ended_ns=(span.start_us + span.duration_us) * 1_000,
        attributes={name: value for name, value in span.tags.items() if name.startswith("http.")},
        **ended(error),
    )


def from_otlp(span: Span) -> SingleSpan:
    kinds = {1: SingleSpanKind.INTERNAL, 2: SingleSpanKind.SERVER, 3: SingleSpanKind.CLIENT}
    assert (span.status.code == span.status.STATUS_CODE_ERROR) == bool(span.status.message)
    return SingleSpan(
        name=span.name,
        kind=kinds[span.kind],
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        trace_state=span.trace_state,
        started_ns=span.start_time_unix_nano,
        ended_ns=span.end_time_unix_nano,
        attributes=attributes(span.attributes),
        **ended(span.status.message),
    )


@pytest.fixture(
    params=[
        pytest.param(fake, id="fake"),
        pytest.param(console, id="console"),
        pytest.param(jaeger, id="jaeger"),
        pytest.param(jaeger_agent, id="jaeger agent"),
        pytest.param(otlp("http/protobuf", http_collector), id="otlp over http"),
        pytest.param(otlp("grpc", grpc_collector), id="otlp over grpc"),
    ]
)
async def destination(request: pytest.FixtureRequest) -> AsyncIterator[Destination]:
    async with AsyncExitStack() as stack:
        made: Destination = await request.param(stack)
        yield made
        await made.exporter.close()


class TestSingleSpanExporter:
    async def test_every_span_has_arrived_as_it_is_when_send_returns(
        self, destination: Destination
    ) -> None:
        for spans in ([ROOT, CHILD], [INSIDE]):
            await destination.exporter.send(spans)
        assert destination.arrived() == [readable(one) for one in (ROOT, CHILD, INSIDE)]

    async def test_a_span_says_who_made_it(self, destination: Destination) -> None:
        await destination.exporter.send([ROOT])
        assert destination.services() == {"svc"}

    async def test_it_may_be_used_again_after_it_was_closed_and_closed_twice(
        self, destination: Destination
    ) -> None:
        await destination.exporter.close()
        await destination.exporter.send([ROOT])
        await destination.exporter.close()
        await destination.exporter.close()
        assert len(destination.arrived()) == 1

    async def test_it_has_a_name(self, destination: Destination) -> None:
        assert destination.exporter.name


async def sent(collector: FakeJaegerCollector, spans: Sequence[SingleSpan] = (ROOT,)) -> None:
    address = CollectorAddress(url=collector.endpoint)
    exporter = JaegerSingleSpanExporter(address=address, resource=RESOURCE)
    try:
        await exporter.send(spans)
    finally:
        await exporter.close()


async def test_a_jaeger_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() -> None:
    async with FakeJaegerCollector(answer=Answer(status=503)) as collector:
        with pytest.raises(ExportDelayed):
            await sent(collector)
        collector.answer = Answer(status=400)
        with pytest.raises(ExportFailed, match="400") as refused:
            await sent(collector)
    assert not isinstance(refused.value, ExportDelayed)


@pytest.mark.parametrize(
    ("reply", "kind", "refused"),
    [
        (Reply("busy"), ExportDelayed, 0),
        (Reply("refuse", message="no"), ExportFailed, 0),
        (Reply("partial", 1, "one is too old"), ExportRejected, 1),
        (Reply("partial", 9), ExportRejected, 2),
    ],
)
async def test_what_an_otlp_collector_does_not_take_is_told(
    reply: Reply, kind: type[ExportFailed], refused: int
) -> None:
    received = Received()
    received.replies.append(reply)
    async with http_collector(received) as url:
        settings = OtlpSettings(endpoint=f"{url}/")
        exporter = OtlpSingleSpanExporter(settings=settings, resource=RESOURCE)
        with pytest.raises(kind) as caught:
            await exporter.send([ROOT, CHILD])
        await exporter.close()
    assert type(caught.value) is kind
    assert getattr(caught.value, "spans", 0) == refused


async def test_an_otlp_span_carries_along_what_other_systems_want() -> None:
    received = Received()
    async with http_collector(received) as url:
        exporter = OtlpSingleSpanExporter(
            settings=OtlpSettings(endpoint=f"{url}/"), resource=RESOURCE
        )
        await exporter.send([evolve(ROOT, trace_state="a=1")])
        await exporter.close()
    assert [span.trace_state for _, span in received.spans()] == ["a=1"]
