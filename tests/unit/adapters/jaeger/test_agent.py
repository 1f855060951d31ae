"""What becomes of packets to an agent, and what is said of it."""

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from attrs import define, field

from container_tracer.adapters.jaeger import agent as agents
from container_tracer.adapters.jaeger import packets, span_exporter
from container_tracer.adapters.jaeger.agent import AgentAddress, JaegerAgent
from container_tracer.adapters.jaeger.packets import packets_of
from container_tracer.adapters.jaeger.sender import Packet
from container_tracer.adapters.jaeger.span_exporter import JaegerSink, JaegerSpanExporter
from container_tracer.adapters.jaeger.thrift_values import ThriftBatch
from container_tracer.adapters.jaeger.translation import BatchTranslation
from container_tracer.domain.model.pod import Container
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.fakes.jaeger_agent import FakeJaegerAgent, read_packet
from container_tracer.fakes.jaeger_collector import CollectedSpan
from container_tracer.fakes.spans import NOON_NS, FakeSpan, many_spans, span_batch
from container_tracer.ports.errors import ExportDelayed, ExportRejected
from container_tracer.ports.span_exporter import TraceContext

SESSION = TraceContext(session_id="7", user_context="why", started_ns=NOON_NS)
RESOURCE = ServiceResource(service_name="tracer")


@pytest.fixture
async def agent() -> AsyncIterator[FakeJaegerAgent]:
    async with FakeJaegerAgent() as agent:
        yield agent


async def sink_to(host: str, port: int) -> JaegerSink:
    address = AgentAddress(host=host, port=port)
    return await JaegerSpanExporter(address=address, resource=RESOURCE).open(SESSION)


@pytest.fixture
async def sink(agent: FakeJaegerAgent) -> AsyncIterator[JaegerSink]:
    sink = await sink_to(agent.host, agent.port)
    yield sink
    await sink.close()


def calls(spans: list[CollectedSpan]) -> int:
    return sum(bool(span.parent_id) for span in spans)


