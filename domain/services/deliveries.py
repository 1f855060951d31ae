"""All the ways out of one run of a session."""

import asyncio
from collections.abc import Mapping
from typing import Self

from attrs import define, field

from ...ports.clock import Clock
from ...ports.span_exporter import SpanExporter, SpanSink, TraceContext
from ..model.single_span import SpanLink
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats
from ..model.trace_context import SpanContext
from .delivery import Delivery
from .gathering import Gatherer
from .own_spans import OwnSpans
from .traced_sink import TracedSink

FLUSH_SECONDS = 3.0
"""How long a session that stops waits for its exporters."""


@define(kw_only=True, eq=False)
class Deliveries:
    """One delivery for each of a session's exporters; lives as long as a run of the session.

    Those whose exporters let spans gather for the same time are offered the same units. `links`
    name the session's own span, if there is anybody who gets it.
    """

    clock: Clock
    links: tuple[SpanLink, ...] = ()
    members: list[Delivery] = field(factory=list)
    _gatherers: dict[float, Gatherer] = field(factory=dict)

    @classmethod
    async def open(
        cls,
        exporters: Mapping[str, SpanExporter],
        context: TraceContext,
        *,
        clock: Clock,
        statistics: dict[str, ExporterStats],
        spans: OwnSpans | None = None,
    ) -> Self:
        """Open a sink of each exporter, given by name; `statistics` gets an entry for each.

        Raises `ExportFailed`, and then leaves none open.
        """
        own = context.trace
        link = SpanLink(context=SpanContext(trace_id=own.trace_id, span_id=own.span_id))
        links = (link,) if exporters else ()
        deliveries = cls(clock=clock, links=links)
        try:
            for name, exporter in exporters.items():
                sink: SpanSink = await exporter.open(context)
                counts = statistics.setdefault(name, ExporterStats())
                if spans:
                    sink = TracedSink(sink=sink, spans=spans, exporter=name, links=links)
                one = Delivery(name=name, sink=sink, clock=clock, statistics=counts)
                deliveries.members.append(one)
                deliveries._gatherer(exporter.gather_seconds).deliveries.append(one)
                one.start()
        except BaseException:
            await deliveries.close()
            raise
        return deliveries

    @property
    def outputs(self) -> tuple[str, ...]:
        """Where a person finds the spans."""
        return tuple(one.sink.output for one in self.members if one.sink.output)

    @property
    def errors(self) -> tuple[str, ...]:
        """What went wrong last, with each that had a fault."""
        return tuple(one.error for one in self.members if one.error)

    def offer(self, batch: SpanBatch) -> None:
        """Give spans to each."""
        for one in self.members:
            one.statistics.expect(spans=len(batch), events=batch.events)
        for gatherer in self._gatherers.values():
            gatherer.offer(batch)

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Deliver what waits, for a while, and close every sink.

        `ended_ns` is when the run ended (wall clock), None if it never began.
        """
        for gatherer in self._gatherers.values():
            gatherer.close()
        closing = (one.close(FLUSH_SECONDS, ended_ns=ended_ns) for one in self.members)
        await asyncio.gather(*closing)

    def _gatherer(self, seconds: float) -> Gatherer:
        if seconds not in self._gatherers:
            self._gatherers[seconds] = Gatherer(seconds=seconds, clock=self.clock)
        return self._gatherers[seconds]
