"""Answers that are kept for a while; who asks meanwhile gets the same."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from attrs import define, field

from ...ports.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MAX_REMEMBERED = 8192


@define(kw_only=True, eq=False)
class Remembered(Generic[K, V]):
    """Keeps answers, `most` of them, for as many seconds as `keep_seconds` says of each.

    Several who ask the same at once share one question. Failures are not kept.
    """

    clock: Clock
    keep_seconds: Callable[[V], float]
    most: int = MAX_REMEMBERED
    _kept: dict[K, tuple[V, int]] = field(factory=dict)
    _asking: dict[K, asyncio.Task[V]] = field(factory=dict)

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """Return what is known, or ask; raises what asking raises."""
        value, until_ns = self._kept.get(key, (None, 0))
        if self.clock.trace_ns() < until_ns:
            return value  # type: ignore[return-value] # it is kept until then
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask), name="ask what is not remembered")
            task.add_done_callback(_retrieve)
            self._asking[key] = task
        return await asyncio.shield(task)

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        try:
            value = await ask()
        finally:
            del self._asking[key]
        self._kept.pop(key, None)
        until_ns = self.clock.trace_ns() + round(self.keep_seconds(value) * 1e9)
        self._kept[key] = value, until_ns
        if len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]
        return value

    @property
    def count(self) -> int:
        """Count what is kept."""
        return len(self._kept)


def _retrieve(task: asyncio.Task[V]) -> None:
    """Take note of a failure, for whoever asked may have gone."""
    if not task.cancelled():
        task.exception()
