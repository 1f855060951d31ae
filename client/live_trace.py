"""A session as long as a block of the program, seen live."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Self

from attrs import define

from .events import End, Event, Opened
from .groups import Group
from .node_errors import NodeError
from .values import Session


@define(kw_only=True, eq=False)
class LiveTrace:
    """A session that runs as long as its block; iterating over it gives its events.

    `end` is the last of them, once it has come. `not_started` are nodes that could not start
    their part.
    """

    group: Group
    not_started: tuple[NodeError, ...] = ()
    end: End | None = None
    _stop: Callable[[str], Awaitable[object]]
    _events: AsyncIterator[Event]

    @property
    def session(self) -> Session:
        """The session, or its first part where it has parts on many nodes."""
        return self.group.parts[0]

    def __aiter__(self) -> Self:
        """Iterate over the events."""
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event; the one after `End` is none."""
        if self.end is not None:
            raise StopAsyncIteration
        event = await anext(self._events)
        if isinstance(event, End):
            self.end = event
        return event

    async def stop(self) -> None:
        """Let it trace no more; what it has seen still comes, then `End`."""
        await self._stop(self.group.handle)


async def until_opened(events: AsyncIterator[Event]) -> list[NodeError]:
    """Wait until a stream has begun; return the nodes that have no part in it."""
    failed = []
    async for event in events:
        if isinstance(event, Opened):
            break
        if isinstance(event, NodeError):
            failed.append(event)
    return failed
