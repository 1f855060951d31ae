"""The exporter `otlp`."""

from attrs import define, field

from ...domain.model.span_attributes import ServiceResource
from ...ports.span_exporter import TraceContext
from .encoding import SpanEncoder
from .encoding_messages import MAX_REQUEST_BYTES
from .opening import opening
from .settings import OtlpSettings
from .sink import OtlpSink
from .transport import OpenTransport

GATHER_SECONDS = 1.0
"""Slices are cut from what gathered meanwhile: long enough for them to be more than crumbs."""


@define(kw_only=True)
class OtlpSpanExporter:
    """Sends spans to an OpenTelemetry collector, over HTTP or gRPC.

    `resource` says who sends them. Each session has a connection of its own.
    """

    settings: OtlpSettings
    resource: ServiceResource
    max_request_bytes: int = MAX_REQUEST_BYTES
    name: str = field(default="otlp", init=False)
    gather_seconds: float = field(default=GATHER_SECONDS, init=False)
    _open_transport: OpenTransport = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Load what speaks the protocol."""
        self._open_transport = opening(self.settings.protocol)

    async def open(self, context: TraceContext) -> OtlpSink:
        """Prepare to connect: that a collector is down is found out later, and retried.

        Raises `ExportFailed` if a certificate cannot be used.
        """
        session, address = context.trace, self.settings.address
        return OtlpSink(
            output=f"{address} trace_id={session.trace_id.hex()}",
            address=address,
            encoder=SpanEncoder(self.resource, max_request_bytes=self.max_request_bytes),
            transport=await self._open_transport(self.settings),
            session=session,
        )
