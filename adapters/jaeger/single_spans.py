"""The tracer's own spans to a Jaeger collector."""

import asyncio
from collections.abc import Sequence

from attrs import define, field

from ...domain.model.single_span import SingleSpan
from ...domain.model.span_attributes import ServiceResource
from .collector import CollectorAddress, JaegerCollector
from .encoding import encode_batch
from .translation import own_batch


@define(kw_only=True, eq=False)
class JaegerSingleSpanExporter:
    """Keeps a connection from the first spans on until it is closed; `resource` is the tracer."""

    address: CollectorAddress
    resource: ServiceResource
    name: str = field(default="jaeger", init=False)
    _collector: JaegerCollector | None = None

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Post one batch; encoding is a thread's work. Raises as the port says."""
        if self._collector is None:
            self._collector = JaegerCollector.at(self.address)
        await self._collector.post(await asyncio.to_thread(self._encode, spans))

    async def close(self) -> None:
        """Hang up; again is harmless."""
        collector, self._collector = self._collector, None
        if collector is not None:
            await collector.close()

    def _encode(self, spans: Sequence[SingleSpan]) -> bytes:
        return encode_batch(own_batch(self.resource, spans))
