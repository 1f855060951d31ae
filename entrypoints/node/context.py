"""What the handlers of the node find in their application."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from attrs import frozen
from sanic import Config, Request, Sanic

from ...domain.model.discovery_choice import DiscoveryChoice
from ...domain.model.hook import HookCatalogue
from ...domain.model.pod import Pod
from ...domain.model.session import TraceSession
from ...domain.model.session_request import SessionRequest
from ...domain.model.stats import SessionStats, SourceStats
from ...domain.model.summary import RunSummary
from ...domain.model.trace_context import SpanContext
from ...domain.services.watcher import Frame, Watcher
from ..rest.context import Context, RequestContext


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
        """Return a session that somebody asks for; raise `UnknownSession`."""

    def find(self, known_as: str) -> Sequence[TraceSession]:
        """Return the session of an id, or those of a group; raise `UnknownSession`."""

    async def start(self, session_id: str, *, caller: SpanContext | None = None) -> None:
        """Let a session trace; one that does is left alone."""

    async def stop(self, session_id: str) -> None:
        """Let a session trace no more; one that does not is left alone."""

    async def delete(self, session_id: str) -> None:
        """Stop a session and forget it; raise `UnknownSession`."""

    async def delete_each(self, session_ids: Iterable[str]) -> None:
        """Stop and forget sessions, but for those that are gone already."""

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
class NodeContext(Context):
    """What the node's application was wired with; `choice` tells how containers are found."""

    pods: Pods
    sessions: Sessions
    choice: Callable[[], DiscoveryChoice]


NodeReq: TypeAlias = Request[Sanic[Config, NodeContext], RequestContext]
