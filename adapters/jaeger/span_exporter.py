"""The exporter `jaeger`."""

import asyncio

import numpy as np
from attrs import define, field

from ...domain.model.span_attributes import ServiceResource
from ...domain.model.spans import Int64, SpanBatch
from ...domain.model.traces import SessionTrace, TracedBatch, cut
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from ...ports.span_exporter import TraceContext
from .collector import CollectorAddress, JaegerCollector
from .encoding import encode_batch
from .translation import BatchTranslation

PART_SPANS = 2_000
"""A request has so many spans at most, and the roots of their slices: it stays below 4 MB."""


GATHER_SECONDS = 1.0
"""Slices are cut from what gathered meanwhile: long enough for them to be more than crumbs."""


@define(kw_only=True, eq=False)
class _Parts:
    """A batch on its way, part by part; `taken` of its spans, the first ones, have arrived."""

    batch: SpanBatch
    traced: TracedBatch
    taken: int = 0

    @classmethod
    def of(cls, batch: SpanBatch, session: SessionTrace) -> "_Parts":
        return cls(batch=batch, traced=cut(batch, session))

    @property
    def left(self) -> int:
        return len(self.batch) - self.taken

    def encode_next(self, translation: BatchTranslation) -> bytes:
        """Encode the next spans; the root of a slice goes with its first span."""
        rows = np.flatnonzero(self._in_next(self.traced.row_of))
        first = self.traced.row_of[self.traced.slices.first]
        slices = np.flatnonzero(self._in_next(first))
        return encode_batch(translation.spans(self.traced, rows, slices))

    def next_taken(self) -> None:
        self.taken = min(self.taken + PART_SPANS, len(self.batch))

    def _in_next(self, rows: Int64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return (rows >= self.taken) & (rows < self.taken + PART_SPANS)


@define(eq=False)
class JaegerSink:
    """One run of a session; `output` is the collector's address, and the session's trace.

    A batch that was delayed is remembered: when it comes again, what the collector has confirmed
    is not sent twice.
    """

    _collector: JaegerCollector
    _translation: BatchTranslation
    output: str
    _sending: _Parts | None = None
    _closed: bool = False

    async def write(self, batch: SpanBatch) -> None:
        """Send the batch in parts, in the order its spans came in; encoding is a thread's work.

        Raises as the port says; `ExportRejected` if the collector took some parts and will not
        take the rest.
        """
        if self._closed:
            raise ExportFailed("This session's way to Jaeger is closed; start it again.")
        if self._sending is None or self._sending.batch is not batch:
            self._sending = await asyncio.to_thread(_Parts.of, batch, self._translation.session)
        while self._sending.left:
            await self._send_next(self._sending)
        self._sending = None

    async def _send_next(self, parts: _Parts) -> None:
        body = await asyncio.to_thread(parts.encode_next, self._translation)
        try:
            await self._collector.post(body)
        except ExportDelayed:
            raise
        except ExportFailed as error:
            if not parts.taken:
                raise
            raise ExportRejected(str(error), spans=parts.left) from error
        parts.next_taken()

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Count what was confirmed of a batch that was given up."""
        if self._sending is None or self._sending.batch is not batch:
            return 0, 0
        confirmed = batch.take(slice(self._sending.taken))
        return len(confirmed), confirmed.events

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Send the session's own span, if it began, and hang up; again is harmless.

        Raises as the port says: after `ExportDelayed` it is still to be closed.
        """
        if not self._closed and ended_ns is not None:
            await self._send_session_span(ended_ns)
        self._closed, self._sending = True, None
        await self._collector.close()

    async def _send_session_span(self, ended_ns: int) -> None:
        body = encode_batch(self._translation.session_span(ended_ns))
        try:
            await self._collector.post(body)
        except ExportDelayed:
            raise
        except ExportFailed:
            await self.close()
            raise


@define(kw_only=True)
class JaegerSpanExporter:
    """Sends spans to a Jaeger collector, as Thrift over HTTP; `resource` says who sends them."""

    address: CollectorAddress
    resource: ServiceResource
    gather_seconds: float = GATHER_SECONDS
    name: str = field(default="jaeger", init=False)

    async def open(self, context: TraceContext) -> JaegerSink:
        """Give a session its way to the collector, which need not be up yet."""
        session = context.trace
        translation = BatchTranslation(resource=self.resource, session=session)
        output = f"{self.address.url} trace_id={session.trace_id.hex()}"
        return JaegerSink(JaegerCollector.at(self.address), translation, output)
