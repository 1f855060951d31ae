"""Nodes that come and go as a test says."""

import asyncio
from collections.abc import AsyncGenerator

from attrs import define, field

from ..domain.model.nodes import Nodes
from ..ports.errors import DiscoveryFailed


@define(eq=False)
class FakeNodeDirectory:
    """Tells what `known` is; `failure` says that it cannot be told. State is public."""

    known: Nodes = field(factory=Nodes)
    failure: DiscoveryFailed | None = None
    lists: int = 0
    closed: bool = False
    _changed: asyncio.Event = field(init=False, factory=asyncio.Event)

    def change(self, known: Nodes | None = None, failure: DiscoveryFailed | None = None) -> None:
        """Let nodes come and go, or the directory fail; whoever follows it is told."""
        self.known = self.known if known is None else known
        self.failure = failure
        self._changed.set()
        self._changed = asyncio.Event()

    async def nodes(self) -> Nodes:
        """List them, or raise the failure."""
        self.lists += 1
        if self.failure:
            raise self.failure
        return self.known

    async def changes(self) -> AsyncGenerator[Nodes, None]:
        """Yield them at every change, or raise the failure."""
        while True:
            changed = self._changed
            if self.failure:
                raise self.failure
            yield self.known
            await changed.wait()

    async def close(self) -> None:
        """Remember it."""
        self.closed = True
