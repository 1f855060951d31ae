"""What a collector was sent through a proxy, and what its sender could know of it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from attrs import define, field, frozen
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from container_tracer.fakes.jaeger_collector import CollectedSpan, read_batch
from tests.collectors import Received, Reply

from .exchanges import MARK, Exchange, Exchanges

SpanKey: TypeAlias = tuple[bytes, bytes]
"""Ids of a trace and a span."""

TAKES = ("take", "partial", "garbage")
FINAL = (*TAKES, "refuse", "full")
CANNOT_NOW = "Cannot submit Jaeger batch"
"""With this a Jaeger collector's refusal is for now."""


@frozen
class SentSpan:
    """A span as it arrives; `call` tells whether it is one of a batch, rather than their root."""

    key: SpanKey
    name: str
    call: bool
    start_us: int


ReadRequest: TypeAlias = Callable[[bytes], Sequence[SentSpan]]


def read_otlp(body: bytes) -> list[SentSpan]:
    """Read a request with OpenTelemetry's own code."""
    return [
        SentSpan(
            key=(span.trace_id, span.span_id),
            name=span.name,
            call=bool(span.parent_span_id),
            start_us=(span.start_time_unix_nano + 500) // 1_000,
        )
        for one in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    ]


def read_jaeger(body: bytes) -> list[SentSpan]:
    """Read a request with Jaeger's own code."""
    return sent_to_jaeger(read_batch(body))


def sent_to_jaeger(spans: Sequence[CollectedSpan]) -> list[SentSpan]:
    return [
        SentSpan(
            key=(span.trace_id.to_bytes(16, "big"), span.span_id.to_bytes(8, "big")),
            name=span.name,
            call=bool(span.parent_id),
            start_us=span.start_us,
        )
        for span in spans
    ]


@frozen(eq=False, kw_only=True)
class Arrival:
    """A request that arrived whole: `sent` are its spans, `taken` those the collector keeps.

    `reported` are those that its answer says are kept, as far as one can tell which: it has the
    number of calls that were rejected, and the last ones are counted as such. `final` tells that
    the answer forbids to send it again.
    """

    exchange: Exchange
    sent: Sequence[SentSpan]
    taken: Sequence[SentSpan]
    reported: Sequence[SentSpan]
    final: bool
    asked_seconds: float = 0.0

    @property
    def known(self) -> Sequence[SentSpan]:
        """What its sender knows to be kept; of a success that breaks off it knows no exceptions."""
        return self.sent if self.reported and self.exchange.cut else self.reported


@define(eq=False, kw_only=True)
class Ledger(Received):
    """A collector that takes requests, or refuses them by chance; it knows what is to be counted.

    `patience_seconds` is how long an answer may take that its sender has surely waited for.
    """

    exchanges: Exchanges
    read: ReadRequest
    patience_seconds: float
    refusals: Mapping[Reply, float] = field(factory=dict)
    arrivals: list[Arrival] = field(factory=list)
    said: "Counter[str]" = field(factory=Counter)

    def receive(self, body: bytes, path: str, headers: Mapping[str, str]) -> Reply:  # noqa: ARG002 - as others have it
        reply, sent = self._choose(), self.read(body)
        self.said[reply.behaviour] += 1
        exchange = self.exchanges.every[int(headers[MARK])]
        taken, reported = self._taken(sent, reply)
        arrival = Arrival(
            exchange=exchange,
            sent=sent,
            taken=taken,
            reported=reported,
            final=reply.behaviour in FINAL and not reply.message.startswith(CANNOT_NOW),
            asked_seconds=reply.number if reply.behaviour == "busy for" else 0.0,
        )
        self.arrivals.append(arrival)
        return reply

    def known(self, *, doubtful: bool) -> list[SentSpan]:
        """Return what senders know to be kept, with or without answers that may have been late."""
        return [
            span
            for one in self.arrivals
            if self._answered(one) or (doubtful and one.exchange.answered is not None)
            for span in one.known
        ]

    @property
    def kept(self) -> set[SpanKey]:
        """Everything that is here."""
        return {span.key for one in self.arrivals for span in one.taken}

    def check_twice(self) -> int:
        """Count what came again; that may only be what was in requests without an answer.

        What its sender knows the fate of never comes again.
        """
        times: Counter[SpanKey] = Counter()
        unanswered: Counter[SpanKey] = Counter()
        final: set[SpanKey] = set()
        for one in self.arrivals:
            keys = [span.key for span in one.sent]
            assert len(set(keys)) == len(keys), "a request has a span twice"
            assert not final.intersection(keys), f"{one.exchange} repeats what was over"
            times.update(span.key for span in one.taken)
            if not self._answered(one):
                unanswered.update(keys)
            elif one.final:
                final.update(keys)
        assert all(count <= unanswered[key] + 1 for key, count in times.items())
        return sum(count - 1 for count in times.values())

    def check_patience(self, haste: float) -> None:
        """Let nobody come back before he was asked to; his pauses are so many times shorter."""
        every = self.exchanges.every
        for one in self.arrivals:
            following = every[one.exchange.number + 1 :][:1]
            if one.asked_seconds and self._answered(one) and following:
                assert one.exchange.answered is not None
                pause = following[0].began - one.exchange.answered
                assert pause > one.asked_seconds / haste - 0.002, (pause, one.exchange)

    def _answered(self, one: Arrival) -> bool:
        return self.exchanges.in_time(one.exchange, patience_seconds=self.patience_seconds)

    def _choose(self) -> Reply:
        number = self.exchanges.drawn.random()
        for reply, share in self.refusals.items():
            if number < share:
                return reply
            number -= share
        return Reply()

    def _taken(
        self, sent: Sequence[SentSpan], reply: Reply
    ) -> tuple[Sequence[SentSpan], Sequence[SentSpan]]:
        """Return what is kept, and what is said to be."""
        if reply.behaviour != "partial":
            return (sent, sent) if reply.behaviour in TAKES else ((), ())
        calls = [one for one in sent if one.call]
        count = min(reply.number, len(calls))
        rejected = {one.key for one in self.exchanges.drawn.sample(calls, count)}
        last = {one.key for one in calls[len(calls) - count :]}
        return (
            [one for one in sent if one.key not in rejected],
            [one for one in sent if one.key not in last],
        )
