"""Spans on their way to a collector that fails in every way: each is counted, to the unit."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import numpy as np
import pytest
from attrs import define, frozen
from structlog.testing import capture_logs

from container_tracer.adapters.otlp.encoding_messages import MAX_REQUEST_BYTES
from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.span_exporter import OtlpSpanExporter
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.stats import ExporterStats
from container_tracer.domain.services import backoff, delivery
from container_tracer.domain.services.deliveries import Deliveries
from container_tracer.fakes.span_exporter import FakeSpanExporter
from container_tracer.fakes.spans import NOON_NS, many_spans
from container_tracer.ports.span_exporter import SpanExporter, TraceContext
from tests.collectors import Behaviour, Received, Reply, grpc_collector, http_collector

ALL = many_spans(20_000)
CONTEXT = TraceContext(session_id="7", hook="trace_syscalls", started_ns=NOON_NS)
WAIT_SECONDS = 20


@frozen
class Wire:
    """One of the protocols."""

    protocol: OtlpProtocol
    path: str
    collector: Callable[..., AbstractAsyncContextManager[str]]


WIRES = [
    pytest.param(Wire("http/protobuf", "/v1/traces", http_collector), id="http"),
    pytest.param(Wire("grpc", "/", grpc_collector), id="grpc"),
]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    made: Wire = request.param
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(backoff, "START_SECONDS", 0.01)
    monkeypatch.setattr(backoff, "CAP_SECONDS", 0.1)
    with capture_logs():
        yield


@define(eq=False)
class Session:
    """A session's deliveries, and what it offered to them."""

    ways: Deliveries
    statistics: dict[str, ExporterStats]
    spans: int = 0
    events: int = 0

    @property
    def counts(self) -> ExporterStats:
        return self.statistics["otlp"]

    @property
    def error(self) -> str:
        return self.counts.error

    def offer(self, count: int) -> None:
        batch = ALL.take(slice(self.spans, self.spans + count))
        assert len(batch) == count
        self.ways.offer(batch)
        self.spans += count
        self.events += batch.events
        self.check()

    def check(self) -> None:
        """Whatever happens: what was offered was delivered, was dropped, or is pending."""
        for one in self.statistics.values():
            assert one.delivered + one.dropped + one.pending == self.events
            assert one.delivered_spans + one.dropped_spans + one.pending_spans == self.spans
            assert min(one.pending, one.dropped, one.pending_spans) >= 0
        for member in self.ways.members:
            assert member._held_bytes <= delivery.QUEUE_BYTES

    async def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            self.check()
            assert time.monotonic() < deadline, f"waited in vain: {self.counts}"
            await asyncio.sleep(0.002)
        self.check()

    async def close(self, ended_ns: int | None = NOON_NS + 10**9) -> None:
        await self.ways.close(ended_ns=ended_ns)
        self.check()
        assert self.counts.pending == self.counts.pending_spans == 0


