import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest
from attrs import evolve, frozen

from container_tracer.adapters.console.single_spans import ConsoleSingleSpanExporter
from container_tracer.adapters.files.single_spans import FileSingleSpanExporter
from container_tracer.adapters.jaeger.agent import AgentAddress
from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.single_spans import JaegerSingleSpanExporter
from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.single_spans import OtlpSingleSpanExporter
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.services.single_span_delivery import (
    SingleSpanCounts,
    SingleSpanDelivery,
)
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.http_collector import Answer, Manners
from container_tracer.fakes.jaeger_agent import FakeJaegerAgent
from container_tracer.fakes.jaeger_collector import FakeJaegerCollector
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.ports.errors import ExportDelayed, ExportFailed, ExportRejected
from container_tracer.ports.single_span_exporter import SingleSpanExporter
from tests.collectors import Received, Reply, grpc_collector, http_collector
from tests.single_spans.examples import FULL, GUEST, ROOT, one_of_each
from tests.single_spans.jaeger import read_agent, read_jaeger, said_to_jaeger
from tests.single_spans.json_lines import read_line, said_in_json
from tests.single_spans.otlp import read_otlp
from tests.single_spans.said import RESOURCE, Said, said

CHILD = evolve(ROOT, span_id=bytes(7) + b"\2", parent_span_id=ROOT.span_id)


@frozen
class Destination:
    """An exporter, how to look at what arrived, and what of a span its format can hold."""

    exporter: SingleSpanExporter
    arrived: Callable[[], list[Said]]
    said: Callable[[SingleSpan], Said] = said


Make: TypeAlias = Callable[[AsyncExitStack], Awaitable[Destination]]


async def fake(_: AsyncExitStack) -> Destination:
    exporter = FakeSingleSpanExporter()
    return Destination(exporter, lambda: [said(one) for one in exporter.spans])


async def console(_: AsyncExitStack) -> Destination:
    stream = io.StringIO()
    return Destination(
        ConsoleSingleSpanExporter(stream),
        lambda: [read_line(line) for line in stream.getvalue().splitlines()],
        said_in_json,
    )


async def file(stack: AsyncExitStack) -> Destination:
    directory = Path(stack.enter_context(TemporaryDirectory()))
    return Destination(
        FileSingleSpanExporter(directory=directory, format="jsonl"),
        lambda: [
            read_line(line)
            for path in sorted(directory.iterdir())
            for line in path.read_text("ascii").splitlines()
        ],
        said_in_json,
    )


async def jaeger(stack: AsyncExitStack) -> Destination:
    collector = await stack.enter_async_context(FakeJaegerCollector())
    exporter = JaegerSingleSpanExporter(
        address=CollectorAddress(url=collector.endpoint), resource=RESOURCE
    )
    return Destination(
        exporter,
        lambda: [span for one in collector.taken for span in read_jaeger(one.body)],
        said_to_jaeger,
    )


async def agent(stack: AsyncExitStack) -> Destination:
    listening = await stack.enter_async_context(FakeJaegerAgent())
    address = AgentAddress(host=listening.host, port=listening.port)
    return Destination(
        JaegerSingleSpanExporter(address=address, resource=RESOURCE),
        lambda: [span for one in listening.packets for span in read_agent(one)],
        said_to_jaeger,
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
            lambda: [span for request in received.taken for span in read_otlp(request)],
        )

    return make


@pytest.fixture(
    params=[
        pytest.param(fake, id="fake"),
        pytest.param(console, id="console"),
        pytest.param(file, id="file"),
        pytest.param(jaeger, id="jaeger"),
        pytest.param(agent, id="jaeger's agent"),
        pytest.param(otlp("http/protobuf", http_collector), id="otlp over http"),
        pytest.param(otlp("grpc", grpc_collector), id="otlp over grpc"),
    ]
)
async def destination(request: pytest.FixtureRequest) -> AsyncIterator[Destination]:
    async with AsyncExitStack() as stack:
        made: Destination = await request.param(stack)
        yield made
        await made.exporter.close()


def by_id(spans: Sequence[Said]) -> list[Said]:
    return sorted(spans, key=lambda one: bytes(one["span_id"]))


