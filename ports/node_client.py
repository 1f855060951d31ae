"""Asking one node: a request of the REST API, and its answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import field, frozen

from ..domain.model.nodes import Node


@frozen(kw_only=True)
class NodeRequest:
    """What a node is asked: `target` is path and query, `headers` are those it shall see."""

    method: str
    target: str
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""


@frozen(kw_only=True)
class NodeAnswer:
    """What a node answered, whatever the status."""

    status: int
    content_type: str = ""
    body: bytes = b""


class NodeStream(Protocol):
    """An answer that goes on: its pieces, of any size, as they come."""

    @property
    def status(self) -> int:
        """Return the status of the answer."""

    @property
    def content_type(self) -> str:
        """Return the media type of the answer, without parameters."""

    async def body(self) -> bytes:
        """Read an answer that is no stream, a problem for one; raise `NodeUnreachable`."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield pieces until the node ends the answer; raise `NodeUnreachable` if it breaks off.

        Nothing is read ahead beyond a bounded buffer: a caller who is slow slows the node down.
        """


class NodeClient(Protocol):
    """Speaks to nodes; connections are kept for the next request."""

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Send a request and return the whole answer; raise `NodeUnreachable`, also if it is late.

        If the caller is cancelled, the request is: the node sees its client hang up.
        """

    def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AbstractAsyncContextManager[NodeStream]:
        """Open an answer that goes on in the block; raise `NodeUnreachable`.

        It must begin within `seconds`; a node that is silent for `silence_seconds` counts as gone.
        """

    async def close(self) -> None:
        """Close every connection; again is harmless."""
