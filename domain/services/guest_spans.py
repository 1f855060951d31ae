"""Spans of agents in virtual machines: read, attributed, and handed to every exporter."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import define, evolve, field

from ...ports.clock import Clock
from ...ports.single_span_exporter import SingleSpanExporter
from ..model.agent_span import AgentSpan, MalformedAgentSpan
from ..model.agent_span_reading import read_agent_span
from ..model.guest_peer import GuestPeer
from ..model.pod import Pod
from ..model.sampling import SampleRate
from ..model.single_span import SingleSpan, SpanOrigin
from ..model.span_attributes import ServiceResource
from .own_spans import CLOSE_SECONDS
from .single_span_delivery import SingleSpanDelivery

SandboxPods: TypeAlias = Callable[[str], Pod | None]
"""Returns the pod whose sandbox has this id, as far as it is known now."""


@define(kw_only=True, eq=False)
class Guest:
    """One virtual machine, for as long as it is connected; counts what became of its frames.

    frames = malformed + sampled out + spans
    """

    peer: GuestPeer
    spans_of: "GuestSpans" = field(repr=False)
    frames: int = 0
    sampled_out: int = 0
    spans: int = 0
    malformed: Counter[str] = field(factory=Counter)

    def took(self, payload: bytes) -> None:
        """Take the payload of a frame; never raises: what is no span is counted."""
        self.frames += 1
        try:
            sent = read_agent_span(payload)
        except MalformedAgentSpan as error:
            self.malformed[error.reason] += 1
            return
        self.spans_of.took(self, sent)

    def broke(self, reason: str) -> None:
        """Count a frame that could not be taken from the connection, and why, in a word."""
        self.frames += 1
        self.malformed[reason] += 1

    def left(self) -> None:
        """Say that it has hung up. It may come again."""


@define(kw_only=True, eq=False)
class GuestSpans:
    """Takes spans of all virtual machines, from `start` to `close`.

    `resource` is whose spans they are as far as that is the same for all: name of the service,
    node, tags. With `dumps` it is exported what requests to the agent held.
    """

    exporters: Sequence[SingleSpanExporter]
    clock: Clock
    resource: ServiceResource
    pods: SandboxPods
    sample_rate: SampleRate = field(factory=SampleRate)
    dumps: bool = False
    _deliveries: list[SingleSpanDelivery] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Give each exporter a queue of its own."""
        self._deliveries = [
            SingleSpanDelivery(exporter=one, clock=self.clock) for one in self.exporters
        ]

    def guest(self, peer: GuestPeer) -> Guest:
        """Have spans of one who has connected attributed to him."""
        return Guest(peer=peer, spans_of=self)

    async def start(self) -> None:
        """Begin to deliver."""
        for one in self._deliveries:
            one.start()

    async def close(self) -> None:
        """Deliver what waits, if that can be done soon, and drop the rest."""
        await asyncio.gather(*(one.close(CLOSE_SECONDS) for one in self._deliveries))

    def took(self, guest: Guest, sent: AgentSpan) -> None:
        """Keep a span, or leave it out with the rest of its trace."""
        if not self.sample_rate.keeps(sent.span.trace_id):
            guest.sampled_out += 1
            return
        guest.spans += 1
        span = evolve(sent.span, origin=SpanOrigin(attributes=self.resource.attributes))
        self._offer(span)

    def _offer(self, span: SingleSpan) -> None:
        for one in self._deliveries:
            one.offer(span)
