"""OTLP over HTTP, with protobuf bodies (opentelemetry.io/docs/specs/otlp, OTLP/HTTP)."""

import asyncio
import gzip
import io
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Self

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from attrs import frozen

from ... import __version__
from ...domain.model.retry_after import retry_after_seconds
from ...ports.errors import ExportDelayed, ExportFailed
from .answers import PartialSuccess, UnreadableAnswer, quoted, read_status, read_success
from .settings import OtlpSettings

GZIP_LEVEL = 1
"""Spans are so regular that more effort hardly makes them smaller."""

MAX_ANSWER_BYTES = 64 << 10

PROTOBUF = "application/x-protobuf"

RETRYABLE = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
"""The specification knows no others."""


class QuietConnector(aiohttp.TCPConnector):
    """Uses no connection again on which somebody spoke without being asked.

    What was said would pass for the answer to the next request (RFC 9112, 9.3).
    """

    async def _get(self, key: ConnectionKey, traces: list[Trace]) -> Connection | None:
        while connection := await super()._get(key, traces):
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection
            connection.close()
        return None


@frozen(eq=False)
class HttpTransport:
    """One connection that is kept alive between requests."""

    _settings: OtlpSettings
    _session: aiohttp.ClientSession

    @classmethod
    async def open(cls, settings: OtlpSettings) -> Self:
        """Prepare to connect; raise `ExportFailed` if a certificate cannot be used."""
        tls = await asyncio.to_thread(tls_context, settings) if settings.encrypted else True
        headers = {
            "User-Agent": f"container-tracer/{__version__}",
            **settings.headers,
            "Content-Type": PROTOBUF,
            "Accept-Encoding": "identity",
            **({"Content-Encoding": "gzip"} if settings.gzip else {}),
        }
        session = aiohttp.ClientSession(
            connector=QuietConnector(limit=1, ssl=tls),
            timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return cls(settings, session)

    def pack(self, body: bytes) -> bytes:
        """Compress a body, if the settings say so."""
        if not self._settings.gzip:
            return body
        return gzip.compress(body, compresslevel=GZIP_LEVEL, mtime=0)

    async def send(self, packed: bytes) -> PartialSuccess:
        """POST a body; redirects are not followed. Raises as the port of transports says."""
        with self._as_export_errors():
            # A large body given as bytes would be written to the socket in one piece.
            sending = self._session.post(
                self._settings.endpoint, data=io.BytesIO(packed), allow_redirects=False
            )
            async with sending as response:
                if HTTPStatus(200) <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                    return await _success(response)
                raise await self._refusal(response)

    async def close(self) -> None:
        """Hang up."""
        await self._session.close()

    async def _refusal(self, response: aiohttp.ClientResponse) -> ExportFailed:
        said = f"{response.status} {quoted(response.reason or '')}".strip()
        if words := await _words(response):
            said = f"{said}: {words}"
        why = f"otlp: {self._settings.address} answered {said}"
        if response.status in RETRYABLE:
            asked = retry_after_seconds(
                response.headers.get("Retry-After", ""), now_ns=time.time_ns()
            )
            return ExportDelayed(why, retry_after_seconds=asked)
        if HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
            why += "; redirects are not followed"
        return ExportFailed(why)

    @contextmanager
    def _as_export_errors(self) -> Iterator[None]:
        """Whatever kept an answer from coming may pass."""
        address = self._settings.address
        try:
            yield
        except TimeoutError as error:
            seconds = f"{self._settings.timeout_seconds:g}"
            raise ExportDelayed(f"otlp: {address} did not answer within {seconds} s") from error
        except aiohttp.ClientError as error:
            raise ExportDelayed(f"otlp: {address} {_trouble(error)}") from error
        except OSError as error:
            raise ExportDelayed(f"otlp: {address} cannot be reached: {_reason(error)}") from error


def tls_context(settings: OtlpSettings) -> ssl.SSLContext:
    """Make what TLS needs of the files in the settings; raise `ExportFailed`."""
    try:
        context = ssl.create_default_context(
            cafile=str(settings.certificate) if settings.certificate else None
        )
        if settings.client_certificate:
            context.load_cert_chain(
                settings.client_certificate,
                settings.client_key,
                password="",
            )
    except (OSError, ssl.SSLError) as error:
        raise ExportFailed(f"otlp: the certificates cannot be used: {_reason(error)}") from error
    return context


async def _success(response: aiohttp.ClientResponse) -> PartialSuccess:
    """Read what came with a success; if that cannot be read, it stays a success."""
    try:
        return read_success(await _body(response))
    except (UnreadableAnswer, aiohttp.ClientError, TimeoutError, OSError):
        return PartialSuccess()


async def _words(response: aiohttp.ClientResponse) -> str:
    try:
        body = await _body(response)
        if response.content_type == PROTOBUF:
            return quoted(read_status(body).message)
    except (UnreadableAnswer, aiohttp.ClientError, TimeoutError, OSError):
        return ""
    return quoted(body.decode("utf-8", errors="replace"))


async def _body(response: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) >= MAX_ANSWER_BYTES:
            break
    return bytes(received[:MAX_ANSWER_BYTES])


def _trouble(error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"has a certificate that is not trusted: {_reason(error.certificate_error)}"
        case aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return "refused the connection"
        case aiohttp.ClientConnectorError():
            return f"cannot be reached: {_reason(error.os_error)}"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "closed the connection without an answer"
        case _:
            return f"did not answer in HTTP: {quoted(str(error)) or type(error).__name__}"


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return quoted(str(text))
