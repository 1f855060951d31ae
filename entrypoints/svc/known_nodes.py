"""Nodes are known as long as svc serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from ...domain.services.node_roster import NodeRoster

FIRST_SECONDS = 2.0
"""How long to wait for the first list, before requests are taken without one."""


@asynccontextmanager
async def known_nodes(roster: NodeRoster) -> AsyncIterator[None]:
    """Keep the list of nodes fresh in the block, which begins when it is known, if that is soon.

    Should that end by itself, the block is cancelled: svc would ask the nodes of long ago.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(roster.run(), name="keep the list of nodes")
            with suppress(TimeoutError):
                async with asyncio.timeout(FIRST_SECONDS):
                    await roster.known()
            yield
            keeping.cancel()
    finally:
        await roster.directory.close()