@contextmanager
def names(places: dict[str, list[str]], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let names have these addresses, which may change."""

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if not (found := places[host]):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_DGRAM, 17, "", (one, port)) for one in found]

    with patch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)
        yield


async def test_where_nobody_listens_nothing_counts_as_delivered(
    agent: FakeJaegerAgent, sink: JaegerSink
) -> None:
    await agent.stop()
    batch = many_spans(300)
    for _ in range(3):
        with pytest.raises(ExportDelayed, match=rf"^jaeger: udp://127.0.0.1:{agent.port} refuses"):
            await sink.write(batch)
        assert sink.arrived(batch) == (0, 0)
    await agent.start()
    await sink.write(batch)
    assert calls(agent.spans) == 300


async def test_an_agent_may_go_and_come_back_and_gets_each_span_once(
    agent: FakeJaegerAgent, sink: JaegerSink
) -> None:
    await sink.write(many_spans(10))
    await agent.stop()
    batch = many_spans(20)
    with pytest.raises(ExportDelayed):
        await sink.write(batch)
    assert sink.arrived(batch) == (0, 0)
    await agent.start()
    await sink.write(batch)
    assert calls(agent.spans) == 30


async def test_a_refusal_that_comes_late_is_of_the_first_packet(agent: FakeJaegerAgent) -> None:
    sender = JaegerAgent(AgentAddress(host=agent.host, port=agent.port))
    sink = JaegerSink(sender, BatchTranslation(resource=RESOURCE, session=SESSION.trace), "")
    batch = many_spans(3)
    writing = asyncio.create_task(sink.write(batch), name="write")
    await agent.until(1)
    await agent.stop()
    assert sender._socket is not None
    # A datagram to nobody makes the kernel say what it would hear of another machine later.
    sender._socket.send(b"")
    with pytest.raises(ExportDelayed, match="no agent listens there"):
        await writing
    assert sink.arrived(batch) == (0, 0)
    await sink.close()


async def test_a_name_that_is_unknown_now_may_be_known_later(
    agent: FakeJaegerAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    places: dict[str, list[str]] = {"jaeger-agent": []}
    sink = await sink_to("jaeger-agent", agent.port)
    with names(places, monkeypatch):
        with pytest.raises(ExportDelayed, match=r"jaeger-agent:.* cannot be found: Name "):
            await sink.write(many_spans(1))
        places["jaeger-agent"] = [agent.host]
        await sink.write(many_spans(2))
        await sink.close()
    assert calls(agent.spans) == 2


async def test_of_several_addresses_one_at_which_somebody_listens_is_found(
    agent: FakeJaegerAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = await sink_to("localhost", agent.port)
    batch = many_spans(2)
    with names({"localhost": ["127.0.0.2", agent.host]}, monkeypatch):
        with pytest.raises(ExportDelayed):
            await sink.write(batch)
        await sink.write(batch)
        await sink.close()
    assert calls(agent.spans) == 2


async def test_an_agent_that_moves_is_followed_although_its_old_place_says_nothing(
    agent: FakeJaegerAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents, "RESOLVE_SECONDS", 0.0)
    places = {"jaeger-agent": [agent.host]}
    sink = await sink_to("jaeger-agent", agent.port)
    with names(places, monkeypatch):
        async with FakeJaegerAgent(host="127.0.0.2", port=agent.port) as moved:
            await sink.write(many_spans(1))
            places["jaeger-agent"] = []  # nobody can be asked: it stays where it was
            await sink.write(many_spans(2))
            places["jaeger-agent"] = [moved.host]
            await sink.write(many_spans(3))
            await sink.close(ended_ns=NOON_NS)
            assert (calls(agent.spans), calls(moved.spans)) == (3, 3)
            assert moved.spans[-1].name == "why"


async def test_what_is_too_large_for_the_kernel_is_refused_for_good(
    agent: FakeJaegerAgent, sink: JaegerSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "MAX_PACKET_BYTES", 70_000)
    with pytest.raises(ExportRejected, match="Message too long") as why:
        await sink.write(many_spans(300))
    arrived = calls(agent.spans)
    assert why.value.spans + arrived == 300
    assert 0 < arrived < 300, "what is left for the last packet is small enough"
    monkeypatch.undo()
    await sink.write(many_spans(5))
    assert calls(agent.spans) == arrived + 5


async def test_a_span_that_is_too_large_is_counted_and_the_others_arrive(
    agent: FakeJaegerAgent, sink: JaegerSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "MAX_PACKET_BYTES", 4_000)
    monkeypatch.setattr(packets, "MIN_TEXT", packets.MAX_TEXT)
    large = Container(name="c", pod="p", container_id="x", image="i" * 4_000)
    batch = span_batch(*[FakeSpan()] * 3, FakeSpan(container=large), *[FakeSpan()] * 4)
    with pytest.raises(ExportRejected, match="too large") as why:
        await sink.write(batch)
    assert (why.value.spans, why.value.events) == (1, batch.take(slice(3, 4)).events)
    assert calls(agent.spans) == 7


@define(eq=False)
class Refusing:
    """A sender that refuses its packet of a number, once."""

    at: int
    sent: list[bytes] = field(factory=list)

    def packets(self, batch: ThriftBatch) -> list[Packet]:
        return packets_of(batch)

    async def send(self, body: bytes) -> None:
        if len(self.sent) == self.at:
            self.at = -1
            raise ExportDelayed("Not now.")
        self.sent.append(body)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("at", range(7))
async def test_wherever_it_breaks_off_what_arrived_is_known_and_not_sent_again(
    at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "MAX_PACKET_BYTES", 4_000)
    monkeypatch.setattr(span_exporter, "PART_SPANS", 20)
    sender, batch = Refusing(at), many_spans(45)
    sink = JaegerSink(sender, BatchTranslation(resource=RESOURCE, session=SESSION.trace), "")
    with pytest.raises(ExportDelayed):
        await sink.write(batch)
    arrived = calls([span for one in sender.sent for span in read_packet(one)])
    assert sink.arrived(batch) == (arrived, batch.take(slice(arrived)).events)
    await sink.write(batch)
    spans = [span for one in sender.sent for span in read_packet(one)]
    assert calls(spans) == 45
    assert len({span.span_id for span in spans}) == len(spans)


async def test_while_the_kernel_has_no_room_packets_wait(
    agent: FakeJaegerAgent, sink: JaegerSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: socket.socket, __: bytes) -> None:
        raise OSError(errno.ENOBUFS, os.strerror(errno.ENOBUFS))

    batch = many_spans(3)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "sock_sendall", full, raising=False)
        with pytest.raises(ExportDelayed, match="cannot be sent to: No buffer space available"):
            await sink.write(batch)
        assert sink.arrived(batch) == (0, 0)
    await sink.write(batch)
    assert calls(agent.spans) == 3
