"""Each attempt to export spans of a session is a span of the tracer itself.

Exporting the tracer's own spans is none: it would never end.
"""

from collections.abc import Sequence

from attrs import define, field

from ...ports.span_exporter import SpanSink
from ..model.single_span import SingleSpanKind, SpanLink
from ..model.spans import SpanBatch
from .own_spans import OwnSpans


@define(kw_only=True, eq=False)
class TracedSink:
    """A `SpanSink` whose writes are spans, linked to the span of the session they are of."""

    sink: SpanSink
    spans: OwnSpans
    exporter: str
    links: Sequence[SpanLink]
    output: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Lead where the sink does."""
        self.output = self.sink.output

    async def write(self, batch: SpanBatch) -> None:
        """Deliver all spans of the batch; raises what the sink does."""
        with self.spans.span(
            f"export {self.exporter}",
            kind=SingleSpanKind.CLIENT,
            attributes={
                "container_tracer.exporter": self.exporter,
                "container_tracer.spans": len(batch),
                "container_tracer.events": batch.events,
            },
            links=self.links,
        ):
            await self.sink.write(batch)

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Tell how many spans, and events, of a batch have arrived whose write was given up."""
        return self.sink.arrived(batch)

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Finish what was written; raises what the sink does."""
        await self.sink.close(ended_ns=ended_ns)
