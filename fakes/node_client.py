"""Nodes that answer what a test says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

from attrs import define, field, frozen

from ..domain.model.nodes import Node
from ..ports.errors import NodeUnreachable
from ..ports.node_client import NodeAnswer, NodeRequest

Said: TypeAlias = NodeAnswer | NodeUnreachable | Callable[[NodeRequest], NodeAnswer]


@frozen(kw_only=True)
class FakeNodeStream:
    """An answer that goes on: `pieces`, then its end, or the failure among them.

    At an event among the pieces it waits until that is set.
    """

    status: int = 200
    content_type: str = "application/x-ndjson"
    pieces: Iterable[bytes | NodeUnreachable | asyncio.Event] = ()
    hold: asyncio.Event | None = None

    async def body(self) -> bytes:
        """Return all of it."""
        return b"".join([one async for one in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the pieces; with `hold` it does not end before that is set."""
        for piece in self.pieces:
            if isinstance(piece, NodeUnreachable):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                yield piece
        if self.hold:
            await self.hold.wait()


@define(eq=False)
class FakeNodeClient:
    """Answers with `answers` and `streams`, by name of the node; others cannot be reached.

    A node in `hanging` answers only when its event is set, or is late. `asked` is what was asked,
    `cancelled` whom somebody hung up on, `streaming` whose streams are open. State is public.
    """

    answers: dict[str, Said] = field(factory=dict)
    streams: dict[str, FakeNodeStream] = field(factory=dict)
    hanging: dict[str, asyncio.Event] = field(factory=dict)
    asked: list[tuple[str, NodeRequest]] = field(factory=list)
    cancelled: list[str] = field(factory=list)
    streaming: list[str] = field(factory=list)
    closed: bool = False

    async def ask(self, node: Node, request: NodeRequest, *, seconds: float) -> NodeAnswer:
        """Answer, or raise `NodeUnreachable`."""
        self.asked.append((node.name, request))
        await self._hang(node.name, seconds)
        said = self.answers.get(node.name, NodeUnreachable("refuses connections"))
        if isinstance(said, NodeUnreachable):
            raise said
        return said if isinstance(said, NodeAnswer) else said(request)

    @asynccontextmanager
    async def stream(
        self, node: Node, request: NodeRequest, *, seconds: float, silence_seconds: float
    ) -> AsyncIterator[FakeNodeStream]:
        """Open a stream, or raise `NodeUnreachable`."""
        del silence_seconds
        self.asked.append((node.name, request))
        await self._hang(node.name, seconds)
        if node.name not in self.streams:
            raise NodeUnreachable("refuses connections")
        self.streaming.append(node.name)
        try:
            yield self.streams[node.name]
        finally:
            self.streaming.remove(node.name)

    async def close(self) -> None:
        """Remember it."""
        self.closed = True

    async def _hang(self, name: str, seconds: float) -> None:
        try:
            if event := self.hanging.get(name):
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError as error:
            raise NodeUnreachable(f"does not answer within {seconds:g} s") from error
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
