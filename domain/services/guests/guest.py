"""One virtual machine: what its frames are, and whose."""

from collections.abc import Callable
from typing import TypeAlias

import structlog
from attrs import define, evolve, field, frozen

from ....ports.clock import Clock
from ...model.guests.agent_span import AgentSpan, MalformedAgentSpan
from ...model.guests.agent_span_reading import read_agent_span
from ...model.guests.missing_spans import GuestTraces
from ...model.guests.origin import guest_resource, guest_words
from ...model.guests.peer import GuestPeer
from ...model.guests.redaction import GuestTexts
from ...model.guests.stats import GuestStats
from ...model.pod import Pod
from ...model.sampling import SampleRate
from ...model.single_span import AttributeMap, SingleSpan, SpanOrigin
from ...model.span_attributes import ServiceResource

SandboxPods: TypeAlias = Callable[[str], Pod | None]
"""Returns the pod whose sandbox has this id, as far as it is known now."""

LOOK_SECONDS = 1.0
"""How often to ask again whose a guest is."""

_log = structlog.get_logger()


@frozen(kw_only=True)
class GuestTerms:
    """What is the same for all guests.

    `resource` is whose spans they are as far as that is the same: name of the service, node, tags.
    """

    resource: ServiceResource
    pods: SandboxPods
    sample_rate: SampleRate = field(factory=SampleRate)
    texts: GuestTexts = field(factory=GuestTexts)


@define(kw_only=True, eq=False)
class Guest:
    """A virtual machine from its first connection on; `GuestSpans.guest` makes it.

    A connection brings frames by `took` and `broke`, and ends with `left`. Spans go to `hand_on`.
    """

    peer: GuestPeer
    terms: GuestTerms = field(repr=False)
    clock: Clock = field(repr=False)
    hand_on: Callable[["Guest", SingleSpan], None] = field(repr=False)
    gone: Callable[["Guest"], None] = field(repr=False)
    pod: Pod | None = None
    stats: GuestStats = field(factory=GuestStats)
    connections: int = 0
    _traces: GuestTraces = field(factory=GuestTraces, repr=False)
    _origin: SpanOrigin | None = field(default=None, repr=False)
    _words: AttributeMap | None = field(default=None, repr=False)
    """What it said of itself with its first span."""
    _look_due_ns: int = 0

    @property
    def name(self) -> str:
        """What tells it from others: the id of its sandbox, or else its address."""
        return self.peer.name

    def took(self, payload: bytes) -> None:
        """Take the payload of a frame; never raises: what is no span is counted."""
        self.stats.frames += 1
        try:
            self._keep(read_agent_span(payload))
        except MalformedAgentSpan as error:
            self._note(error.reason, str(error))
        except Exception as error:  # noqa: BLE001 - no guest may use a fault of ours against others
            self._note("fault", "A frame met a fault of this program.", fault=error)

    def broke(self, reason: str) -> None:
        """Count a frame that could not be taken from the connection, and why, in a word."""
        self.stats.frames += 1
        self._note(reason, f"A frame could not be read: {reason}.")

    def left(self) -> None:
        """Say that a connection is over."""
        self.connections -= 1
        if not self.connections:
            self.gone(self)

    def settle(self) -> None:
        """Hand on what stands in for spans that will not come any more."""
        for span in self._traces.settle():
            self.stats.synthetic += 1
            self.hand_on(self, evolve(span, origin=self._origin))

    def _keep(self, sent: AgentSpan) -> None:
        """Hand on a span, or leave it out with the rest of its trace."""
        if not self.terms.sample_rate.keeps(sent.span.trace_id):
            self.stats.sampled_out += 1
            return
        if self._traces.add(sent.span):
            self.stats.late += 1
            _log.info("guest.span_came_late", guest=self.name, span_id=sent.span.span_id.hex())
        span = self.terms.texts.exported(sent.span, self._origin_of(sent.resource))
        self.stats.spans += 1
        self.stats.unattributed += self.pod is None
        self.hand_on(self, span)

    def _origin_of(self, said: AttributeMap) -> SpanOrigin:
        """Say whose its spans are; what it says of itself it says once, as agents do."""
        if self._words is None:
            self._words = guest_words(said)
        pod = self._known_pod()
        if self._origin is None or pod != self.pod:
            attributes = guest_resource(
                self.terms.resource, peer=self.peer, pod=pod, words=self._words
            )
            self._origin, self.pod = SpanOrigin(attributes=attributes), pod
        return self._origin

    def _known_pod(self) -> Pod | None:
        """Ask from time to time, until it is known whose it is, and what runs in there."""
        now_ns = self.clock.trace_ns()
        known = self.pod is not None and self.pod.containers
        if known or not self.peer.sandbox_id or now_ns < self._look_due_ns:
            return self.pod
        self._look_due_ns = now_ns + round(LOOK_SECONDS * 1e9)
        return self.terms.pods(self.peer.sandbox_id) or self.pod

    def _note(self, reason: str, what: str, *, fault: Exception | None = None) -> None:
        """Count a frame that is no span; say so once for each reason."""
        if not self.stats.malformed[reason]:
            _log.warning(
                "guest.malformed_frame",
                guest=self.name,
                reason=str(reason),
                error=what,
                exc_info=fault,
            )
        self.stats.malformed[reason] += 1
