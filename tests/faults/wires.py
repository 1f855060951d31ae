"""Protocols with everything that speaks them, and runs in which all of it fails by chance."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from attrs import define, frozen

from container_tracer.adapters.jaeger.agent import AgentAddress
from container_tracer.adapters.jaeger.collector import CollectorAddress
from container_tracer.adapters.jaeger.single_spans import JaegerSingleSpanExporter
from container_tracer.adapters.jaeger.span_exporter import JaegerSpanExporter
from container_tracer.adapters.otlp.settings import OtlpProtocol, OtlpSettings
from container_tracer.adapters.otlp.single_spans import OtlpSingleSpanExporter
from container_tracer.adapters.otlp.span_exporter import OtlpSpanExporter
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.model.traces import SessionTrace
from container_tracer.fakes.spans import NOON_NS
from container_tracer.ports.single_span_exporter import SingleSpanExporter
from container_tracer.ports.span_exporter import SpanExporter
from tests.collectors import Reply, grpc_collector, http_collector

from .agent import flaky_agent, read_jaeger_packet
from .exchanges import Exchanges, Fault
from .ledger import CANNOT_NOW, Ledger, ReadRequest, read_jaeger, read_otlp
from .proxy import Relay, fault_proxy, http1, http2

TIMEOUT_SECONDS = 2.0
PART_BYTES = 12_000

FAULTS = {
    Fault.REFUSES: 0.04,
    Fault.IGNORES: 0.02,
    Fault.TALKS_GARBAGE: 0.04,
    Fault.RESETS_REQUEST: 0.05,
    Fault.SLOW: 0.05,
    Fault.TRICKLES: 0.05,
    Fault.RESETS_ANSWER: 0.05,
    Fault.BREAKS_ANSWER: 0.06,
    Fault.SWALLOWS_ANSWER: 0.02,
    Fault.CLOSES_HALF: 0.04,
    Fault.ANSWERS_TWICE: 0.05,
}
REFUSALS = {
    Reply("busy"): 0.04,
    Reply("busy for", 3): 0.04,
    Reply("busy until", message="Fri, 99999999999999999999 Nov 2026 15:00:00 GMT"): 0.03,
    Reply("late"): 0.02,
    Reply("refuse", message="a bug"): 0.02,
    Reply("full"): 0.02,
    Reply("garbage"): 0.03,
}
OTLP_REFUSALS = {**REFUSALS, Reply("partial", 3, "too old"): 0.04}
JAEGER_REFUSALS = {**REFUSALS, Reply("refuse", message=f"{CANNOT_NOW}: the queue is full"): 0.03}


@frozen
class Wire:
    """A protocol, with everything that speaks it."""

    name: str
    listening: Callable[[Ledger], AbstractAsyncContextManager[str]]
    read: ReadRequest
    refusals: Mapping[Reply, float]
    exporter: Callable[[str], SpanExporter]
    single: Callable[[str], SingleSpanExporter]


def behind_proxy(
    collector: Callable[[Any], AbstractAsyncContextManager[str]], relay: Relay
) -> Callable[[Ledger], AbstractAsyncContextManager[str]]:
    @asynccontextmanager
    async def listening(ledger: Ledger) -> AsyncIterator[str]:
        async with collector(ledger) as url, fault_proxy(ledger.exchanges, relay, url) as proxy:
            yield proxy

    return listening


def otlp_settings(protocol: OtlpProtocol, url: str) -> OtlpSettings:
    return OtlpSettings(endpoint=f"{url}/", protocol=protocol, timeout_seconds=TIMEOUT_SECONDS)


def otlp(protocol: OtlpProtocol, collector: Any, relay: Relay) -> Wire:
    return Wire(
        name=f"otlp {protocol}",
        listening=behind_proxy(collector, relay),
        read=read_otlp,
        refusals=OTLP_REFUSALS,
        exporter=lambda url: OtlpSpanExporter(
            settings=otlp_settings(protocol, url),
            resource=ServiceResource(),
            max_request_bytes=PART_BYTES,
        ),
        single=lambda url: OtlpSingleSpanExporter(
            settings=otlp_settings(protocol, url), resource=ServiceResource()
        ),
    )


def agent_address(url: str) -> AgentAddress:
    host, _, port = url.removeprefix("udp://").rpartition(":")
    return AgentAddress(host=host, port=int(port))


OTLP_HTTP = otlp("http/protobuf", http_collector, http1)
OTLP_GRPC = otlp("grpc", grpc_collector, http2)
JAEGER = Wire(
    name="jaeger",
    listening=behind_proxy(http_collector, http1),
    read=read_jaeger,
    refusals=JAEGER_REFUSALS,
    exporter=lambda url: JaegerSpanExporter(
        address=CollectorAddress(url=url), resource=ServiceResource()
    ),
    single=lambda url: JaegerSingleSpanExporter(
        address=CollectorAddress(url=url), resource=ServiceResource()
    ),
)
JAEGER_AGENT = Wire(
    name="jaeger agent",
    listening=flaky_agent,
    read=read_jaeger_packet,
    refusals={},
    exporter=lambda url: JaegerSpanExporter(address=agent_address(url), resource=ServiceResource()),
    single=lambda url: JaegerSingleSpanExporter(
        address=agent_address(url), resource=ServiceResource()
    ),
)
PROXIED = [OTLP_HTTP, OTLP_GRPC, JAEGER]
WIRES = [*PROXIED, JAEGER_AGENT]


@define(eq=False)
class Run:
    """One seed on one wire: what was done to it, and what arrived."""

    wire: Wire
    seed: int
    exchanges: Exchanges
    ledger: Ledger
    url: str

    @property
    def drawn(self) -> random.Random:
        return self.exchanges.drawn

    def calm(self) -> None:
        """Let nothing fail any more."""
        self.exchanges.faults, self.ledger.refusals = {}, {}

    @property
    def ends_in_silence(self) -> bool:
        return self.seed % 3 == 2

    @property
    def sessions(self) -> int:
        """Count the spans of sessions themselves."""
        own = SessionTrace.of(str(self.seed), started_ns=NOON_NS, name="", attributes={})
        return sum(key == (own.trace_id, own.span_id) for key in self.ledger.kept)


@asynccontextmanager
async def begun(
    wire: Wire,
    seed: int,
    *,
    faults: Mapping[Fault, float] = FAULTS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> AsyncIterator[Run]:
    """Let things fail by chance; `timeout_seconds` is how long senders wait for an answer."""
    exchanges = Exchanges(asyncio.get_running_loop().time, seed, faults)
    ledger = Ledger(
        exchanges=exchanges,
        read=wire.read,
        refusals=wire.refusals,
        patience_seconds=timeout_seconds / 2,
    )
    watching = asyncio.create_task(exchanges.watch_gaps(), name="watch gaps")
    async with wire.listening(ledger) as url:
        try:
            yield Run(wire, seed, exchanges, ledger, url)
        except Exception as error:
            error.add_note(f"{wire.name}; repeat it with FAULT_SEEDS={seed}")
            raise
        finally:
            watching.cancel()
