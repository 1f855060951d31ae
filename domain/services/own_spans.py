"""A tracer's own spans: how they begin and end, and how they reach those who keep them."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from attrs import define, field

from ...ports.clock import Clock
from ...ports.single_span_exporter import SingleSpanExporter
from ..model.single_span import AttributeValue, SingleSpan, SingleSpanKind, SpanStatus
from ..model.trace_context import SpanContext
from .single_span_delivery import SingleSpanCounts, SingleSpanDelivery

CLOSE_SECONDS = 2.0
"""How long spans that wait may take to be sent when the program ends."""


@define(kw_only=True, eq=False)
class OpenSpan:
    """A span that is not over; `context` is what those see whom it asks for something.

    `attributes` and `error` may change until it is; an error of None is what the block raises.
    """

    name: str
    kind: SingleSpanKind
    context: SpanContext
    parent_span_id: bytes
    started_ns: int
    attributes: dict[str, AttributeValue] = field(factory=dict)
    error: str | None = None

    def over(self, ended_ns: int) -> SingleSpan:
        """Say what it was."""
        return SingleSpan(
            name=self.name,
            kind=self.kind,
            trace_id=self.context.trace_id,
            span_id=self.context.span_id,
            parent_span_id=self.parent_span_id,
            trace_state=self.context.trace_state,
            started_ns=self.started_ns,
            ended_ns=ended_ns,
            attributes=dict(self.attributes),
            status=SpanStatus.ERROR if self.error else SpanStatus.UNSET,
            status_message=self.error or "",
        )


@define(kw_only=True, eq=False)
class OwnSpans:
    """Hands spans to every exporter, from `start` to `close`, without making anybody wait."""

    exporters: Sequence[SingleSpanExporter]
    clock: Clock
    _deliveries: list[SingleSpanDelivery] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Give each exporter a queue of its own."""
        self._deliveries = [
            SingleSpanDelivery(exporter=one, clock=self.clock) for one in self.exporters
        ]

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: SingleSpanKind,
        caller: SpanContext | None,
        attributes: Mapping[str, AttributeValue],
    ) -> Iterator[OpenSpan | None]:
        """Have a span while in the block: a child of the caller's, else the root of a new trace.

        None if nobody would keep it: there is no exporter, or the caller's is not kept either.
        """
        if not self.exporters or (caller and not caller.sampled):
            yield None
            return
        span = OpenSpan(
            name=name,
            kind=kind,
            context=_below(caller),
            parent_span_id=caller.span_id if caller else b"",
            started_ns=self.clock.wall_ns(),
            attributes=dict(attributes),
        )
        try:
            yield span
        except BaseException as error:
            if span.error is None:
                span.error = str(error) or type(error).__name__
            raise
        finally:
            self._record(span.over(self.clock.wall_ns()))

    def counts(self) -> Mapping[str, SingleSpanCounts]:
        """Return what became of the spans, by exporter."""
        return {one.exporter.name: one.counts for one in self._deliveries}

    async def start(self) -> None:
        """Begin to deliver."""
        for one in self._deliveries:
            one.start()

    async def close(self) -> None:
        """Deliver what waits, if that can be done soon, and drop the rest."""
        await asyncio.gather(*(one.close(CLOSE_SECONDS) for one in self._deliveries))

    def _record(self, span: SingleSpan) -> None:
        for one in self._deliveries:
            one.offer(span)


def _below(caller: SpanContext | None) -> SpanContext:
    return SpanContext(
        trace_id=caller.trace_id if caller else _random_id(16),
        span_id=_random_id(8),
        trace_state=caller.trace_state if caller else "",
    )


def _random_id(length: int) -> bytes:
    return (secrets.randbelow((1 << 8 * length) - 1) + 1).to_bytes(length, "big")
