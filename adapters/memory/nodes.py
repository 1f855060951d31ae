"""Nodes that are named once and stay."""

import asyncio
from collections.abc import AsyncIterator

from attrs import frozen

from ...domain.model.nodes import Nodes


@frozen
class FixedNodeDirectory:
    """Knows the nodes it was given: all of them are ready, and none comes or goes."""

    _nodes: Nodes

    async def nodes(self) -> Nodes:
        """List them."""
        return self._nodes

    async def changes(self) -> AsyncIterator[Nodes]:
        """Yield them once; nothing ever changes."""
        yield self._nodes
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Do nothing: nothing is open."""
