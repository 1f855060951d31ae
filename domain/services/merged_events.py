"""Live events of a session from every node that has it, as one stream.

Nothing is kept here but what is on its way: a client that reads slowly makes all nodes wait, and
each of them drops and counts what does not fit, as for any other slow client.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

from attrs import define, field

from ...ports.clock import Clock
from ...ports.node_client import NodeClient, NodeRequest
from ..model.merged_events import MergedEvents
from ..model.node_reply import NodeReply
from ..model.nodes import Node
from ..model.session_request import TooManyWatchers
from ..model.stream_lines import Piece, Told
from .node_leg import Arrived, BrokeOff, NodeLeg

MAX_STREAMS = 256

MAX_LEGS = 2048
"""Connections to nodes, of all streams together; one stream alone may have more. A client that is
stuck makes each of them hold about 130 KB."""

QUEUE_PIECES = 32
"""So many pieces may wait for a client, each of what a node's connection gave at once."""

HEARTBEAT_SECONDS = 1.0

_NOBODY = ""
"""No node: what is said of all of them."""


@define(kw_only=True, eq=False)
class MergedStream:
    """One client's stream. `refusals` are the replies of the nodes that are not in it.

    `streaming` are those of which more is to come.
    """

    client: NodeClient
    clock: Clock
    merged: MergedEvents
    refusals: dict[str, NodeReply] = field(factory=dict)
    streaming: set[str] = field(factory=set)
    _legs: list[asyncio.Task[None]] = field(factory=list)
    _beating: asyncio.Task[None] | None = None
    _stopped: str = ""
    _arrived: asyncio.Queue[Arrived] = field(factory=lambda: asyncio.Queue(QUEUE_PIECES))

    @property
    def legs(self) -> int:
        """Count the nodes that are asked, or listened to."""
        return sum(not leg.done() for leg in self._legs)

    async def open(self, nodes: Iterable[Node], request: NodeRequest, *, seconds: float) -> None:
        """Ask all nodes at once, and wait until each has begun, refused, or taken too long."""
        legs = [NodeLeg(node=one, client=self.client, arrived=self._arrived) for one in nodes]
        for leg in legs:
            work = leg.carry(request, seconds=seconds)
            self._legs.append(asyncio.create_task(work, name=f"stream of {leg.node.name}"))
        if legs:
            await asyncio.wait([leg.opening for leg in legs])
        for leg in legs:
            self._note(leg.node.name, leg.opening.result())

    async def items(self) -> AsyncIterator[bytes | Told]:
        """Yield whole lines of spans, and what is to be said in between; `end` is the last."""
        yield self.merged.opening()
        self._beating = asyncio.create_task(self._beat(), name="heartbeat of merged streams")
        while self.streaming:
            item = self._heard(*await self._arrived.get())
            if item is not None:
                yield item
        yield self.merged.end(self._stopped)

    def stop(self, reason: str) -> None:
        """Let it end now, whatever the nodes do."""
        self._stopped = reason
        self.streaming.clear()
        if self._arrived.empty():
            self._arrived.put_nowait((_NOBODY, Told(kind="heartbeat")))

    async def close(self) -> None:
        """Hang up on every node."""
        tasks = [*self._legs, *([self._beating] if self._beating else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, node: str, opening: Told | NodeReply) -> None:
        if isinstance(opening, Told):
            self.merged.open(node, opening)
            self.streaming.add(node)
        else:
            self.refusals[node] = opening

    def _heard(self, node: str, item: Piece | BrokeOff) -> bytes | Told | None:
        match item:
            case bytes():
                return item
            case BrokeOff():
                self.streaming.discard(node)
                return self.merged.break_off(node, item.why)
            case Told() if node == _NOBODY:
                return self.merged.heartbeat()
            case Told():
                if item.kind == "end":
                    self.streaming.discard(node)
                return self.merged.take(node, item)

    async def _beat(self) -> None:
        while True:
            await self.clock.sleep(HEARTBEAT_SECONDS)
            if not self._arrived.full():  # else there is more important to be read
                self._arrived.put_nowait((_NOBODY, Told(kind="heartbeat")))


@define(kw_only=True, eq=False)
class MergedStreams:
    """Watches sessions on many nodes. A node must begin its stream within `node_seconds`."""

    client: NodeClient
    clock: Clock
    node_seconds: float
    _open: set[MergedStream] = field(factory=set)
    _stopped: str = ""

    @property
    def watchers(self) -> int:
        """Count the streams that are open."""
        return len(self._open)

    @property
    def legs(self) -> int:
        """Count the nodes that are asked, or listened to, by all of them."""
        return sum(stream.legs for stream in self._open)

    @asynccontextmanager
    async def watching(
        self, nodes: Sequence[Node], request: NodeRequest, *, session_id: str
    ) -> AsyncIterator[MergedStream]:
        """Open the stream of every node that has the session; raise `TooManyWatchers`.

        In the block every node has begun, or is one of the stream's `refusals`. After it no
        connection is left.
        """
        self._check(len(nodes))
        merged = MergedEvents(session_id=session_id)
        stream = MergedStream(client=self.client, clock=self.clock, merged=merged)
        self._open.add(stream)
        try:
            await stream.open(nodes, request, seconds=self.node_seconds)
            if self._stopped:
                stream.stop(self._stopped)
            yield stream
        finally:
            self._open.discard(stream)
            await stream.close()

    def stop(self, reason: str) -> None:
        """Let all streams end, and those that are being opened."""
        self._stopped = reason
        for stream in self._open:
            stream.stop(reason)

    def _check(self, nodes: int) -> None:
        if len(self._open) >= MAX_STREAMS or (self._open and self.legs + nodes > MAX_LEGS):
            raise TooManyWatchers(
                f"{len(self._open)} streams from {self.legs} nodes are open here already, out of"
                f" {MAX_STREAMS} streams and {MAX_LEGS} nodes; watch less at a time."
            )
