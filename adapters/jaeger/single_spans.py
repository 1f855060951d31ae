"""The tracer's own spans to Jaeger."""

import asyncio
from collections.abc import Sequence

from attrs import define, field

from ...domain.model.single_span import SingleSpan
from ...domain.model.span_attributes import ServiceResource
from ...ports.errors import ExportRejected
from .sender import TOO_LARGE, JaegerAddress, JaegerSender, Packet
from .translation import own_batch


@define(kw_only=True, eq=False)
class JaegerSingleSpanExporter:
    """Keeps a connection from the first spans on until it is closed; `resource` is the tracer."""

    address: JaegerAddress
    resource: ServiceResource
    name: str = field(default="jaeger", init=False)
    _sender: JaegerSender | None = None

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Send one batch; encoding is a thread's work. Raises as the port says."""
        if self._sender is None:
            self._sender = self.address.open()
        lost = 0
        for packet in await asyncio.to_thread(self._encode, self._sender, spans):
            if packet.body:
                await self._sender.send(packet.body)
            else:
                lost += packet.spans
        if lost:
            raise ExportRejected(TOO_LARGE, spans=lost)

    async def close(self) -> None:
        """Hang up; again is harmless."""
        sender, self._sender = self._sender, None
        if sender is not None:
            await sender.close()

    def _encode(self, sender: JaegerSender, spans: Sequence[SingleSpan]) -> list[Packet]:
        return sender.packets(own_batch(self.resource, spans))
