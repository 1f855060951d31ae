"""All the ways out of one run of a session."""

import asyncio
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen

from ...ports.clock import Clock
from ...ports.span_exporter import SpanExporter, TraceContext
from ..model.spans import SpanBatch
from ..model.stats import ExporterStats
from .delivery import Delivery

FLUSH_SECONDS = 3.0
"""How long a session that stops waits for its exporters."""


@frozen(eq=False)
class Deliveries:
    """One delivery for each of a session's exporters; lives as long as a run of the session."""

    members: list[Delivery] = field(factory=list)

    @classmethod
    async def open(
        cls,
        exporters: Mapping[str, SpanExporter],
        context: TraceContext,
        *,
        clock: Clock,
        statistics: dict[str, ExporterStats],
    ) -> Self:
        """Open a sink of each exporter, given by name; `statistics` gets an entry for each.

        Raises `ExportFailed`, and then leaves none open.
        """
        deliveries = cls()
        try:
            for name, exporter in exporters.items():
                sink = await exporter.open(context)
                counts = statistics.setdefault(name, ExporterStats())
                one = Delivery(name=name, sink=sink, clock=clock, statistics=counts)
                deliveries.members.append(one)
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
            one.offer(batch)

    async def close(self) -> None:
        """Deliver what waits, for a while, and close every sink."""
        await asyncio.gather(*(one.close(FLUSH_SECONDS) for one in self.members))
