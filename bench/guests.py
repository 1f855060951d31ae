"""What spans of agents in virtual machines cost: one core, from a frame to OTLP, no sockets."""

import time
from collections.abc import Callable, Sequence

from attrs import define, field

from container_tracer.adapters.otlp.encoding_single_spans import single_span_requests
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.model.guests.agent_span import AgentSpan
from container_tracer.domain.model.guests.frames import FrameCutter
from container_tracer.domain.model.guests.peer import GuestPeer
from container_tracer.domain.model.single_span import SingleSpan, SpanEvent
from container_tracer.domain.model.span_attributes import ServiceResource
from container_tracer.domain.services.guests.guest import Guest, GuestTerms
from container_tracer.fakes.agent_span import agent_bincode, agent_json, frame

from .measured import Figure, Spread

SPANS = 4_096
READ_BYTES = 32_768
BATCH = 512
NOON_NS = 1_714_564_800_000_000_000
DUMP = "req: CreateContainerRequest { container_id: ... env: [...] }" * 50
RESOURCE = ServiceResource(service_name="kata-agent", host_name="host", node="n1")
PEER = GuestPeer(address="/run/vc/vm/f/clh.sock", sandbox_id="f" * 64, vmm="cloud-hypervisor")

ENCODINGS: dict[str, Callable[[AgentSpan], bytes]] = {"JSON": agent_json, "bincode": agent_bincode}


@define
class _Spans:
    """What a guest is made to hand on."""

    taken: list[SingleSpan] = field(factory=list)

    def take(self, _guest: Guest, span: SingleSpan) -> None:
        self.taken.append(span)


def figures(*, rounds: int) -> list[Figure]:
    """Measure both encodings."""
    found = []
    for name, encode in ENCODINGS.items():
        data = b"".join(frame(encode(_sent(number))) for number in range(SPANS))
        rates = Spread.of([_rate(data) for _ in range(10 * rounds)])
        found.append(Figure(f"spans of guests, {name} to OTLP on one core", rates, "k/s", least=10))
    return found


def _rate(data: bytes) -> float:
    """Return how many thousand spans a second are cut, read, redacted and encoded."""
    spans, clock = _Spans(), SystemClock()
    terms = GuestTerms(resource=RESOURCE, pods=lambda _: None)
    guest = Guest(peer=PEER, terms=terms, clock=clock, hand_on=spans.take, gone=lambda _: None)
    cutter = FrameCutter(1 << 24)
    began_ns = time.process_time_ns()
    for start in range(0, len(data), READ_BYTES):
        for payload in cutter.feed(data[start : start + READ_BYTES]):
            guest.took(payload)
    _encode(spans.taken)
    return SPANS / (time.process_time_ns() - began_ns) * 1e6


def _encode(spans: Sequence[SingleSpan]) -> None:
    for start in range(0, len(spans), BATCH):
        list(single_span_requests(RESOURCE, spans[start : start + BATCH]))


def _sent(number: int) -> AgentSpan:
    """Make what an agent says of a request, with a dump of it."""
    return AgentSpan(
        span=SingleSpan(
            name="create_container",
            trace_id=(number // 8 + 1).to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            started_ns=NOON_NS,
            ended_ns=NOON_NS + 1_000,
            attributes={"mod": "rpc", "req": DUMP, "busy_ns": 7, "idle_ns": 9},
            events=[SpanEvent(name="done", time_ns=NOON_NS, attributes={"level": "INFO"})],
        ),
        resource={},
    )
