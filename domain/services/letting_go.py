"""Having tasks recorded no more."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ..model.pod import Container
from ..model.tasks import NOBODY
from .launching import Launchers
from .runner import SourceRunner

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class LettingGo:
    """Has tasks recorded no more by one source, and what they make until that holds."""

    runner: SourceRunner
    launchers: Launchers
    clock: Clock
    _suspects: set[int] = field(factory=set)

    async def leave(self, number: int, *, keep: Callable[[], Collection[int]]) -> None:
        """Let the tasks of a container go, and its number, unless that is to be kept by then."""
        tasks = self.runner.pipeline.tasks
        await self._unfollow(lambda: self._known(lambda: tasks.tids(number)))
        async with self.runner.lock:
            if number not in keep():
                tasks.retire(number)

    async def leave_holders(self, container: Container) -> None:
        """Let go whoever would launch more into a container."""
        tasks = self.runner.pipeline.tasks

        async def holders() -> set[int]:
            held = {task.tid for task in await self.launchers.holders_of([container])}
            return await self._known(lambda: tasks.tids(NOBODY) & held)

        await self._unfollow(holders)

    async def leave_strangers(self, tids: Collection[int]) -> None:
        """Let go tasks that nobody knows and that came again after a look found them nowhere.

        They got the tid of one that had ended when it was followed; so would their children.
        """
        find = self.runner.pipeline.tasks.segments.find
        async with self.runner.lock:
            unknown = {tid for tid in tids if find(tid) is None}
        again = unknown & self._suspects
        self._suspects = (self._suspects | unknown) - again
        if again:
            _log.info("source.strangers_sent_away", tasks=len(again))
            await asyncio.to_thread(self.runner.pipeline.source.unfollow, again)

    async def forget_ended(self) -> None:
        """Forget launched tasks whose ends may have been lost: the kernel has them no more."""
        tasks = self.runner.pipeline.tasks
        launched = await self._known(lambda: tasks.tids(NOBODY))
        listed = await asyncio.to_thread(self.runner.pipeline.source.following)
        async with self.runner.lock:
            tasks.forget(launched - listed)

    async def _unfollow(self, tids_now: Callable[[], Awaitable[set[int]]]) -> None:
        """Have tasks recorded no more, and whatever they make until that holds."""
        left: set[int] = set()
        while more := await tids_now() - left:
            await asyncio.to_thread(self.runner.pipeline.source.unfollow, more)
            left |= more
            # Tasks made meanwhile show in the stream.
            await self.runner.drain(past_ns=self.clock.trace_ns())
        async with self.runner.lock:
            self.runner.pipeline.tasks.forget(left)

    async def _known(self, of: Callable[[], set[int]]) -> set[int]:
        async with self.runner.lock:
            return of()
