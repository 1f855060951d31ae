"""What handlers find in a request and in their application; nothing is looked up by name."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Protocol, TypeAlias, cast

from attrs import define, field, frozen
from sanic import Config, Request, Sanic
from sanic.compat import Header
from sanic.exceptions import BadURL, PayloadTooLarge
from sanic.models.protocol_types import TransportProtocol

from ...domain.model.discovery_choice import DiscoveryChoice
from ...domain.model.hook import HookCatalogue
from ...domain.model.pod import Pod
from ...domain.model.session import SessionRequest, TraceSession
from ...domain.model.stats import SessionStats, SourceStats
from ...domain.model.summary import RunSummary
from ...domain.services.watcher import Frame, Watcher
from .metrics import Metrics

DISCARD_LIMIT_BYTES = 16 * 2**20
"""How much of a body that is too large is read and thrown away.

A connection that is closed while its peer still sends is reset, and the peer would never see
the answer that tells it why.
"""


class Pods(Protocol):
    """The use case behind `/v1/pods`."""

    async def pods(self) -> tuple[Pod, ...]:
        """List what runs here; raise `DiscoveryFailed`."""


class Sessions(Protocol):
    """The use cases behind `/v1/trace-session` and `/v1/trace-hooks`."""

    @property
    def node(self) -> str:
        """Name this node."""

    @property
    def catalogue(self) -> HookCatalogue:
        """Name the hooks, and which of them this kernel can do."""

    async def create(self, request: SessionRequest) -> TraceSession:
        """Make a session, and start it if the request says so."""

    def get(self, session_id: str) -> TraceSession:
        """Return a session; raise `UnknownSession`."""

    async def start(self, session_id: str) -> None:
        """Let a session trace; one that does is left alone."""

    async def stop(self, session_id: str) -> None:
        """Let a session trace no more; one that does not is left alone."""

    async def delete(self, session_id: str) -> None:
        """Stop a session and forget it; raise `UnknownSession`."""

    async def delete_all(self) -> None:
        """Stop and forget every session of this node."""

    async def statistics(self, session: TraceSession) -> SessionStats:
        """Return the numbers as they are now."""

    async def summary(self, session: TraceSession) -> RunSummary:
        """Return what its spans come to, as it is now."""

    def watching(self, session: TraceSession, frame: Frame) -> AbstractContextManager[Watcher]:
        """Watch a session while in the block; raise `TooManyWatchers`."""

    def watchers(self) -> tuple[int, int]:
        """Count those who watch, and the spans they lost."""

    async def sources(self) -> Mapping[str, SourceStats]:
        """Return the balance of every live source, by name."""

    def unavailable(self) -> str:
        """Say why the kernel cannot be traced, or return the empty string."""

    # Last, because inside this class `list` now means the method.
    def list(self) -> Sequence[TraceSession]:
        """Return all sessions, oldest first."""


@frozen(kw_only=True)
class Context:
    """What the application was wired with; handlers find it as `request.app.ctx`.

    `choice` tells how containers are found.
    """

    pods: Pods
    sessions: Sessions
    choice: Callable[[], DiscoveryChoice]
    metrics: Metrics


@define(slots=False)
class RequestContext(SimpleNamespace):
    """What is known of one request while it is answered; `started` is of `perf_counter`."""

    request_id: str = ""
    started: float = field(factory=time.perf_counter)


App: TypeAlias = Sanic[Config, Context]
Req: TypeAlias = Request[App, RequestContext]


class _Stream(Protocol):
    """A connection, as a request reads its body from it; Sanic's type does not say so."""

    request_max_size: float

    async def read(self) -> bytes | None: ...


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
