"""The node as a program that hears virtual machines, over the sockets of their monitors."""

import asyncio
import os
import socket
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field, frozen
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from container_tracer.adapters.vsock.listening import vsock_listener
from container_tracer.domain.model.guests.agent_span import AgentSpan
from container_tracer.domain.model.single_span import SingleSpan
from container_tracer.domain.services.guests.reception import SLOT_SECONDS
from container_tracer.fakes.agent_span import agent_bincode, agent_json, frame
from container_tracer.fakes.guest_agent import FakeGuestAgent
from container_tracer.ports.errors import GuestsUnreachable
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
"""By number of the frame, what a guest sends in its place; the last two end its connection."""

HANGS_UP_AFTER = (323, 423)

POLITELY_BROKEN = {**BROKEN, 323: frame(b"{}"), 423: frame(b"[]")}

EXPORTED = 'exported_spans_total{{exporter="otlp",fate="{}"}}'
VMADDR_CID_LOCAL = 1

CONNECTIONS_OF_ONE = 6
"""So many of one guest at a time are below the limit."""


@frozen
class Guest:
    """A virtual machine: even ones send JSON, odd ones bincode.

    A polite one breaks frames, but no connections.
    """

    number: int
    polite: bool = False

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

    def frame(self, number: int) -> bytes:
        broken = POLITELY_BROKEN if self.polite else BROKEN
        if number in broken:
            return broken[number]
        write = agent_bincode if self.number % 2 else agent_json
        return frame(write(AgentSpan(span=self.span(number), resource={})))

    def connections(self) -> Iterator[Iterator[bytes]]:
        """Return the frames of each connection."""
        ends = () if self.polite else tuple(last + 1 for last in HANGS_UP_AFTER)
        for begin, end in pairwise((0, *ends, FRAMES)):
            yield map(self.frame, range(begin, end))

    async def run(self, agent: FakeGuestAgent, turns: "Turns | None" = None) -> None:
        for frames in self.connections():
            async with turns or nullcontext():
                await agent.send_frames(frames)
                agent.hang_up()


@define
class Turns:
    """So many connections at once, each of which still counts for a while after its end."""

    _free: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(CONNECTIONS_OF_ONE))

    async def __aenter__(self) -> None:
        await self._free.acquire()

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().call_later(1.5 * SLOT_SECONDS, self._free.release)


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


@contextmanager
def forwarding(start_node: StartNode, received: Received, *flags: str) -> Iterator[Node]:
    """Have a node that exports what guests send to a collector; it ends well."""
    with pytest.MonkeyPatch.context() as patch, beside(http_collector(received)) as url:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        patch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        node = start_node("--span-forwarder", "--trace-exporter", "otlp", *flags)
        yield node
        assert node.stop() < 5


def arrived(received: Received) -> dict[bytes, tuple[dict[str, Any], Span]]:
    """Return what was exported by the ids of spans, with the attributes of its resource."""
    groups = [group for request in received.taken for group in request.resource_spans]
    found = [
        (attributes(group.resource.attributes), span)
        for group in groups
        if group.resource.attributes[0].value.string_value == "kata-agent"
        for scope in group.scope_spans
        for span in scope.spans
    ]
    by_id = {span.span_id: (resource, span) for resource, span in found}
    assert len(by_id) == len(found), "some were exported twice"
    return by_id


def check(guest: Guest, number: int, span: Span) -> None:
    """See whether what has arrived is what was sent."""
    sent = guest.span(number)
    assert (span.name, span.trace_id) == (sent.name, sent.trace_id)
    assert span.parent_span_id == sent.parent_span_id
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (sent.started_ns, sent.ended_ns)
    said = {"busy_ns": number, "req": "redacted (15 bytes)"}
    assert attributes(span.attributes) == said


def balance(found: Counter[str], good: int) -> Counter[str]:
    """See whether the numbers add up; return those of malformed frames, by reason."""
    start, end = 'malformed_frames_total{reason="', '"}'
    malformed = Counter(
        {
            name.removeprefix(start).removesuffix(end): count
            for name, count in found.items()
            if name.startswith(start)
        }
    )
    assert found["frames_total"] == good + malformed.total()
    assert (found["spans_total"], found["sampled_out_spans_total"]) == (good, 0)
    assert found[EXPORTED.format("delivered")] == good
    assert found[EXPORTED.format("dropped")] == 0
    assert found['pending_spans{exporter="otlp"}'] == 0
    return malformed


