import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from attrs import frozen

from container_tracer.adapters.console.span_exporter import ConsoleSpanExporter
from container_tracer.adapters.files.file_format import FileFormat
from container_tracer.adapters.files.span_exporter import FileSpanExporter
from container_tracer.adapters.jaeger.agent import AgentAddress
from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.sender import JaegerAddress
from container_tracer.adapters.jaeger.span_exporter import JaegerSpanExporter
from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.span_exporter import OtlpSpanExporter
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.spans import SpanBatch
from container_tracer.fakes.jaeger_agent import FakeJaegerAgent
from container_tracer.fakes.jaeger_collector import CollectedSpan, FakeJaegerCollector
from container_tracer.fakes.span_exporter import FakeSpanExporter
from container_tracer.fakes.spans import FakeSpan, awkward_batch, many_spans, span_batch
from container_tracer.ports.errors import ExportFailed
from container_tracer.ports.span_exporter import SpanExporter, SpanSink, TraceContext
from tests.collectors import Received, attributes, grpc_collector, http_collector

Delivered: TypeAlias = list[tuple[int, int, str]]
"""Start, thread and name of call of each span that arrived, in order."""


@frozen
class Destination:
    """An exporter, and how to look at what arrived through one of its sinks or all of them.

    What goes over a network is not `in_order`, and times may be rounded to `resolution_ns`.
    """

    exporter: SpanExporter
    arrived: Callable[[Sequence[SpanSink]], Delivered]
    in_order: bool = True
    resolution_ns: int = 1

    def delivered(self, sinks: Sequence[SpanSink]) -> Delivered:
        return self._arranged(self.arrived(sinks))

    def expected(self, *batches: SpanBatch) -> Delivered:
        unit = self.resolution_ns
        spans = (one for batch in batches for one in spans_of(batch))
        rounded = [((start + unit // 2) // unit * unit, tid, name) for start, tid, name in spans]
        return self._arranged(rounded)

    def _arranged(self, spans: Delivered) -> Delivered:
        return spans if self.in_order else sorted(spans)


Make: TypeAlias = Callable[[Path, AsyncExitStack], Awaitable[Destination]]


def spans_of(batch: SpanBatch) -> Delivered:
    names = [batch.kinds[kind].name for kind in batch.kind]
    return list(zip(batch.start_ns.tolist(), batch.tid.tolist(), names, strict=True))


async def fake(_: Path, __: AsyncExitStack) -> Destination:
    exporter = FakeSpanExporter()
    return Destination(
        exporter, lambda _: [one for batch in exporter.batches for one in spans_of(batch)]
    )


async def console(_: Path, __: AsyncExitStack) -> Destination:
    stream = io.StringIO()
    return Destination(ConsoleSpanExporter(stream), lambda _: from_lines(stream.getvalue()))


def file(file_format: FileFormat) -> Make:
    read = from_lines if file_format == "jsonl" else from_events

    async def make(directory: Path, _: AsyncExitStack) -> Destination:
        return Destination(
            FileSpanExporter(directory, format=file_format),
            lambda sinks: [one for sink in sinks for one in read(Path(sink.output).read_text())],
        )

    return make


async def jaeger(_: Path, stack: AsyncExitStack) -> Destination:
    collector = await stack.enter_async_context(FakeJaegerCollector())
    return in_jaeger(CollectorAddress(url=collector.endpoint), lambda: collector.spans)


async def jaeger_agent(_: Path, stack: AsyncExitStack) -> Destination:
    agent = await stack.enter_async_context(FakeJaegerAgent())
    return in_jaeger(AgentAddress(host=agent.host, port=agent.port), lambda: agent.spans)


def in_jaeger(address: JaegerAddress, spans: Callable[[], list[CollectedSpan]]) -> Destination:
    return Destination(
        JaegerSpanExporter(address=address, resource=ServiceResource()),
        lambda _: [
            (span.start_us * 1_000, int(span.tags["thread.id"]), span.name)
            for span in spans()
            if span.parent_id  # roots of slices are no calls
        ],
        in_order=False,
        resolution_ns=1_000,
    )


def otlp(
    protocol: OtlpProtocol, collector: Callable[[Received], AbstractAsyncContextManager[str]]
) -> Make:
    async def make(_: Path, stack: AsyncExitStack) -> Destination:
        received = Received()
        url = await stack.enter_async_context(collector(received))
        settings = OtlpSettings(endpoint=f"{url}/", protocol=protocol)
        return Destination(
            OtlpSpanExporter(settings=settings, resource=ServiceResource()),
            lambda _: [
                (one.start_time_unix_nano, attributes(one.attributes)["thread.id"], one.name)
                for one in received.calls
            ],
            in_order=False,
        )

    return make


def from_lines(text: str) -> Delivered:
    lines = map(json.loads, text.splitlines())
    return [(line["start_ns"], line["tid"], line["name"]) for line in lines]


def from_events(text: str) -> Delivered:
    events: list[dict[str, Any]] = json.loads(text)
    return [(e["args"]["start_ns"], e["tid"], e["name"]) for e in events if e["ph"] == "X"]


@pytest.fixture(
    params=[
        pytest.param(fake, id="fake"),
        pytest.param(console, id="console"),
        pytest.param(file("jsonl"), id="jsonl"),
        pytest.param(file("perfetto"), id="perfetto"),
        pytest.param(jaeger, id="jaeger"),
        pytest.param(jaeger_agent, id="jaeger agent"),
        pytest.param(otlp("http/protobuf", http_collector), id="otlp over http"),
        pytest.param(otlp("grpc", grpc_collector), id="otlp over grpc"),
    ]
)
async def destination(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Destination]:
    async with AsyncExitStack() as stack:
        yield await request.param(tmp_path, stack)


def session(session_id: str) -> TraceContext:
    return TraceContext(session_id=session_id)


class TestSpanExporter:
    async def test_every_span_arrives_in_order(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        for batch in (many_spans(5), awkward_batch(), many_spans(2)):
            await sink.write(batch)
        await sink.close()
        assert destination.delivered([sink]) == destination.expected(
            many_spans(5), awkward_batch(), many_spans(2)
        )

    async def test_spans_have_arrived_when_write_returns(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        await sink.write(many_spans(2))
        assert destination.delivered([sink]) == destination.expected(many_spans(2))
        await sink.close()

    async def test_an_empty_batch_is_nothing(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        await sink.write(span_batch())
        assert destination.delivered([sink]) == []
        await sink.write(many_spans(1))
        await sink.write(span_batch())
        await sink.close()
        assert destination.delivered([sink]) == destination.expected(many_spans(1))

    async def test_a_session_may_end_without_a_span(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        await sink.close()
        assert destination.delivered([sink]) == []

    async def test_sessions_write_side_by_side(self, destination: Destination) -> None:
        sinks = [await destination.exporter.open(session(str(one))) for one in range(3)]
        batches = [span_batch(*[FakeSpan(tid=tid)] * 200) for tid in (7, 8, 9)]
        pairs = zip(sinks, batches, strict=True)
        await asyncio.gather(*(sink.write(batch) for sink, batch in pairs))
        await asyncio.gather(*(sink.close() for sink in sinks))
        assert sorted(destination.delivered(sinks)) == sorted(destination.expected(*batches))

    async def test_one_session_ends_and_others_go_on(self, destination: Destination) -> None:
        first, second = [await destination.exporter.open(session(one)) for one in ("1", "2")]
        await first.close()
        await second.write(many_spans(3))
        await second.close()
        assert destination.delivered([second]) == destination.expected(many_spans(3))

    async def test_closing_again_is_harmless(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        await sink.write(many_spans(1))
        await sink.close()
        await sink.close()
        assert destination.delivered([sink]) == destination.expected(many_spans(1))

    async def test_what_comes_after_the_close_is_refused(self, destination: Destination) -> None:
        sink = await destination.exporter.open(session("1"))
        await sink.close()
        with pytest.raises(ExportFailed, match="closed"):
            await sink.write(many_spans(1))
        assert destination.delivered([sink]) == []

    async def test_a_session_may_run_again(self, destination: Destination) -> None:
        sinks = []
        for _ in range(2):
            sinks.append(await destination.exporter.open(session("1")))
            await sinks[-1].write(many_spans(2))
            await sinks[-1].close()
        assert destination.delivered(sinks) == destination.expected(*2 * [many_spans(2)])

    async def test_it_has_a_name(self, destination: Destination) -> None:
        assert destination.exporter.name
        assert 0 < destination.exporter.gather_seconds < 10


class TestFakeSpanExporter:
    async def test_it_fails_when_told_and_keeps_nothing_of_it(self) -> None:
        exporter = FakeSpanExporter()
        sink = await exporter.open(session("1"))
        exporter.failure = "The collector is down."
        with pytest.raises(ExportFailed, match="collector is down"):
            await sink.write(many_spans(1))
        with pytest.raises(ExportFailed, match="collector is down"):
            await exporter.open(session("2"))
        exporter.failure = ""
        await sink.write(many_spans(2))
        assert [len(batch) for batch in exporter.batches] == [2]

    async def test_it_is_slow_until_its_gate_opens(self) -> None:
        exporter = FakeSpanExporter()
        sink = await exporter.open(session("1"))
        exporter.gate.clear()
        writing = asyncio.create_task(sink.write(many_spans(1)), name="write")
        await asyncio.sleep(0)
        assert exporter.batches == []
        exporter.gate.set()
        await writing
        assert len(exporter.sinks[0].batches) == 1
