"""Single spans to Jaeger."""

import asyncio
from collections.abc import Iterator, Sequence

from attrs import define, field, frozen

from ...domain.model.single_span import SingleSpan, by_origin
from ...domain.model.single_span_size import cut_to
from ...domain.model.span_attributes import ServiceResource
from ...ports.errors import ExportFailed, of_part
from .sender import TOO_LARGE, JaegerAddress, JaegerSender
from .single_span_translation import batch_of_origin, own_batch
from .thrift_values import ThriftBatch

MAX_BODY_BYTES = 4_000_000
"""No request is larger."""

_LARGE_BYTES = 1_000_000
_LEAST_BYTES = 1_000
"""How large a span may be that was too large, at first and at last."""


@frozen
class _Part:
    """A body, and the spans in it; without a body they are lost."""

    body: bytes
    spans: Sequence[SingleSpan]


@define(kw_only=True, eq=False)
class JaegerSingleSpanExporter:
    """Keeps a connection from the first spans on until it is closed; `resource` is the tracer."""

    address: JaegerAddress
    resource: ServiceResource
    name: str = field(default="jaeger", init=False)
    _sender: JaegerSender | None = None
    _arrived: int = 0

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Send as many batches as it takes, up to the first that fails. Raises as the port says.

        A batch holds spans of one origin. Encoding is a thread's work.
        """
        self._arrived = 0
        if self._sender is None:
            self._sender = self.address.open()
        parts = await asyncio.to_thread(self._encode, self._sender, spans)
        for place, part in enumerate(parts):
            try:
                await _send_part(self._sender, part)
            except ExportFailed as error:
                if len(parts) == 1:
                    raise
                untried = [span for one in parts[place + 1 :] for span in one.spans]
                raise of_part(error, part.spans, untried) from error
            self._arrived += len(part.spans)

    def arrived(self) -> int:
        """Count what was confirmed before sending was cancelled."""
        return self._arrived

    async def close(self) -> None:
        """Hang up; again is harmless."""
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    def _encode(self, sender: JaegerSender, spans: Sequence[SingleSpan]) -> list[_Part]:
        return [part for one in by_origin(spans) for part in self._parts(sender, one)]

    def _parts(self, sender: JaegerSender, spans: list[SingleSpan]) -> Iterator[_Part]:
        """Encode spans of one origin; what is too large is halved, a single span made smaller."""
        begin = 0
        for packet in sender.packets(self._batch(spans)):
            inside = spans[begin : begin + packet.spans]
            begin += packet.spans
            if _fits(packet.body):
                yield _Part(packet.body, inside)
            elif len(inside) > 1:
                middle = len(inside) // 2
                yield from self._parts(sender, inside[:middle])
                yield from self._parts(sender, inside[middle:])
            else:
                yield _Part(self._reduced(sender, inside[0]), inside)

    def _reduced(self, sender: JaegerSender, span: SingleSpan) -> bytes:
        """Encode so much of a span as fits."""
        allowed = _LARGE_BYTES
        while allowed >= _LEAST_BYTES:
            (packet,) = sender.packets(self._batch([cut_to(span, allowed)]))
            if _fits(packet.body):
                return packet.body
            allowed //= 2
        return b""

    def _batch(self, spans: Sequence[SingleSpan]) -> ThriftBatch:
        origin = spans[0].origin
        return batch_of_origin(origin, spans) if origin else own_batch(self.resource, spans)


def _fits(body: bytes) -> bool:
    return 0 < len(body) <= MAX_BODY_BYTES


async def _send_part(sender: JaegerSender, part: _Part) -> None:
    if not part.body:
        raise ExportFailed(TOO_LARGE)
    await sender.send(part.body)