class TestSingleSpanExporter:
    async def test_every_span_has_arrived_as_it_is_when_send_returns(
        self, destination: Destination
    ) -> None:
        for spans in ([ROOT, FULL], [CHILD]):
            await destination.exporter.send(spans)
        assert destination.arrived() == [destination.said(one) for one in (ROOT, FULL, CHILD)]

    async def test_spans_of_every_kind_status_and_origin_arrive_from_one_batch(
        self, destination: Destination
    ) -> None:
        spans = one_of_each()
        await destination.exporter.send(spans)
        expected = by_id([destination.said(one) for one in spans])
        assert by_id(destination.arrived()) == expected

    async def test_as_many_large_spans_as_may_wait_arrive_without_a_request_too_large(
        self, destination: Destination
    ) -> None:
        texts = {f"a.{number}": "x" * 60_000 for number in range(4)}
        ids = [number.to_bytes(8, "big") for number in range(1, 64)]
        spans = [evolve(ROOT, span_id=one, origin=GUEST, attributes=texts) for one in ids]
        await destination.exporter.send(spans)
        assert [one["span_id"] for one in destination.arrived()] == ids

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


GUESTS = evolve(ROOT, span_id=bytes(7) + b"\3", origin=GUEST)
BATCH = [ROOT, GUESTS, CHILD]
"""A post of Jaeger's is of one origin: these are two."""


@pytest.mark.parametrize(
    ("statuses", "kind", "refused", "left"),
    [
        ([202, 503], ExportDelayed, 0, [GUESTS]),
        ([503], ExportDelayed, 0, [ROOT, CHILD, GUESTS]),
        ([400], ExportRejected, 2, [GUESTS]),
        ([202, 400], ExportRejected, 1, []),
    ],
)
async def test_what_a_jaeger_collector_confirmed_is_not_left_to_be_sent_again(
    statuses: list[int], kind: type[ExportFailed], refused: int, left: list[SingleSpan]
) -> None:
    async with FakeJaegerCollector() as collector:
        collector.answers.extend(Answer(status=status) for status in statuses)
        with pytest.raises(kind) as caught:
            await sent(collector, BATCH)
        assert len(collector.posted) == len(statuses)
    assert (getattr(caught.value, "spans", 0), caught.value.left) == (refused, left)


@pytest.mark.parametrize(
    ("replies", "kind", "refused", "left"),
    [
        ([Reply(), Reply("busy for", 7)], ExportDelayed, 0, 2),
        ([Reply("refuse"), Reply()], ExportRejected, 1, 2),
        ([Reply(), Reply("partial", 1), Reply()], ExportRejected, 1, 1),
    ],
)
async def test_what_an_otlp_collector_answered_is_not_left_to_be_sent_again(
    replies: list[Reply], kind: type[ExportFailed], refused: int, left: int
) -> None:
    received = Received()
    received.replies.extend(replies)
    async with http_collector(received) as url:
        exporter = OtlpSingleSpanExporter(
            settings=OtlpSettings(endpoint=f"{url}/"), resource=RESOURCE, max_request_bytes=300
        )
        with pytest.raises(kind) as caught:
            await exporter.send([ROOT, CHILD, GUESTS])
        await exporter.close()
    assert getattr(caught.value, "spans", 0) == refused
    assert caught.value.left == [ROOT, CHILD, GUESTS][3 - left :]
    assert getattr(caught.value, "retry_after_seconds", 7.0) == 7.0
    assert all(size <= 300 for size in received.sizes)


async def ended(exporter: SingleSpanExporter, when: Callable[[], bool]) -> SingleSpanCounts:
    """Deliver the batch, and give it up in the middle."""
    delivery = SingleSpanDelivery(exporter=exporter, clock=FakeClock())
    delivery.start()
    for span in BATCH:
        delivery.offer(span)
    while not when():  # noqa: ASYNC110 - nothing tells when
        await asyncio.sleep(0.01)
    await delivery.close(0.05)
    return delivery.counts


async def test_what_jaeger_confirmed_before_the_end_counts_as_delivered() -> None:
    async with FakeJaegerCollector() as collector:
        collector.answers.extend([Answer(), Answer(manners=Manners.HANGS)])
        exporter = JaegerSingleSpanExporter(
            address=CollectorAddress(url=collector.endpoint), resource=RESOURCE
        )
        counts = await ended(exporter, lambda: len(collector.posted) == 2)
    assert counts == SingleSpanCounts(delivered=2, dropped=1)


async def test_what_was_answered_over_otlp_before_the_end_counts_as_delivered() -> None:
    received = Received()
    received.replies.extend([Reply(), Reply("hang")])
    async with http_collector(received) as url:
        exporter = OtlpSingleSpanExporter(
            settings=OtlpSettings(endpoint=f"{url}/"), resource=RESOURCE, max_request_bytes=300
        )
        counts = await ended(exporter, lambda: len(received.requests) == 2)
    assert counts == SingleSpanCounts(delivered=1, dropped=2)
