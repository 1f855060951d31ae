"""The exporter `jaeger`."""

import asyncio
from collections import deque

import numpy as np
from attrs import define, field

from ...domain.model.span_attributes import ServiceResource
from ...domain.model.spans import Int64, SpanBatch
from ...domain.model.traces import SessionTrace, TracedBatch, cut
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from ...ports.span_exporter import TraceContext
from .sender import TOO_LARGE, JaegerAddress, JaegerSender, Packet
from .translation import BatchTranslation

PART_SPANS = 2_000
"""So many spans at most are encoded at once, with the roots of their slices: less than 4 MB."""


GATHER_SECONDS = 1.0
"""Slices are cut from what gathered meanwhile: long enough for them to be more than crumbs."""


@define(kw_only=True, eq=False)
class _Parts:
    """A batch on its way, packet by packet.

    `taken` of its spans, the first ones, have arrived or are lost; `packets` are the rest of a
    part, and begin with `roots` roots of slices. `lost` are those that will never be taken, and
    `why` says why the first of them were not.
    """

    batch: SpanBatch
    traced: TracedBatch
    taken: int = 0
    packets: deque[Packet] = field(factory=deque)
    roots: int = 0
    lost: int = 0
    lost_events: int = 0
    why: ExportFailed | None = None

    @classmethod
    def of(cls, batch: SpanBatch, session: SessionTrace) -> "_Parts":
        return cls(batch=batch, traced=cut(batch, session))

    @property
    def left(self) -> int:
        return len(self.batch) - self.taken

    def encode_next(self, translation: BatchTranslation, sender: JaegerSender) -> None:
        """Encode the next spans; the root of a slice goes with its first span, and before it."""
        rows = np.flatnonzero(self._in_next(self.traced.row_of))
        first = self.traced.row_of[self.traced.slices.first]
        slices = np.flatnonzero(self._in_next(first))
        self.roots = len(slices)
        self.packets.extend(sender.packets(translation.spans(self.traced, rows, slices)))

    def packet_done(self, refusal: ExportFailed | None) -> None:
        """Count what the first packet holds, which was sent or will never be taken."""
        packet = self.packets.popleft()
        roots = min(self.roots, packet.spans)
        self.roots -= roots
        begin, self.taken = self.taken, self.taken + packet.spans - roots
        if refusal:
            self.why = self.why or refusal
            self.lost += self.taken - begin
            self.lost_events += self.batch.take(slice(begin, self.taken)).events

    def arrived(self) -> tuple[int, int]:
        """Count the spans, and events, that were confirmed."""
        events = self.batch.take(slice(self.taken)).events
        return self.taken - self.lost, events - self.lost_events

    def failure(self, why: ExportFailed) -> ExportFailed:
        """Say what it means for the batch that some of it will never be taken."""
        if self.lost == len(self.batch):
            return why
        return ExportRejected(str(why), spans=self.lost, events=self.lost_events)

    def _in_next(self, rows: Int64) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return (rows >= self.taken) & (rows < self.taken + PART_SPANS)


@define(eq=False)
class JaegerSink:
    """One run of a session; `output` is where spans go, and the session's trace.

    A batch that was delayed is remembered: when it comes again, what was confirmed is not sent
    twice.
    """

    _sender: JaegerSender
    _translation: BatchTranslation
    output: str
    _sending: _Parts | None = None
    _closed: bool = False

    async def write(self, batch: SpanBatch) -> None:
        """Send the batch in parts, in the order its spans came in; encoding is a thread's work.

        Raises as the port says; `ExportRejected` if some spans have arrived and others never will.
        """
        if self._closed:
            raise ExportFailed("This session's way to Jaeger is closed; start it again.")
        if self._sending is None or self._sending.batch is not batch:
            self._sending = await asyncio.to_thread(_Parts.of, batch, self._translation.session)
        parts = self._sending
        while parts.left:
            await self._send_next(parts)
        self._sending = None
        if parts.why:
            raise parts.failure(parts.why) from parts.why

    async def _send_next(self, parts: _Parts) -> None:
        if not parts.packets:
            await asyncio.to_thread(parts.encode_next, self._translation, self._sender)
        parts.packet_done(await self._refusal(parts.packets[0]))

    async def _refusal(self, packet: Packet) -> ExportFailed | None:
        """Send a packet; say why it will never be taken, if that is so."""
        try:
            await self._send_whole(packet)
        except ExportDelayed:
            raise
        except ExportFailed as error:
            return error
        return None

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Count what was confirmed of a batch that was given up."""
        if self._sending is None or self._sending.batch is not batch:
            return 0, 0
        return self._sending.arrived()

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Send the session's own span, if it began, and hang up; again is harmless.

        Raises as the port says: after `ExportDelayed` it is still to be closed.
        """
        if not self._closed and ended_ns is not None:
            await self._send_session_span(ended_ns)
        self._closed, self._sending = True, None
        await self._sender.close()

    async def _send_session_span(self, ended_ns: int) -> None:
        (packet,) = self._sender.packets(self._translation.session_span(ended_ns))
        if refusal := await self._refusal(packet):
            await self.close()
            raise refusal

    async def _send_whole(self, packet: Packet) -> None:
        if not packet.body:
            raise ExportFailed(TOO_LARGE)
        await self._sender.send(packet.body)


@define(kw_only=True)
class JaegerSpanExporter:
    """Sends spans to Jaeger, as Thrift; `resource` says who sends them."""

    address: JaegerAddress
    resource: ServiceResource
    gather_seconds: float = GATHER_SECONDS
    name: str = field(default="jaeger", init=False)

    async def open(self, context: TraceContext) -> JaegerSink:
        """Give a session its way to Jaeger, which need not be up yet."""
        session = context.trace
        translation = BatchTranslation(resource=self.resource, session=session)
        output = f"{self.address.shown} trace_id={session.trace_id.hex()}"
        return JaegerSink(self.address.open(), translation, output)
