"""The tracer's own spans to a collector that speaks OTLP."""

import asyncio
from collections.abc import Sequence

from attrs import define, field

from ...domain.model.single_span import SingleSpan
from ...domain.model.span_attributes import ServiceResource
from ...ports.errors import ExportRejected
from .answers import rejection
from .encoding import SpanEncoder
from .opening import opening
from .settings import OtlpSettings
from .transport import OpenTransport, Transport


@define(kw_only=True, eq=False)
class OtlpSingleSpanExporter:
    """Keeps a connection from the first spans on until it is closed; `resource` is the tracer."""

    settings: OtlpSettings
    resource: ServiceResource
    name: str = field(default="otlp", init=False)
    _open_transport: OpenTransport = field(init=False)
    _transport: Transport | None = None

    def __attrs_post_init__(self) -> None:
        """Load what speaks the protocol."""
        self._open_transport = opening(self.settings.protocol)

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Send one request; encoding is a thread's work. Raises as the port says."""
        if self._transport is None:
            self._transport = await self._open_transport(self.settings)
        packed = await asyncio.to_thread(self._pack, self._transport, spans)
        answer = await self._transport.send(packed)
        if answer.rejected_spans > 0:
            why = rejection(self.settings.address, answer)
            raise ExportRejected(why, spans=min(answer.rejected_spans, len(spans)))

    async def close(self) -> None:
        """Hang up; again is harmless."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    def _pack(self, transport: Transport, spans: Sequence[SingleSpan]) -> bytes:
        return transport.pack(SpanEncoder(self.resource).own(spans))