Start = Callable[..., Any]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Open sessions that deliver to an endpoint; close them at the end."""
    sessions: list[Session] = []

    async def open_session(
        wire: Wire, url: str, *, max_request_bytes: int = MAX_REQUEST_BYTES, **settings: Any
    ) -> Session:
        exporter = OtlpSpanExporter(
            settings=OtlpSettings(
                endpoint=url + wire.path,
                protocol=wire.protocol,
                **{"timeout_seconds": 5, **settings},
            ),
            resource=ServiceResource(),
            max_request_bytes=max_request_bytes,
        )
        exporter.gather_seconds = 0.01
        return await opened({"otlp": exporter})

    async def opened(exporters: dict[str, SpanExporter]) -> Session:
        statistics: dict[str, ExporterStats] = {}
        ways = await Deliveries.open(exporters, CONTEXT, clock=SystemClock(), statistics=statistics)
        sessions.append(Session(ways, statistics))
        return sessions[-1]

    open_session.opened = opened  # type: ignore[attr-defined]
    yield open_session
    for session in sessions:
        await session.ways.close()


def starts(spans: Any) -> list[int]:
    return sorted(span.start_time_unix_nano for span in spans)


def expected(count: int) -> list[int]:
    times: list[int] = np.sort(ALL.start_ns[:count]).tolist()
    return times


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_every_span_arrives_once_and_the_session_is_a_span_its_slices_link_to(
    wire: Wire, start: Start
) -> None:
    received = Received()
    async with wire.collector(received) as url:
        session = await start(wire, url, headers={"x-token": "secret"})
        for _ in range(10):
            session.offer(1_000)
        await session.until(lambda: session.counts.delivered_spans == 10_000)
        await session.close()
    assert starts(received.calls) == expected(10_000)
    assert len({span.span_id for span in received.calls}) == 10_000
    (own,) = received.sessions
    assert (own.start_time_unix_nano, own.end_time_unix_nano) == (NOON_NS, NOON_NS + 10**9)
    links = {(link.trace_id, link.span_id) for root in received.roots for link in root.links}
    assert links == {(own.trace_id, own.span_id)}
    assert own.trace_id.hex() in session.ways.outputs[0]
    assert {one["x-token"] for one in received.headers} == {"secret"}
    assert session.error == ""


async def test_compressed_requests_say_the_same(wire: Wire, start: Start) -> None:
    received = Received()
    async with wire.collector(received) as url:
        session = await start(wire, url, gzip=True)
        session.offer(3_000)
        await session.close()
    assert starts(received.calls) == expected(3_000)
    if wire.protocol != "grpc":  # there, the library has taken the header away
        assert {one["content-encoding"] for one in received.headers} == {"gzip"}
        assert {one["content-type"] for one in received.headers} == {"application/x-protobuf"}
        assert set(received.paths) == {"/v1/traces"}


@pytest.mark.parametrize("behaviour", ["busy", "busy for", "close"])
async def test_a_collector_that_cannot_now_gets_everything_once_a_little_later(
    wire: Wire, start: Start, behaviour: Any
) -> None:
    received = Received()
    received.replies.extend([Reply(behaviour)] * 3)
    async with wire.collector(received) as url:
        session = await start(wire, url)
        session.offer(5_000)
        await session.until(lambda: received.requests)
        session.offer(5_000)
        await session.until(lambda: session.counts.delivered_spans == 10_000)
        assert session.error == ""
        await session.close()
    assert starts(received.calls) == expected(10_000)
    assert len(received.sessions) == 1
    assert session.counts.dropped == 0


async def test_one_that_asks_for_time_is_left_alone_so_long(wire: Wire, start: Start) -> None:
    received = Received()
    received.replies.append(Reply("busy for", 1))
    async with wire.collector(received) as url:
        session = await start(wire, url)
        session.offer(10)
        await session.until(lambda: "retrying, 10 spans wait" in session.error)
        asked = time.monotonic()
        await session.until(lambda: session.counts.delivered)
        assert time.monotonic() - asked > 0.9
        await session.close()
    assert len(received.calls) == 10


async def test_what_is_refused_for_good_is_dropped_and_said_and_the_rest_goes_on(
    wire: Wire, start: Start
) -> None:
    received = Received()
    received.replies.append(Reply("refuse", message="disk\x1b[2J full"))
    async with wire.collector(received) as url:
        session = await start(wire, url)
        session.offer(100)
        await session.until(lambda: session.counts.dropped_spans == 100)
        assert "disk" in session.error
        assert session.error.isprintable()
        session.offer(50)
        await session.close()
    assert (session.counts.delivered_spans, session.counts.dropped_spans) == (50, 100)
    assert starts(received.calls) == expected(150)[100:]


async def test_what_is_rejected_of_a_request_is_counted(wire: Wire, start: Start) -> None:
    received = Received()
    received.replies.append(Reply("partial", 7, "too old"))
    async with wire.collector(received) as url:
        session = await start(wire, url)
        session.offer(100)
        await session.close()
    assert (session.counts.delivered_spans, session.counts.dropped_spans) == (93, 7)
    assert session.error.endswith("rejected spans: too old")


@pytest.mark.parametrize("behaviour", ["garbage", "half"])
async def test_a_success_whose_answer_cannot_be_read_is_one(
    wire: Wire, start: Start, behaviour: Any
) -> None:
    received = Received()
    received.replies.append(Reply(behaviour))
    async with wire.collector(received) as url:
        session = await start(wire, url)
        session.offer(100)
        await session.until(lambda: session.counts.delivered_spans == 100)
        await session.close()
    assert starts(received.calls) == expected(100)


async def test_after_a_failure_only_what_was_not_taken_is_sent_again(
    wire: Wire, start: Start
) -> None:
    received = Received()
    faults: tuple[Behaviour, ...] = ("take", "busy", "take", "close", "refuse", "take", "busy")
    received.replies.extend(Reply(one) for one in faults)
    async with wire.collector(received) as url:
        session = await start(wire, url, max_request_bytes=300_000)
        session.offer(8_000)
        await session.until(lambda: not session.counts.pending)
        await session.close()
    assert session.counts.dropped_spans == 8_000 - len(received.calls) > 0
    assert session.counts.delivered_spans == len(received.calls)
    assert len({span.span_id for span in received.calls}) == len(received.calls)


@pytest.mark.parametrize("last", [Reply("busy for", 60), Reply("hang")])
async def test_what_was_taken_of_a_unit_that_is_given_up_is_delivered(
    wire: Wire, start: Start, monkeypatch: pytest.MonkeyPatch, last: Reply
) -> None:
    monkeypatch.setattr("container_tracer.domain.services.deliveries.FLUSH_SECONDS", 0.5)
    received = Received()
    received.replies.extend([Reply(), Reply("partial", 10), Reply(), last, last])
    async with wire.collector(received) as url:
        session = await start(wire, url, max_request_bytes=300_000, timeout_seconds=60)
        session.offer(8_000)
        await session.until(lambda: len(received.requests) >= 4)
        await session.close()
    of_partial = sum(
        bool(span.parent_span_id)
        for one in received.requests[1].resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    )
    assert session.counts.delivered_spans == len(received.calls) + of_partial - 10
    assert session.counts.dropped_spans == 8_000 - session.counts.delivered_spans > 10


async def test_a_collector_that_is_down_from_the_start_gets_everything_when_it_is_up(
    wire: Wire, start: Start
) -> None:
    received, port = Received(), free_port()
    session = await start(wire, f"http://127.0.0.1:{port}")
    for _ in range(3):
        session.offer(1_000)
    await session.until(lambda: "retrying, 3000 spans wait" in session.error)
    assert f"127.0.0.1:{port}" in session.error
    async with wire.collector(received, port):
        await session.until(lambda: session.counts.delivered_spans == 3_000)
        assert session.error == ""
        await session.close()
    assert starts(received.calls) == expected(3_000)


async def test_a_collector_that_dies_and_comes_back_gets_what_came_meanwhile(
    wire: Wire, start: Start
) -> None:
    before, after, port = Received(), Received(), free_port()
    async with wire.collector(before, port) as url:
        session = await start(wire, url)
        session.offer(1_000)
        await session.until(lambda: session.counts.delivered_spans == 1_000)
    session.offer(1_000)
    await session.until(lambda: "retrying" in session.error)
    session.offer(1_000)
    async with wire.collector(after, port):
        await session.until(lambda: session.counts.delivered_spans == 3_000)
        await session.close()
    assert starts([*before.calls, *after.calls]) == expected(3_000)
    assert len(after.sessions) == 1


async def test_one_that_stays_down_costs_bounded_memory_and_the_end_says_so(
    wire: Wire, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "QUEUE_BYTES", ALL.take(slice(5_000)).nbytes)
    monkeypatch.setattr("container_tracer.domain.services.deliveries.FLUSH_SECONDS", 0.5)
    session = await start(wire, f"http://127.0.0.1:{free_port()}")
    for _ in range(20):
        session.offer(1_000)
        await asyncio.sleep(0.02)
    await session.until(lambda: session.counts.dropped_spans >= 14_000)
    assert session.counts.pending_spans <= 5_000
    began = time.monotonic()
    await session.close()
    assert time.monotonic() - began < 5
    assert session.counts.dropped_spans == 20_000
    assert session.error.endswith("what waited when the session stopped was dropped")


async def test_one_that_never_answers_is_waited_for_as_long_as_its_timeout_and_retried(
    wire: Wire, start: Start
) -> None:
    received = Received()
    received.replies.append(Reply("hang"))
    async with wire.collector(received) as url:
        session = await start(wire, url, timeout_seconds=0.2)
        session.offer(10)
        await session.until(lambda: "did not answer within 0.2 s" in session.error)
        await session.until(lambda: session.counts.delivered_spans == 10)
        await session.close()


async def test_one_that_never_answers_keeps_no_session_from_its_end(
    wire: Wire, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_tracer.domain.services.deliveries.FLUSH_SECONDS", 0.5)
    received = Received()
    received.replies.extend([Reply("hang")] * 10)
    async with wire.collector(received) as url:
        session = await start(wire, url, timeout_seconds=60)
        session.offer(10)
        await session.until(lambda: received.requests)
        began = time.monotonic()
        await session.close()
        assert time.monotonic() - began < 5
    assert session.counts.dropped_spans == 10
    assert "too slow" in session.error


async def test_one_that_hangs_delays_no_other(
    wire: Wire, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("container_tracer.domain.services.deliveries.FLUSH_SECONDS", 0.3)
    stuck, well = Received(), Received()
    stuck.replies.extend([Reply("hang")] * 10)
    async with wire.collector(stuck) as stuck_url, wire.collector(well) as url:
        made = []
        for name, endpoint in (("otlp", stuck_url), ("other", url)):
            exporter = OtlpSpanExporter(
                settings=OtlpSettings(endpoint=endpoint + wire.path, protocol=wire.protocol),
                resource=ServiceResource(),
            )
            exporter.gather_seconds = 0.01
            made.append((name, exporter))
        session = await start.opened({**dict(made), "fake": FakeSpanExporter()})  # type: ignore[attr-defined]
        for _ in range(5):
            session.offer(1_000)
        others = [session.statistics[name] for name in ("other", "fake")]
        await session.until(lambda: all(one.delivered_spans == 5_000 for one in others))
        assert session.counts.delivered == 0
        await session.close()
    assert starts(well.calls) == expected(5_000)


async def test_a_session_that_never_began_is_no_span(wire: Wire, start: Start) -> None:
    received = Received()
    async with wire.collector(received) as url:
        session = await start(wire, url)
        await session.close(ended_ns=None)
    assert received.requests == []


async def test_a_redirect_is_not_followed(start: Start) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        session = await start(WIRES[0].values[0], f"http://user:pass@127.0.0.1:{port}")
        session.offer(10)
        await session.until(lambda: session.counts.dropped_spans == 10)
        assert session.error.endswith("answered 302 Found; redirects are not followed")
        assert "pass" not in session.error + session.ways.outputs[0]
        await session.close(ended_ns=None)


async def test_one_that_hangs_up_on_a_request_it_has_not_read_is_retried(
    wire: Wire, start: Start
) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        session = await start(wire, f"http://127.0.0.1:{port}")
        session.offer(8_000)
        await session.until(lambda: "retrying, 8000 spans wait" in session.error)
        await session.close(ended_ns=None)


async def test_one_that_speaks_something_else_is_retried(wire: Wire, start: Start) -> None:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        session = await start(wire, f"http://127.0.0.1:{port}")
        session.offer(10)
        await session.until(lambda: "retrying, 10 spans wait" in session.error)
        await session.close(ended_ns=None)
