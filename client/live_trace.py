"""A session as long as a block of the program, seen live."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Self

from attrs import define

from .errors import Refused, ServerUnreachable
from .events import End, Event, Interrupted, Opened
from .groups import Group
from .node_errors import NodeError
from .values import Session

PATIENCE_SECONDS = 15.0
"""So long a stream that broke off is tried to be taken up again: svc may be replaced meanwhile."""

RETRY_SECONDS = 0.5
SERVER_ERRORS = 500
GOING_ON = frozenset({"created", "starting", "running"})
"""States of a session whose stream has no end: a svc that shuts down says so as it leaves."""


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


async def lasting(watch: Callable[[], AsyncGenerator[Event, None]]) -> AsyncGenerator[Event, None]:
    """Watch anew where a stream breaks off in the middle, with `Interrupted` in the place.

    That is for streams through a svc, which may go away and come back while its sessions run.
    """
    loop = asyncio.get_running_loop()
    broken: ServerUnreachable | None = None
    opened, deadline = False, 0.0
    while True:
        try:
            async with aclosing(watch()) as events:
                async for event in events:
                    _check_end(event)
                    if isinstance(event, Opened) and broken:
                        yield Interrupted(detail=str(broken))
                        broken = None
                    opened = opened or isinstance(event, Opened)
                    yield event
                return
        except (ServerUnreachable, Refused) as error:
            if broken is None:
                if not opened or isinstance(error, Refused):
                    raise
                broken, deadline = error, loop.time() + PATIENCE_SECONDS
            elif _is_final(error) or loop.time() > deadline:
                raise broken from error
        await asyncio.sleep(RETRY_SECONDS)


def _check_end(event: Event) -> None:
    """Raise `ServerUnreachable` for an end of the stream that is none of the session."""
    if isinstance(event, End) and event.state in GOING_ON:
        raise ServerUnreachable(event.reason)


def _is_final(error: ServerUnreachable | Refused) -> bool:
    """Tell a session that is gone from a svc that is only just back, and knows no node yet."""
    return isinstance(error, Refused) and error.problem.status < SERVER_ERRORS
