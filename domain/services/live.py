"""Spans of sessions for those who watch them, from when they began to watch.

Overload stays where it is: what comes faster than it can be written is dropped for all who
watch that session, what somebody reads too slowly for him alone. Both are counted and told.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ..model.errors import TracerError
from ..model.pod import Container
from ..model.session import SessionState, TraceSession
from ..model.session_request import TooManyWatchers
from ..model.spans import SpanBatch
from ..model.stats import SessionStats
from .background import Background, apart
from .channel import Channel
from .watcher import ContainerNews, Ended, Frame, Heartbeat, Watcher

MAX_WATCHERS = 256

HEARTBEAT_SECONDS = 1.0

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class LiveSpans:
    """Who watches which session. `statistics` tells the numbers of a session as they are."""

    node: str
    clock: Clock
    statistics: Callable[[TraceSession], Awaitable[SessionStats]]
    _channels: dict[str, Channel] = field(factory=dict)
    _watchers: set[Watcher] = field(factory=set)
    _dropped_before: int = 0
    _closed: str = ""
    _turn: asyncio.Lock = field(factory=asyncio.Lock)
    _background: Background = field(factory=Background)

    @property
    def watchers(self) -> int:
        """Count those who watch."""
        return len(self._watchers)

    @property
    def dropped_spans(self) -> int:
        """Count what all watchers there ever were have lost."""
        return self._dropped_before + sum(one.dropped_spans for one in self._watchers)

    @contextmanager
    def watching(self, session: TraceSession, frame: Frame) -> Iterator[Watcher]:
        """Watch a session while in the block; raise `TooManyWatchers`.

        One that has ended is at its end at once; one that does not run yet is waited for.
        """
        if len(self._watchers) >= MAX_WATCHERS:
            raise TooManyWatchers(
                f"{MAX_WATCHERS} clients watch sessions of this node already, its limit."
            )
        watcher = Watcher(frame=frame)
        self._watchers.add(watcher)
        channel = self._join(session, watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._dropped_before += watcher.dropped_spans
            self._leave(channel, watcher)

    def offer(self, session_id: str, batch: SpanBatch) -> None:
        """Show spans of a session to those who watch it."""
        if channel := self._channels.get(session_id):
            channel.offer(batch)

    def tell(self, session: TraceSession, container: Container, *, joined: bool) -> None:
        """Tell those who watch a session that a container joined it, or ended."""
        if channel := self._channels.get(session.session_id):
            running = len(session.containers)
            channel.tell(ContainerNews(container=container, joined=joined, running=running))

    def end(self, session: TraceSession, reason: str) -> None:
        """Tell those who watch a session that its run is over, or that it will never run."""
        if channel := self._channels.pop(session.session_id, None):
            channel.end(_end_of(session, reason, error=session.error))

    async def close(self, reason: str) -> None:
        """End everything, and wait until those who watch have it all in their queues."""
        self._closed = reason
        for channel in list(self._channels.values()):
            self.end(channel.session, reason)
        await self._background.finish()

    def _join(self, session: TraceSession, watcher: Watcher) -> Channel | None:
        over = session.state in (SessionState.STOPPED, SessionState.FAILED)
        if over or self._closed:
            reason = session.reason if over else self._closed
            watcher.end(_end_of(session, reason, error=session.error))
            return None
        channel = self._channels.get(session.session_id)
        if channel is None:
            channel = Channel(node=self.node, session=session, turn=self._turn)
            self._channels[session.session_id] = channel
            tending = apart(self._tend(channel), name=f"show session {session.session_id}")
            channel.task = self._background.hold(tending)
        watcher.since = channel.offers
        channel.watchers.add(watcher)
        return channel

    def _leave(self, channel: Channel | None, watcher: Watcher) -> None:
        if channel is None:
            return
        channel.watchers.discard(watcher)
        if not channel.watchers:
            self._forget(channel)
            if channel.task is not None:
                channel.task.cancel()

    def _forget(self, channel: Channel) -> None:
        session_id = channel.session.session_id
        if self._channels.get(session_id) is channel:
            del self._channels[session_id]

    async def _tend(self, channel: Channel) -> None:
        """Show what comes and let hearts beat, until the end of the run."""
        session = channel.session
        try:
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(
                    self._beat(channel), name=f"heartbeat of session {session.session_id}"
                )
                await channel.run()
                beating.cancel()
        except Exception as error:  # noqa: BLE001 - nobody may wait for what will not come
            _log.error("watch.failed", session_id=session.session_id, exc_info=error)
            channel.finish(_end_of(session, "watching it failed", error=repr(error)))
        finally:
            self._forget(channel)

    async def _beat(self, channel: Channel) -> None:
        while True:
            await self.clock.sleep(HEARTBEAT_SECONDS)
            try:
                counts = await self.statistics(channel.session)
            except TracerError:  # the kernel's counters cannot be read; these were before
                counts = channel.session.statistics
            heartbeat = Heartbeat(
                wall_ns=self.clock.wall_ns(),
                spans=counts.spans,
                lost=counts.source.lost,
                containers=len(channel.session.containers),
            )
            channel.beat(heartbeat)


def _end_of(session: TraceSession, reason: str, *, error: str) -> Ended:
    return Ended(
        reason=reason, state=session.state, error=error, statistics=deepcopy(session.statistics)
    )
