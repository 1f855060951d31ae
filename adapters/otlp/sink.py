"""One session's way to a collector that speaks OTLP."""

import asyncio
from collections import deque

from attrs import define, field, frozen

from ...domain.model.spans import SpanBatch
from ...domain.model.traces import SessionTrace, cut
from ...ports.errors import ExportDelayed, ExportFailed, ExportRejected
from .answers import rejection
from .encoding import SpanEncoder
from .encoding_single_spans import single_span_requests
from .transport import Transport

_NO_SESSION_SPAN = "the session's own span was not delivered"


@frozen(eq=False)
class _Part:
    """A request, and the spans in it."""

    packed: bytes
    spans: SpanBatch


@define(eq=False)
class _Sending:
    """A batch on its way, request by request, and what became of it so far."""

    batch: SpanBatch
    parts: deque[_Part]
    refused_spans: int = 0
    refused_events: int = 0
    why: str = ""

    def refuse(self, spans: int, why: str) -> None:
        """Note that some spans of the next part are refused: nobody says which, so the last."""
        part = self.parts[0].spans
        spans = min(spans, len(part))
        self.refused_spans += spans
        self.refused_events += part.take(slice(len(part) - spans, None)).events
        self.why = why

    def conclude(self) -> None:
        """Raise what is to be raised once nothing is left to be sent."""
        if not self.why:
            return
        if self.refused_spans == len(self.batch):
            raise ExportFailed(self.why)
        raise ExportRejected(self.why, spans=self.refused_spans, events=self.refused_events)


@define(kw_only=True, eq=False)
class OtlpSink:
    """Sends batches in requests of bounded size, and the session's own span when it is closed.

    A batch that was delayed is remembered: when it comes again, only those of its requests are
    sent that have not been answered.
    """

    output: str
    address: str
    encoder: SpanEncoder
    transport: Transport
    session: SessionTrace
    _sending: _Sending | None = None
    _closed: bool = field(default=False, init=False)

    async def write(self, batch: SpanBatch) -> None:
        """Send a batch; encoding and compression are a thread's work. Raises as the port says."""
        if self._closed:
            raise ExportFailed("This session's way to the collector is closed; start it again.")
        if self._sending is None or self._sending.batch is not batch:
            parts = await asyncio.to_thread(self._encode, batch)
            self._sending = _Sending(batch, parts)
        sending = self._sending
        while sending.parts:
            await self._send_next(sending)
        self._sending = None
        sending.conclude()

    def arrived(self, batch: SpanBatch) -> tuple[int, int]:
        """Count what was answered of a batch that was given up, but for what was refused."""
        sending = self._sending
        if sending is None or sending.batch is not batch:
            return 0, 0
        left = [part.spans for part in sending.parts]
        return (
            len(batch) - sum(map(len, left)) - sending.refused_spans,
            batch.events - sum(one.events for one in left) - sending.refused_events,
        )

    async def close(self, *, ended_ns: int | None = None) -> None:
        """Send the session's own span, if it began, and hang up. Raises as the port says."""
        if ended_ns is not None and not self._closed:
            await self._send_session(ended_ns)
        self._closed, self._sending = True, None
        await self.transport.close()

    async def _send_next(self, sending: _Sending) -> None:
        part = sending.parts[0]
        try:
            answer = await self.transport.send(part.packed)
        except ExportDelayed:
            raise
        except ExportFailed as error:
            sending.refuse(len(part.spans), str(error))
        else:
            if answer.rejected_spans > 0:
                sending.refuse(answer.rejected_spans, rejection(self.address, answer))
        sending.parts.popleft()

    async def _send_session(self, ended_ns: int) -> None:
        (request,) = single_span_requests(self.encoder.resource, [self.session.span(ended_ns)])
        try:
            answer = await self.transport.send(self.transport.pack(request.data))
        except ExportDelayed:
            raise
        except ExportFailed as error:
            await self.close()
            raise ExportFailed(f"{error}; {_NO_SESSION_SPAN}") from error
        if answer.rejected_spans > 0:
            await self.close()
            raise ExportFailed(f"{rejection(self.address, answer)}; {_NO_SESSION_SPAN}")

    def _encode(self, batch: SpanBatch) -> deque[_Part]:
        traced = cut(batch, self.session)
        parts: deque[_Part] = deque()
        first = 0
        for request in self.encoder.spans(traced, self.session):
            spans = traced.spans.take(slice(first, first + request.spans))
            parts.append(_Part(self.transport.pack(request.data), spans))
            first += request.spans
        return parts
