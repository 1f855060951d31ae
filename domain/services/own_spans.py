"""A tracer's own spans: how they begin and end, and how they reach those who keep them."""

import asyncio
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from attrs import Factory, define, field

from ...ports.clock import Clock
from ...ports.single_span_exporter import SingleSpanExporter
from ..model.single_span import AttributeMap, SingleSpanKind, SpanLink
from ..model.trace_context import SpanContext
from .open_span import CURRENT, OpenSpan, SpanObserver
from .single_span_delivery import SingleSpanCounts, SingleSpanDelivery

CLOSE_SECONDS = 2.0
"""How long spans that wait may take to be sent when the program ends."""


def every_trace(_trace_id: bytes) -> bool:
    """Keep all."""
    return True


@define(kw_only=True, eq=False)
class OwnSpans:
    """Hands spans to every exporter, from `start` to `close`, without making anybody wait.

    `keeps` says of the id of a trace that begins here whether its spans are exported. `observers`
    see all spans.
    """

    clock: Clock
    exporters: Sequence[SingleSpanExporter] = ()
    observers: Sequence[SpanObserver] = ()
    keeps: Callable[[bytes], bool] = every_trace
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
        kind: SingleSpanKind = SingleSpanKind.INTERNAL,
        caller: SpanContext | None = None,
        attributes: AttributeMap | None = None,
        links: Sequence[SpanLink] = (),
        exported: bool = True,
    ) -> Iterator[OpenSpan]:
        """Have a span while in the block, and all that begin in it below it.

        It is below the caller's, who is elsewhere, else below the one this code runs in, else the
        root of a new trace. It is exported if that above is, and it is to be.
        """
        span = self._open(name, kind, caller, exported=exported)
        self._begin(span, attributes, links)
        token = CURRENT.set(span)
        try:
            yield span
        except BaseException as error:
            span.fail(error)
            raise
        finally:
            CURRENT.reset(token)
            self._end(span)

    def record(
        self,
        name: str,
        *,
        started_ns: int,
        kind: SingleSpanKind = SingleSpanKind.INTERNAL,
        attributes: AttributeMap | None = None,
        links: Sequence[SpanLink] = (),
        error: str = "",
        exported: bool = True,
    ) -> None:
        """Have a span of what began at a time of the wall clock, and is over just now."""
        span = self._open(name, kind, None, exported=exported)
        span.started_ns, span.error = started_ns, error
        self._begin(span, attributes, links)
        self._end(span)

    def counts(self) -> Mapping[str, SingleSpanCounts]:
        """Return what became of the spans, by exporter."""
        return {one.exporter.name: one.counts for one in self._deliveries}

    async def start(self) -> None:
        """Begin to deliver."""
        for one in self._deliveries:
            one.start()

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Deliver what waits, in so long at most, and drop the rest."""
        await asyncio.gather(*(one.close(seconds) for one in self._deliveries))

    def _open(
        self, name: str, kind: SingleSpanKind, caller: SpanContext | None, *, exported: bool
    ) -> OpenSpan:
        above = None if caller else CURRENT.get()
        parent = caller or (above and above.context)
        trace_id = parent.trace_id if parent else _random_id(16)
        wanted = exported and bool(self.exporters)
        kept = wanted and (parent.sampled if parent else self.keeps(trace_id))
        context = SpanContext(
            trace_id=trace_id,
            span_id=_random_id(8),
            sampled=kept,
            trace_state=parent.trace_state if parent else "",
        )
        heard = above.told if above else caller
        # A trace that begins here, and is not kept, is not to be kept by others either.
        refused = wanted and parent is None
        return OpenSpan(
            name=name,
            kind=kind,
            context=context,
            told=context if kept or refused else heard,
            parent_span_id=parent.span_id if parent else b"",
            started_ns=self.clock.wall_ns(),
        )

    def _begin(
        self, span: OpenSpan, attributes: AttributeMap | None, links: Sequence[SpanLink]
    ) -> None:
        span.attributes.update(attributes or {})
        span.links.extend(links)
        for one in self.observers:
            one.began(span)

    def _end(self, span: OpenSpan) -> None:
        if not (self.observers or span.context.sampled):
            return
        over = span.over(self.clock.wall_ns())
        for one in self.observers:
            one.ended(over)
        if span.context.sampled:
            for delivery in self._deliveries:
                delivery.offer(over)


def _random_id(length: int) -> bytes:
    made = secrets.token_bytes(length)
    return made if any(made) else _random_id(length)


class _HasClock(Protocol):
    clock: Clock


def _for_nobody(owner: _HasClock) -> OwnSpans:
    return OwnSpans(clock=owner.clock)


FOR_NOBODY: OwnSpans = Factory(_for_nobody, takes_self=True)
"""The default of a field after `clock`: spans that nobody exports or sees."""
