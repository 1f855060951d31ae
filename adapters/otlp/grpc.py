"""OTLP over gRPC, by a generic call (opentelemetry.io/docs/specs/otlp, OTLP/gRPC)."""

import asyncio
from typing import Self, TypeAlias
from urllib.parse import urlsplit

import grpc
import grpc.aio
from attrs import define, field

from ... import __version__
from ...ports.errors import ExportDelayed, ExportFailed
from .answers import FailureStatus, PartialSuccess, UnreadableAnswer, quoted, read_status
from .answers import read_success as _read_success
from .settings import OtlpSettings

Export: TypeAlias = "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]"

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

RETRYABLE = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""By the specification; RESOURCE_EXHAUSTED is, too, if the collector says when to retry."""

_OPTIONS = (
    ("grpc.primary_user_agent", f"container-tracer/{__version__}"),
    # Whoever delivers retries; a second one behind his back could send what was counted.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    # gRPC's own wait before it connects again grows to two minutes, in which calls just fail.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Sessions hang up separately.
    ("grpc.use_local_subchannel_pool", 1),
    # As with HTTP: a proxy is for what leaves a cluster.
    ("grpc.enable_http_proxy", 0),
)


_LOST_STREAM = "Stream removed"
"""How gRPC's words begin, whatever the code, where a connection ended that an answer was due on."""


@define(eq=False)
class GrpcTransport:
    """One channel to a collector, and another one when it did not answer in time.

    gRPC keeps a connection on which nobody answers for a quarter of an hour; whoever was at its
    other end may be gone.
    """

    _settings: OtlpSettings
    _credentials: grpc.ChannelCredentials | None
    _channel: grpc.aio.Channel = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Make the first channel."""
        self._channel = self._new_channel()

    @classmethod
    async def open(cls, settings: OtlpSettings) -> Self:
        """Prepare to connect; raise `ExportFailed` if a certificate cannot be read."""
        if not settings.encrypted:
            return cls(settings, None)
        return cls(settings, await asyncio.to_thread(_credentials, settings))

    def pack(self, body: bytes) -> bytes:
        """Leave it as it is: gRPC compresses by itself."""
        return body

    async def send(self, packed: bytes) -> PartialSuccess:
        """Call the collector. Raises as the port of transports says."""
        export: Export = self._channel.unary_unary(EXPORT)
        try:
            answer = await export(
                packed,
                timeout=self._settings.timeout_seconds,
                metadata=tuple(self._settings.headers.items()),
            )
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                silent, self._channel = self._channel, self._new_channel()
                await silent.close()
            raise self._refusal(error) from error
        try:
            return _read_success(answer)
        except UnreadableAnswer:
            return PartialSuccess()

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close()

    def _new_channel(self) -> grpc.aio.Channel:
        settings, credentials = self._settings, self._credentials
        compression = grpc.Compression.Gzip if settings.gzip else grpc.Compression.NoCompression
        target = urlsplit(settings.endpoint).netloc.rpartition("@")[2]
        if credentials is None:
            return grpc.aio.insecure_channel(target, options=_OPTIONS, compression=compression)
        return grpc.aio.secure_channel(
            target, credentials, options=_OPTIONS, compression=compression
        )

    def _refusal(self, error: grpc.aio.AioRpcError) -> ExportFailed:
        code, status = error.code(), _status(error)
        words = quoted(status.message or error.details() or "")
        why = f"otlp: {self._settings.address} answered {code.name}: {words}".removesuffix(": ")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            seconds = f"{self._settings.timeout_seconds:g}"
            why = f"otlp: {self._settings.address} did not answer within {seconds} s"
        lost = (error.details() or "").startswith(_LOST_STREAM)
        full = code is grpc.StatusCode.RESOURCE_EXHAUSTED
        if lost or code in RETRYABLE or (full and status.may_retry):
            return ExportDelayed(why, retry_after_seconds=status.retry_seconds)
        return ExportFailed(why)


def _status(error: grpc.aio.AioRpcError) -> FailureStatus:
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return read_status(value)
            except UnreadableAnswer:
                break
    return FailureStatus()


def _credentials(settings: OtlpSettings) -> grpc.ChannelCredentials:
    files = (settings.certificate, settings.client_key, settings.client_certificate)
    try:
        root, key, chain = (one.read_bytes() if one else None for one in files)
    except OSError as error:
        why = f"otlp: {error.filename} cannot be read: {error.strerror}"
        raise ExportFailed(why) from error
    return grpc.ssl_channel_credentials(root, key, chain)
