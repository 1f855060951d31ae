"""One run of a session on its way to those who watch it."""

import asyncio
from collections import deque
from typing import TypeAlias

import numpy as np
from attrs import define, field

from ..model.session import TraceSession
from ..model.span_text import json_lines
from ..model.spans import SpanBatch
from .watcher import (
    NEWS_BYTES,
    Chunk,
    ContainerNews,
    Dropped,
    Ended,
    Frame,
    Heartbeat,
    Watcher,
)

BACKLOG_BYTES = 8 << 20
"""What may wait to be written for one session, as columns."""

CHUNK_SPANS = 512
"""So many spans are written at once: about 200 KB of text."""

_Offered: TypeAlias = SpanBatch | Dropped | ContainerNews | Ended


@define(kw_only=True, eq=False)
class Channel:
    """One run of a session, from its start or before, to those who watch it.

    Its task lives while somebody watches, until the end has been passed on.
    """

    node: str
    session: TraceSession
    turn: asyncio.Lock
    watchers: set[Watcher] = field(factory=set)
    task: asyncio.Task[None] | None = None
    offers: int = 0
    _backlog: deque[tuple[int, _Offered]] = field(factory=deque)
    _backlog_bytes: int = 0
    _arrived: asyncio.Event = field(factory=asyncio.Event)

    def offer(self, batch: SpanBatch) -> None:
        """Take spans, as many as there is room for."""
        room = BACKLOG_BYTES - self._backlog_bytes
        if batch.nbytes <= room:
            self._put(batch)
            self._backlog_bytes += batch.nbytes
            return
        fitting = len(batch) * room // batch.nbytes
        if fitting:
            self.offer(batch.take(np.arange(fitting)))
            batch = batch.take(slice(fitting, None))
        self._put(Dropped(len(batch), batch.events))

    def tell(self, news: ContainerNews) -> None:
        """Take news of a container, if there is room."""
        if self._backlog_bytes + NEWS_BYTES <= BACKLOG_BYTES:
            self._put(news)
            self._backlog_bytes += NEWS_BYTES

    def end(self, ended: Ended) -> None:
        """Take the end of the run."""
        self._put(ended)

    async def run(self) -> None:
        """Pass on what comes, up to the end of the run."""
        while True:
            number, item = await self._next()
            if isinstance(item, Ended):
                self.finish(item)
                return
            await self._show(number, item)

    def finish(self, ended: Ended) -> None:
        """Let everybody know that nothing more comes."""
        for watcher in self.watchers:
            watcher.end(ended)

    def beat(self, heartbeat: Heartbeat) -> None:
        """Let everybody know that the run lives."""
        for watcher in self.watchers:
            watcher.beat(heartbeat)

    async def _next(self) -> tuple[int, _Offered]:
        while not self._backlog:
            self._arrived.clear()
            await self._arrived.wait()
        number, item = self._backlog.popleft()
        return number, item

    async def _show(self, number: int, item: SpanBatch | Dropped | ContainerNews) -> None:
        match item:
            case Dropped():
                for watcher in self._watchers_of(number):
                    watcher.drop(item)
            case ContainerNews():
                self._backlog_bytes -= NEWS_BYTES
                for watcher in self._watchers_of(number):
                    watcher.tell(item)
            case SpanBatch():
                await self._show_spans(number, item)

    async def _show_spans(self, number: int, item: SpanBatch) -> None:
        for start in range(0, len(item), CHUNK_SPANS):
            piece = item.take(slice(start, start + CHUNK_SPANS))
            frames = {watcher.frame for watcher in self._watchers_of(number)}
            async with self.turn:
                chunk = await asyncio.to_thread(_write, piece, self.node, frames)
            for watcher in self._watchers_of(number):
                watcher.offer(chunk)
        self._backlog_bytes -= item.nbytes

    def _watchers_of(self, number: int) -> list[Watcher]:
        return [watcher for watcher in self.watchers if watcher.since <= number]

    def _put(self, item: _Offered) -> None:
        self._backlog.append((self.offers, item))
        self.offers += 1
        self._arrived.set()


def _write(batch: SpanBatch, node: str, frames: set[Frame]) -> Chunk:
    lines = json_lines(batch, node=node)
    return Chunk(
        texts={frame: frame(lines) for frame in frames}, spans=len(batch), events=batch.events
    )
