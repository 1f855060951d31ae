"""One who watches a session: a bounded queue that says what it had to leave out, and where."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from attrs import define, field, frozen

from ..model.pod import Container
from ..model.session import SessionState
from ..model.stats import SessionStats

QUEUE_BYTES = 4 << 20
"""What may wait for one watcher, as text; more is dropped and counted."""

NEWS_BYTES = 512
"""So much of that room the news of a container takes, more or less."""

Frame: TypeAlias = Callable[[Sequence[str]], bytes]
"""Turns lines of JSON into what goes to a client."""


@frozen(kw_only=True)
class Chunk:
    """Spans as text, for each of the frames they are wanted in; watchers share it."""

    texts: Mapping[Frame, bytes]
    spans: int
    events: int


@frozen
class Dropped:
    """So much was left out here."""

    spans: int
    events: int


@frozen(kw_only=True)
class ContainerNews:
    """A container joined a run, or ended in it; `running` counts those it has from then on."""

    container: Container
    joined: bool
    running: int


@frozen(kw_only=True)
class Heartbeat:
    """The state of a run at a time: spans passed on, events lost by the kernel, both so far.

    `containers` counts those that run now.
    """

    wall_ns: int
    spans: int
    lost: int
    containers: int


@frozen(kw_only=True)
class Ended:
    """Nothing more comes: how the run ended."""

    reason: str
    state: SessionState
    error: str
    statistics: SessionStats


Item: TypeAlias = bytes | Dropped | ContainerNews | Heartbeat | Ended


@define(kw_only=True, eq=False)
class Watcher:
    """Takes what a session shows; whoever reads it slowly loses his own, and is told.

    `since` is the number of the first offer of its session that is for it.
    """

    frame: Frame
    since: int = 0
    shown_spans: int = 0
    dropped_spans: int = 0
    _queue: deque[tuple[bytes, int] | Dropped | ContainerNews | Ended] = field(factory=deque)
    _queued_bytes: int = 0
    _beat: Heartbeat | None = None
    _arrived: asyncio.Event = field(factory=asyncio.Event)

    def offer(self, chunk: Chunk) -> None:
        """Take spans, or drop them all if the queue is full."""
        text = chunk.texts[self.frame]
        if self._queued_bytes + len(text) > QUEUE_BYTES:
            self.drop(Dropped(chunk.spans, chunk.events))
            return
        self._queued_bytes += len(text)
        self._put((text, chunk.spans))

    def drop(self, dropped: Dropped) -> None:
        """Note what is left out; what follows without anything between is noted as one."""
        self.dropped_spans += dropped.spans
        if self._queue and isinstance(last := self._queue[-1], Dropped):
            self._queue.pop()
            dropped = Dropped(last.spans + dropped.spans, last.events + dropped.events)
        self._put(dropped)

    def tell(self, news: ContainerNews) -> None:
        """Take news, if there is room: the next heartbeat says as well how many containers run."""
        if self._queued_bytes + NEWS_BYTES <= QUEUE_BYTES:
            self._queued_bytes += NEWS_BYTES
            self._put(news)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Take a heartbeat; of those not read yet, only the latest counts."""
        self._beat = heartbeat
        self._arrived.set()

    def end(self, ended: Ended) -> None:
        """Take the end; nothing may be offered after it."""
        self._beat = None
        self._put(ended)

    async def next(self) -> Item:
        """Wait for what is to be shown next; `Ended` comes last."""
        while not self._queue and self._beat is None:
            self._arrived.clear()
            await self._arrived.wait()
        if self._beat is not None:
            beat, self._beat = self._beat, None
            return beat
        item = self._queue.popleft()
        if isinstance(item, ContainerNews):
            self._queued_bytes -= NEWS_BYTES
        if not isinstance(item, tuple):
            return item
        text, spans = item
        self._queued_bytes -= len(text)
        self.shown_spans += spans
        return text

    def _put(self, item: tuple[bytes, int] | Dropped | ContainerNews | Ended) -> None:
        self._queue.append(item)
        self._arrived.set()
