"""Nodes that were named, and are always the same."""

import asyncio
from collections.abc import AsyncGenerator

from attrs import frozen

from ...domain.model.nodes import Nodes


@frozen(eq=False)
class FixedNodeDirectory:
    """Knows what it was told."""

    known: Nodes

    async def nodes(self) -> Nodes:
        """List them."""
        return self.known

    async def changes(self) -> AsyncGenerator[Nodes, None]:
        """Yield them once: nothing ever changes."""
        yield self.known
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing."""
