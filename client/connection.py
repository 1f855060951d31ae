"""HTTP towards a tracer: JSON in, JSON out, problems as exceptions."""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

import aiohttp
from attrs import define, field, frozen

from .dialing import Dial, DialConnector
from .errors import InvalidUrl, Problem, Refused, ServerUnreachable, UnexpectedAnswer
from .node_errors import HEADER, NodeError, node_errors_of

PORT = 8080
MAX_LINE_BYTES = 16 * 2**20
"""The longest line of a stream that is taken for one."""


@frozen(kw_only=True)
class Endpoint:
    """Where a tracer listens: an origin such as `http://node:8080`, or a UNIX socket."""

    origin: str
    socket: str = ""

    def __str__(self) -> str:
        """Write it as it is given."""
        return f"unix:{self.socket}" if self.socket else self.origin


def parse_url(url: str) -> Endpoint:
    """Read `http://HOST[:PORT]`, `https://…`, `HOST:PORT` or `unix:/PATH`; raise `InvalidUrl`."""
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        path = path.removeprefix("//") if path.startswith("///") else path
        if not path.startswith("/") or "\0" in path:
            raise InvalidUrl(f"{url!r} names no socket: write unix:/PATH, with the whole path.")
        return Endpoint(origin="http://localhost", socket=path)
    given = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(given)
        host, port = parts.hostname, parts.port or PORT
    except ValueError as error:
        raise InvalidUrl(f"{url!r} is no URL ({error}): write http://HOST:PORT.") from error
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
    if parts.scheme not in ("http", "https") or not host or not plain:
        raise InvalidUrl(
            f"{url!r} is no address of a tracer: write http://HOST:PORT, https://HOST:PORT"
            " or unix:/PATH."
        )
    shown = f"[{host}]" if ":" in host else host
    return Endpoint(origin=f"{parts.scheme}://{shown}:{port}")


@frozen(kw_only=True)
class JsonAnswer:
    """The object a request is answered with, and nodes of which it lacks the part."""

    body: dict[str, Any]
    node_errors: tuple[NodeError, ...] = ()


@frozen(kw_only=True)
class LineStream:
    """Lines as they come, and nodes from which none will come."""

    lines: AsyncIterator[bytes]
    node_errors: tuple[NodeError, ...] = ()


@define(kw_only=True, eq=False)
class Connection:
    """Connections to one tracer; a context manager, closed at its end.

    `nodes` are patterns for the nodes of a cluster that are asked, none for all. `tls` says whom
    to trust with https, None whom the system trusts. `dial` makes connections, where given.
    `trace_context` are headers that say what span all requests are below.
    """

    endpoint: Endpoint
    token: str = field(default="", repr=False)
    timeout_seconds: float = 30.0
    nodes: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None
    dial: Dial | None = None
    trace_context: Mapping[str, str] = field(factory=dict)
    _http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Prepare; nothing is sent yet."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers = {**authorization, **self.trace_context}
        self._http = aiohttp.ClientSession(
            self.endpoint.origin, connector=self._connector(), headers=headers, read_bufsize=2**20
        )
        return self

    def _connector(self) -> aiohttp.BaseConnector:
        if self.dial is not None:
            return DialConnector(self.dial, self.tls)
        if self.endpoint.socket:
            return aiohttp.UnixConnector(self.endpoint.socket)
        return aiohttp.TCPConnector(ssl=self.tls or True)

    async def __aexit__(self, *_: object) -> None:
        """Close every connection."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def ask(self, method: str, path: str, body: object = None) -> JsonAnswer:
        """Send a request, return what it is answered with; raise `ClientError`."""
        timeout = aiohttp.ClientTimeout(total=self.timeout_seconds)
        with self._errors():
            async with self._session.request(
                method, self._narrowed(path), json=body, timeout=timeout, allow_redirects=False
            ) as answer:
                return JsonAnswer(
                    body=self._object(answer, await answer.read()),
                    node_errors=_node_errors(answer),
                )

    async def text(self, path: str) -> str:
        """Ask for a page that is plain text; raise `ClientError`."""
        timeout = aiohttp.ClientTimeout(total=self.timeout_seconds)
        with self._errors():
            async with self._session.get(path, timeout=timeout, allow_redirects=False) as answer:
                if answer.content_type != "text/plain":
                    self._object(answer, await answer.read())
                    raise UnexpectedAnswer(f"{self.endpoint} answers {path} without plain text.")
                return await answer.text(errors="replace")

    @asynccontextmanager
    async def lines(self, path: str, *, silence_seconds: float) -> AsyncIterator[LineStream]:
        """Open a stream of JSON lines; a server silent for so long counts as gone."""
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=self.timeout_seconds, sock_read=silence_seconds
        )
        accept = {"Accept": "application/x-ndjson"}
        with self._errors():
            async with self._session.get(
                self._narrowed(path), headers=accept, timeout=timeout, allow_redirects=False
            ) as answer:
                if answer.content_type != "application/x-ndjson":
                    self._object(answer, await answer.read())
                    raise UnexpectedAnswer(f"{self.endpoint} answers without a stream of events.")
                yield LineStream(lines=self._split(answer), node_errors=_node_errors(answer))

    def _narrowed(self, path: str) -> str:
        """Add which nodes are meant."""
        if not self.nodes or not path.startswith("/v1/"):
            return path
        query = urlencode([("node", one) for one in self.nodes])
        return f"{path}{'&' if '?' in path else '?'}{query}"

    async def _split(self, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        rest = b""
        with self._errors():
            async for chunk in answer.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield line
                if len(rest) > MAX_LINE_BYTES:
                    raise UnexpectedAnswer(f"{self.endpoint} sends a line without an end.")

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise RuntimeError("A TracerClient is used outside of its `async with` block.")
        return self._http

    def _object(self, answer: aiohttp.ClientResponse, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if answer.status >= 300:  # noqa: PLR2004 - everything that is no success
            raise Refused(_problem(answer, value), _node_errors(answer))
        if not isinstance(value, dict):
            raise UnexpectedAnswer(
                f"{self.endpoint} is no tracer: {answer.method} {answer.url.path} is not"
                " answered with a JSON object."
            )
        return value

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise ServerUnreachable(f"{self.endpoint} does not answer in time.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ServerUnreachable(f"{self.endpoint} cannot be reached: {_reason(error)}.") from (
                error
            )


def _node_errors(answer: aiohttp.ClientResponse) -> tuple[NodeError, ...]:
    return node_errors_of(answer.headers.get(HEADER, ""))


def _problem(answer: aiohttp.ClientResponse, value: object) -> Problem:
    told = value if isinstance(value, dict) else {}
    title = str(told.get("title") or answer.reason or "Error")
    detail = str(told.get("detail") or "")
    if not detail:
        detail = f"{answer.method} {answer.url.path} is answered with {answer.status} {title}."
    return Problem(
        status=answer.status,
        title=title,
        detail=detail,
        type=str(told.get("type") or "about:blank"),
    )


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ServerDisconnectedError):
        return "it ended the connection in the middle of an answer"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        told = getattr(error.certificate_error, "verify_message", error.certificate_error)
        return f"its certificate is not to be trusted: {told}".rstrip(".")
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return os.strerror(number).lower() if number and number > 0 else str(error.os_error)
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


async def to_its_end(task: "asyncio.Task[Any]") -> None:
    """Wait for a task however often we are cancelled meanwhile; then be cancelled."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                break
            cancelled = True
        except Exception:  # noqa: BLE001 - whoever awaits the task gets it
            break
    if cancelled:
        raise asyncio.CancelledError
