"""Single spans to a collector that speaks OTLP."""

import asyncio
from collections.abc import Sequence

from attrs import define, field

from ...domain.model.single_span import SingleSpan
from ...domain.model.span_attributes import ServiceResource
from ...ports.errors import ExportFailed, ExportRejected, of_part
from .answers import rejection
from .encoding_messages import MAX_REQUEST_BYTES
from .encoding_single_spans import SingleSpansRequest, single_span_requests
from .opening import opening
from .settings import OtlpSettings
from .transport import OpenTransport, Transport


@define(kw_only=True, eq=False)
class OtlpSingleSpanExporter:
    """Keeps a connection from the first spans on until it is closed; `resource` is the tracer."""

    settings: OtlpSettings
    resource: ServiceResource
    max_request_bytes: int = MAX_REQUEST_BYTES
    name: str = field(default="otlp", init=False)
    _open_transport: OpenTransport = field(init=False)
    _transport: Transport | None = None
    _arrived: int = 0

    def __attrs_post_init__(self) -> None:
        """Load what speaks the protocol."""
        self._open_transport = opening(self.settings.protocol)

    async def send(self, spans: Sequence[SingleSpan]) -> None:
        """Send as many requests as it takes, up to the first that fails. Raises as the port says.

        Encoding and compression are a thread's work.
        """
        self._arrived = 0
        if self._transport is None:
            self._transport = await self._open_transport(self.settings)
        requests = await asyncio.to_thread(self._encode, spans)
        for place, request in enumerate(requests):
            try:
                await self._send_one(self._transport, request)
            except ExportFailed as error:
                if len(requests) == 1:
                    raise
                untried = [span for one in requests[place + 1 :] for span in one.spans]
                raise of_part(error, request.spans, untried) from error
            self._arrived += len(request.spans)

    def arrived(self) -> int:
        """Count what was answered before sending was cancelled."""
        return self._arrived

    async def close(self) -> None:
        """Hang up; again is harmless."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()

    def _encode(self, spans: Sequence[SingleSpan]) -> list[SingleSpansRequest]:
        return single_span_requests(self.resource, spans, max_request_bytes=self.max_request_bytes)

    async def _send_one(self, transport: Transport, request: SingleSpansRequest) -> None:
        packed = await asyncio.to_thread(transport.pack, request.data)
        answer = await transport.send(packed)
        if answer.rejected_spans > 0:
            why = rejection(self.settings.address, answer)
            raise ExportRejected(why, spans=min(answer.rejected_spans, len(request.spans)))
