"""The node as a program that hears virtual machines, over the sockets of their monitors."""

import asyncio
import socket
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from container_tracer.domain.model.agent_span import AgentSpan
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.fakes.agent_span import agent_bincode, agent_json, frame
from container_tracer.fakes.guest_agent import FakeGuestAgent
from tests.collectors import Received, attributes, beside, http_collector

from .conftest import Node, StartNode, wait_for

pytestmark = pytest.mark.kernel

GUESTS = 200
FRAMES = 500
"""Per guest; one in a hundred is broken."""

NOON_NS = 1_700_000_000 * 10**9
TRACE_SPANS = 5
TOO_LONG = (2**60).to_bytes(8, "big") + b"x" * 100

BROKEN = {
    23: frame(b'{"name": '),
    123: frame(b""),
    223: frame(b"\xff" * 60),
    323: frame(b"cut short")[:-2],
    423: TOO_LONG,
}
"""By number of the frame, what a guest sends in its place."""

HANGS_UP_AFTER = (323, 423)


@frozen
class Guest:
    """A virtual machine: even ones send JSON, odd ones bincode."""

    number: int

    @property
    def sandbox(self) -> str:
        return f"{self.number:064x}"

    def monitor(self, run_path: Path) -> Path:
        if self.number % 3:
            return run_path / f"kata/{self.sandbox}/ch-vm.sock"
        return run_path / f"vc/vm/{self.sandbox}/clh.sock"

    def ids(self, number: int) -> tuple[bytes, bytes]:
        """Name the trace of a span, and the span."""
        first = number - number % TRACE_SPANS
        trace, span = self.number << 64 | first + 1, self.number << 32 | number + 1
        return trace.to_bytes(16, "big"), span.to_bytes(8, "big")

    def span(self, number: int) -> SingleSpan:
        trace_id, span_id = self.ids(number)
        first = number - number % TRACE_SPANS
        return SingleSpan(
            name=f"call {number}",
            trace_id=trace_id,
            span_id=span_id,
            parent_span_id=b"" if number == first else self.ids(first)[1],
            started_ns=NOON_NS + number,
            ended_ns=NOON_NS + number + self.number,
            attributes={"busy_ns": number, "req": "PASSWORD=secret"},
        )

    def frames(self) -> Iterator[bytes]:
        write = agent_bincode if self.number % 2 else agent_json
        for number in range(FRAMES):
            if number in BROKEN:
                yield BROKEN[number]
            else:
                yield frame(write(AgentSpan(span=self.span(number), resource={})))

    async def run(self, run_path: Path) -> None:
        monitor = self.monitor(run_path)
        agent = FakeGuestAgent(monitor.with_name(f"{monitor.name}_10240"))
        for number, data in enumerate(self.frames()):
            await agent.send(data)
            if number in HANGS_UP_AFTER:
                agent.hang_up()
        agent.hang_up()


def make_monitor(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


async def annoy(path: Path) -> None:
    """Be a guest that floods, and opens more connections than anybody should."""
    agents = [FakeGuestAgent(path) for _ in range(1000)]
    for agent in agents:
        try:
            await agent.send(b"\0" * 7)
        except OSError:
            agent.hang_up()
    try:
        for _ in range(200):
            await agents[0].send(b"\0" + frame(b"{" * 10_000) * 3)
    except OSError:
        pass
    for agent in agents:
        agent.hang_up()


def numbers(node: Node) -> Counter[str]:
    """Read the metrics of guests, without what their names have in common."""
    with urllib.request.urlopen(f"{node.url}/metrics", timeout=20) as answer:  # noqa: S310
        lines = answer.read().decode().splitlines()
    found = [line for line in lines if line.startswith("container_tracer_guest_")]
    pairs = (line.removeprefix("container_tracer_guest_").rsplit(" ", 1) for line in found)
    return Counter({name: int(float(value)) for name, value in pairs})


def test_what_200_guests_send_at_once_arrives_and_what_is_broken_is_counted(
    start_node: StartNode, socket_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received, guests = Received(), [Guest(number) for number in range(1, GUESTS + 1)]
    hostile = socket_folder / "kata/hostile/ch-vm.sock"
    with beside(http_collector(received)) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        node = start_node(
            *("--span-forwarder", "--span-forwarder-vsock", "off"),
            *("--run-path", str(socket_folder), "--trace-exporter", "otlp"),
        )
        for guest in guests:
            make_monitor(guest.monitor(socket_folder))
        make_monitor(hostile)
        wait_for(lambda: numbers(node)["places"] == GUESTS + 1, "sockets beside the monitors")

        async def run() -> None:
            annoying = annoy(hostile.with_name("ch-vm.sock_10240"))
            await asyncio.gather(annoying, *(guest.run(socket_folder) for guest in guests))

        asyncio.run(run())
        good = GUESTS * (FRAMES - len(BROKEN))
        exported = 'exported_spans_total{{exporter="otlp",fate="{}"}}'
        wait_for(lambda: numbers(node)[exported.format("delivered")] == good, "all spans", 60)
        found = numbers(node)
        assert node.stop() < 5
    assert not list(socket_folder.rglob("*_10240"))

    wanted = {
        guest.ids(number)[1]: (guest, number)
        for guest in guests
        for number in range(FRAMES)
        if number not in BROKEN
    }
    arrived = [
        (attributes(group.resource.attributes), scope.spans)
        for request in received.taken
        for group in request.resource_spans
        for scope in group.scope_spans
    ]
    assert Counter(span.span_id for _, spans in arrived for span in spans) == Counter(wanted.keys())
    for resource, spans in arrived:
        assert resource["service.name"] == "kata-agent"
        for span in spans:
            guest, number = wanted[span.span_id]
            assert resource["container_tracer.sandbox.id"] == guest.sandbox
            _check(span, guest.span(number))

    malformed = {name: count for name, count in found.items() if name.startswith("malformed_")}
    assert found["frames_total"] == good + sum(malformed.values())
    assert (found["spans_total"], found["pending_spans"]) == (good, 0)
    assert found[exported.format("dropped")] == 0
    assert sum(malformed.values()) > GUESTS * len(BROKEN), "those of the hostile one too"
    assert found['malformed_frames_total{reason="too_long"}'] >= GUESTS
    assert found['malformed_frames_total{reason="incomplete"}'] >= GUESTS
    assert found["refused_connections_total"] > 100, "the hostile one's"


def _check(span: Span, sent: SingleSpan) -> None:
    """See whether what has arrived is what was sent."""
    assert (span.name, span.trace_id) == (sent.name, sent.trace_id)
    assert span.parent_span_id == sent.parent_span_id
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (sent.started_ns, sent.ended_ns)
    said = {"busy_ns": sent.attributes["busy_ns"], "req": "redacted (15 bytes)"}
    assert attributes(span.attributes) == said