def sent_well(guests: Sequence[Guest]) -> dict[bytes, tuple[Guest, int]]:
    """Return all that must arrive, by the ids of spans."""
    return {
        guest.ids(number)[1]: (guest, number)
        for guest in guests
        for number in range(FRAMES)
        if number not in BROKEN
    }


@pytest.mark.timeout(240)
def test_what_200_guests_send_at_once_arrives_and_what_is_broken_is_counted(
    start_node: StartNode, socket_folder: Path
) -> None:
    received, guests = Received(), [Guest(number) for number in range(1, GUESTS + 1)]
    monitors = [guest.monitor(socket_folder) for guest in guests]
    hostile = socket_folder / "kata/hostile/ch-vm.sock"
    wanted = sent_well(guests)
    flags = ("--span-forwarder-vsock", "off", "--run-path", str(socket_folder))
    with forwarding(start_node, received, *flags) as node:
        for monitor in (*monitors, hostile):
            make_monitor(monitor)
        wait_for(lambda: numbers(node)["places"] == GUESTS + 1, "sockets beside the monitors")
        agents = [FakeGuestAgent(one.with_name(f"{one.name}_10240")) for one in monitors]

        async def run() -> None:
            annoying = annoy(hostile.with_name("ch-vm.sock_10240"))
            all_good = (guest.run(agent) for guest, agent in zip(guests, agents, strict=True))
            await asyncio.gather(annoying, *all_good)

        asyncio.run(run())
        delivered = EXPORTED.format("delivered")
        wait_for(lambda: numbers(node)[delivered] == len(wanted), "all spans", 100)
        found = numbers(node)
    assert not list(socket_folder.rglob("*_10240"))

    spans = arrived(received)
    assert spans.keys() == wanted.keys()
    for span_id, (guest, number) in wanted.items():
        resource, span = spans[span_id]
        assert resource["container_tracer.sandbox.id"] == guest.sandbox
        check(guest, number, span)
    malformed = balance(found, len(wanted))
    assert malformed.total() > GUESTS * len(BROKEN), "those of the hostile one too"
    assert malformed["too_long"] >= GUESTS
    assert malformed["incomplete"] >= GUESTS
    assert found["refused_connections_total"] > 100, "the hostile one's"


@pytest.mark.vsock
@pytest.mark.timeout(300)
def test_what_200_guests_send_over_vsock_arrives_too(start_node: StartNode, tmp_path: Path) -> None:
    """To the kernel's loopback all have one number, so they are one guest and take turns."""
    received = Received()
    guests = [Guest(number, polite=number % 10 != 0) for number in range(1, GUESTS + 1)]
    wanted = sent_well(guests)
    port = 20_000 + os.getpid()
    flags = ("--span-forwarder-vsock", "on", "--span-forwarder-port", str(port))
    with forwarding(start_node, received, "--run-path", str(tmp_path), *flags) as node:

        async def run() -> None:
            turns = Turns()
            agents = [FakeGuestAgent(cid=VMADDR_CID_LOCAL, port=port) for _ in guests]
            every = zip(guests, agents, strict=True)
            await asyncio.gather(*(guest.run(agent, turns) for guest, agent in every))

        asyncio.run(run())
        delivered = EXPORTED.format("delivered")
        wait_for(lambda: numbers(node)[delivered] == len(wanted), "all spans", 100)
        found = numbers(node)
    spans = arrived(received)
    assert spans.keys() == wanted.keys()
    for span_id, (guest, number) in wanted.items():
        resource, span = spans[span_id]
        assert resource["container_tracer.guest.address"] == f"vsock:{VMADDR_CID_LOCAL}"
        check(guest, number, span)
    assert balance(found, len(wanted)).total() == len(guests) * len(BROKEN)


def test_where_vsock_must_be_and_cannot_be_nothing_is_started(socket_folder: Path) -> None:
    command = [
        *(sys.executable, "-m", "container_tracer.entrypoints.node", "--span-forwarder"),
        *("--address", f"unix:{socket_folder}/api", "--run-path", str(socket_folder)),
        *("--span-forwarder-vsock", "on", "--span-forwarder-port", "10243"),
    ]
    with ExitStack() as stack:
        with suppress(GuestsUnreachable):  # where there is no VSOCK at all
            stack.enter_context(vsock_listener(10243))
        ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "VSOCK port 10243 cannot be listened to" in ended.stderr
    assert not list(socket_folder.iterdir())
