"""Sessions on all nodes at once: what makes or changes them is carried to its end."""

import asyncio
from collections.abc import Sequence

from attrs import define, evolve, field

from ...ports.node_client import NodeRequest
from ..model.broadcast import Replies
from .background import Background
from .broadcast import Broadcast


@define(kw_only=True, eq=False)
class ClusterSessions:
    """Makes and changes sessions; it remembers nothing of them, the nodes do."""

    broadcast: Broadcast
    _background: Background = field(factory=Background)

    async def create(
        self, request: NodeRequest, *, patterns: Sequence[str], undo: NodeRequest
    ) -> Replies:
        """Return what came of making sessions.

        If the caller is cancelled, or no node has made one for sure, those that were made all
        the same are deleted again, by `undo`: nobody would know of them.
        """
        work = self._background.start(
            self.broadcast.ask(request, patterns=patterns), name="make sessions"
        )
        try:
            replies = await asyncio.shield(work)
        except asyncio.CancelledError:
            self._background.leave(self._undo(work, undo, patterns), name="delete sessions again")
            raise
        if replies.failed and not replies.done:
            self._background.leave(self._undo(work, undo, patterns), name="delete sessions again")
        return replies

    async def change(self, request: NodeRequest, *, patterns: Sequence[str]) -> Replies:
        """Return what came of changing sessions; if the caller is cancelled, it is still done."""
        return await self._background.carry_out(
            self.broadcast.ask(request, patterns=patterns), name="change sessions"
        )

    async def close(self) -> None:
        """Wait for what was begun."""
        await self._background.finish()

    async def _undo(
        self, work: asyncio.Task[Replies], undo: NodeRequest, patterns: Sequence[str]
    ) -> None:
        await asyncio.wait([work])
        if not work.exception():
            await self.broadcast.ask(undo, patterns=patterns)


def undoing(request: NodeRequest, target: str) -> NodeRequest:
    """Make the request that deletes what a request makes, in the name of the same client."""
    kept = {name: one for name, one in request.headers.items() if name != "Content-Type"}
    return evolve(request, method="DELETE", target=target, headers=kept, body=b"")
