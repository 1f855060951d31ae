"""A Jaeger collector, reached over HTTP."""

import io
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from http import HTTPStatus

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from attrs import define, field, frozen

from ...domain.model.quoting import printable
from ...domain.model.retry_after import retry_after_seconds
from ...ports.errors import ExportDelayed, ExportFailed
from .encoding import encode_batch
from .sender import Packet
from .thrift_values import ThriftBatch

POST_SECONDS = 10.0
"""How long a collector may take to say that it has got a batch."""

MAX_ANSWER_BYTES = 4096
MAX_QUOTED = 300
"""So much of what a collector says about a failure is told, in characters."""

_FORM: Mapping[str, str] = {"Content-Type": "application/x-thrift"}

_BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
_CANNOT_NOW = "Cannot submit Jaeger batch"
"""How a collector's answer begins whose queue, memory or storage is at fault: it says 500 then."""

_ADVICE: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "; check JAEGER_USER and JAEGER_PASSWORD",
    HTTPStatus.FORBIDDEN: "; check JAEGER_USER and JAEGER_PASSWORD",
    HTTPStatus.NOT_FOUND: "; check the path: a collector takes spans at /api/traces",
}


@frozen(kw_only=True)
class CollectorAddress:
    """Where a collector takes Thrift over HTTP, and who says so; `user` may be empty."""

    url: str
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What a request says beside its body: its form, and who we are if there is a user."""
        headers = dict(_FORM)
        if self.user:
            basic = b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {basic}"
        return headers

    @property
    def shown(self) -> str:
        """How people are told of it."""
        return self.url

    def where(self) -> str:
        """Return the URL to post to."""
        return self.url

    def open(self) -> "JaegerCollector":
        """Prepare to send; nothing is connected yet."""
        return JaegerCollector.at(self)


@frozen(kw_only=True)
class MovingCollector:
    """A collector that is looked for: `where` is its URL now, or raises `ExportDelayed`.

    Nobody says to it who we are: it may be anybody's.
    """

    where: Callable[[], str]
    headers: Mapping[str, str] = field(default=_FORM, init=False)

    @property
    def shown(self) -> str:
        """How people are told of it."""
        try:
            return self.where()
        except ExportDelayed:
            return "http://jaeger-collector:14268/api/traces"

    def open(self) -> "JaegerCollector":
        """Prepare to send; nothing is connected yet."""
        return JaegerCollector.at(self)


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


@define(eq=False)
class JaegerCollector:
    """A connection to a collector, kept alive until `close`; lives as long as a sink."""

    address: CollectorAddress | MovingCollector
    _http: aiohttp.ClientSession

    @classmethod
    def at(
        cls, address: CollectorAddress | MovingCollector, *, seconds: float = POST_SECONDS
    ) -> "JaegerCollector":
        """Prepare to send; nothing is connected yet."""
        http = aiohttp.ClientSession(
            connector=QuietConnector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=address.headers,
            timeout=aiohttp.ClientTimeout(total=seconds),
        )
        return cls(address, http)

    def packets(self, batch: ThriftBatch) -> list[Packet]:
        """Encode a batch, which goes in one request."""
        return [Packet(encode_batch(batch), len(batch.spans))]

    async def send(self, body: bytes) -> None:
        """Post a packet.

        Raises `ExportDelayed` if the collector cannot be reached or cannot take it now, and
        `ExportFailed` if it refuses it.
        """
        url = self.address.where()
        try:
            # A large body given as bytes would be written to the socket in one piece.
            async with self._http.post(url, data=io.BytesIO(body), allow_redirects=False) as answer:
                if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
                    raise await _failure(url, answer)
        except TimeoutError as error:
            raise ExportDelayed(f"jaeger: {url} did not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            why = _quoted(str(error)) or type(error).__name__
            raise ExportDelayed(f"jaeger: {url} failed: {why}") from error

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._http.close()


async def _failure(url: str, answer: aiohttp.ClientResponse) -> ExportFailed:
    said = await _said(answer)
    busy = answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and said.startswith(_CANNOT_NOW)
    location = answer.headers.get("Location")
    advice = f"; try {_quoted(location)}" if location else _ADVICE.get(answer.status, "")
    message = (
        f"jaeger: {url} answered {answer.status} {_quoted(answer.reason or '')}"
        f"{said and f': {said}'}{advice}"
    )
    if busy or answer.status in _BUSY:
        after = retry_after_seconds(answer.headers.get("Retry-After", ""), now_ns=time.time_ns())
        return ExportDelayed(message, retry_after_seconds=after)
    return ExportFailed(message)


async def _said(answer: aiohttp.ClientResponse) -> str:
    try:
        text = await answer.content.read(MAX_ANSWER_BYTES)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return ""  # its status says enough
    return _quoted(text.decode(errors="replace"))


def _quoted(text: str) -> str:
    return printable(text.strip()[:MAX_QUOTED]).rstrip(".")
