"""What handlers find in a request and in their application; nothing is looked up by name."""

import re
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias, cast

from attrs import define, field, frozen
from sanic import Config, Request, Sanic
from sanic.compat import Header
from sanic.exceptions import BadRequest, BadURL, PayloadTooLarge
from sanic.models.protocol_types import TransportProtocol

from ...domain.model.node_errors import NodeError
from ...domain.model.span_book import SpanBook
from ...domain.model.trace_context import SpanContext
from ...domain.services.open_span import OpenSpan
from ...domain.services.own_spans import OwnSpans
from ...domain.services.permissions import Permissions
from .audit import AuditRecord
from .metrics import Metrics

DISCARD_LIMIT_BYTES = 16 * 2**20
"""How much of a body that is too large is read and thrown away.

A connection that is closed while its peer still sends is reset, and the peer would never see
the answer that tells it why.
"""


PROBES = frozenset({"/healthz", "/readyz"})
"""Paths that everybody may ask for: kubelets show neither certificate nor token."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_NOT_IN_VALUES = re.compile(r"[\0\r\n]")


@frozen(kw_only=True)
class Context:
    """What every role's application was wired with; handlers find it as `request.app.ctx`.

    `book` is what it keeps of its own `spans`.
    """

    metrics: Metrics
    spans: OwnSpans
    book: SpanBook = field(factory=SpanBook)


@define(slots=False)
class RequestContext(SimpleNamespace):
    """What is known of one request while it is answered; `started` is of `perf_counter`.

    `caller` is the span that sent it, if its headers say, `span` the one it is here; a request that
    cannot be read is none. `problem` is what it was refused for, or failed by, `status` what it is
    answered. `node_errors` is what went wrong at nodes that were asked for it. `permissions` are
    those of the one who asks; there are none before he was let in.
    """

    request_id: str = ""
    caller: SpanContext | None = None
    span: OpenSpan | None = None
    problem: str = ""
    status: int = 0
    node_errors: Sequence[NodeError] = ()
    started: float = field(factory=time.perf_counter)
    audit: AuditRecord = field(factory=AuditRecord)
    permissions: Permissions = field(init=False, repr=False)


App: TypeAlias = Sanic[Config, Any]
"""The application of a role; its context is a `Context` of that role."""

Req: TypeAlias = Request[Sanic[Config, Context], RequestContext]


class _Stream(Protocol):
    """A connection, as a request reads its body from it; Sanic's type does not say so."""

    request_max_size: float

    async def read(self) -> bytes | None: ...


def _check(headers: Header) -> None:
    """Refuse headers that another server might read in another way (RFC 9112, 2.2 and 5.1).

    What is sent through a proxy would else be two requests for one of us and one for the other.
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or _NOT_IN_VALUES.search(value):
            raise BadRequest(f"Header {name[:80]!r} is not as HTTP/1.1 has them.")
    if len(headers.getall("host", [])) > 1:
        raise BadRequest("Header 'host' is given more than once.")


class ApiRequest(Request[App, RequestContext]):
    """A request that has a path and a context whatever the client sent."""

    def __init__(
        self,
        url_bytes: bytes,
        headers: Header,
        version: str,
        *,
        method: str,
        transport: TransportProtocol,
        app: App,
        head: bytes = b"",
    ) -> None:
        """Take what was received; for a request that was unreadable, take any URL.

        To answer an unreadable request Sanic makes one whose method is NONE, of the same URL:
        where the URL is what cannot be read, that fails too, and nothing would be answered.
        """
        if method != "NONE":
            _check(headers)
        try:
            super().__init__(url_bytes, headers, version, method, transport, app, head)
        except BadURL:
            if method != "NONE":
                raise
            super().__init__(b"*", headers, version, method, transport, app, head)

    @staticmethod
    def make_context() -> RequestContext:
        """Start the request's clock."""
        return RequestContext()

    @property
    def path(self) -> str:
        """The path as it was sent, not decoded; `/` where the request line has none.

        Sanic's own fails for a request line such as `GET http://host HTTP/1.1`.
        """
        return (self._parsed_url.path or b"/").decode("ascii", errors="backslashreplace")

    async def receive_body(self) -> None:
        """Read the body; one that is too large is read to its end, so that its sender listens."""
        stream = cast(_Stream, self.stream)
        chunks = []
        try:
            while chunk := await stream.read():
                chunks.append(chunk)
        except PayloadTooLarge:
            stream.request_max_size = DISCARD_LIMIT_BYTES
            while await stream.read():
                pass
            raise
        self.body = b"".join(chunks)
