"""Watches of several sources, side by side."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from .source import Source

WATCH_SECONDS = 240
"""How long the server is asked to go on with a watch: a connection may die without a word."""


async def changes_of(
    sources: Sequence[Source], changed: asyncio.Event, seconds: int
) -> AsyncGenerator[None, None]:
    """Tell whenever something may have changed, without end; raise `ClusterUnavailable`.

    Watches go on for so many seconds each. `changed` may also be set by others.
    """
    watches = [
        asyncio.create_task(one.follow(changed, seconds), name=f"watch {one.path}")
        for one in sources
    ]
    try:
        while True:
            await _change(changed, watches)
            yield
    finally:
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _change(changed: asyncio.Event, watches: Sequence["asyncio.Task[None]"]) -> None:
    """Wait for a change, or raise what a watch raised."""
    waiting = asyncio.create_task(changed.wait(), name="wait for a change")
    try:
        await asyncio.wait((waiting, *watches), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in watches:
        if task.done():
            task.result()
    changed.clear()
