"""Having tasks recorded: those that `/proc` has and the stream does not tell of."""

import asyncio
from collections.abc import Collection, Mapping

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.task_directory import TaskDirectory
from ..model.pod import Container, Task
from ..model.segments import Segment
from ..model.tasks import NOBODY
from .launching import Launchers
from .runner import SourceRunner

MISSING_NS = 2_000_000_000
"""A task that `/proc` has not had for so long is gone, whatever the stream says."""

ROUNDS = 20
"""A container that makes tasks faster than they can be read is given up on after so many."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class TakingOn:
    """Has the tasks of containers, and of those who launch containers, recorded by one source.

    `reading_ns` is how long reading `/proc` has taken, since somebody set it to 0.
    """

    runner: SourceRunner
    directory: TaskDirectory
    launchers: Launchers
    clock: Clock
    reading_ns: int = 0
    _missing: dict[int, dict[int, int]] = field(factory=dict)
    _unproven: dict[int, dict[int, Segment | None]] = field(factory=dict)
    """By container, tasks learnt from `/proc` that were not read of since."""
    _ghosts: dict[int, Segment | None] = field(factory=dict)

    async def take_on(
        self,
        containers: Mapping[int, Container],
        *,
        recorded: Collection[int] = (),
        with_launchers: bool = True,
    ) -> None:
        """Have all tasks of containers, by their numbers, recorded, and their launchers.

        The kernel records those in `recorded` already. Each task is known to the pipeline before
        the kernel records it, so nothing recorded is nobody's. A task made meanwhile is followed
        by the kernel, or found the next time. Raises `DiscoveryFailed`.
        """
        told = False
        for _ in range(ROUNDS):
            found = await self._read(containers, with_launchers)
            async with self.runner.lock:
                learnt = [self._learn(*one) for one in found.items()]
            news = {tid for tids in learnt for tid in tids}
            left_out = await self._left_out(found, news) if told else set()
            if not news | left_out:
                break
            told |= await self._tell(news - set(recorded) | left_out)
        else:
            names = [f"{one.pod}/{one.name}" for one in containers.values()]
            _log.warning("source.tasks_unsettled", containers=names)
        await self._forget_ghosts()

    async def _tell(self, unrecorded: set[int]) -> bool:
        """Tell the kernel of tasks; return whether there was anything to tell.

        Of the dead it is not told: it would keep them, and record whoever gets their tids.
        """
        if not unrecorded or not (living := await self.directory.living(unrecorded)):
            return False
        await asyncio.to_thread(self.runner.pipeline.source.follow, living)
        return True

    async def _read(
        self, containers: Mapping[int, Container], with_launchers: bool
    ) -> dict[int, tuple[Task, ...]]:
        """Read the tasks of containers, by their numbers, but for those the stream will tell of.

        Telling the kernel of a task has a price (see `_left_out`), and of those that were made by
        recorded ones it knows. So unknown tasks are those that are there before and after the
        stream was read up to now, and are not in it.
        """
        found = await self._tasks_of(containers, with_launchers)
        index, now_ns = self.runner.pipeline.tasks, self.clock.trace_ns()
        async with self.runner.lock:
            doubtful = any(
                index.alive(number) and index.unknown(number, tasks, now_ns=now_ns)
                for number, tasks in found.items()
            )
        if not doubtful:
            return found
        await self.runner.drain(past_ns=self.clock.trace_ns())
        after = await self._tasks_of(containers, with_launchers)
        there = {
            number: {(task.tid, task.start_time) for task in after[number]} for number in found
        }
        # As they were before: what became of them after that is in the part not read yet.
        return {
            number: tuple(task for task in tasks if (task.tid, task.start_time) in there[number])
            for number, tasks in found.items()
        }

    async def _tasks_of(
        self, containers: Mapping[int, Container], with_launchers: bool
    ) -> dict[int, tuple[Task, ...]]:
        began_ns = self.clock.trace_ns()
        asked = dict(
            zip(containers, map(self.directory.tasks_of, containers.values()), strict=True)
        )
        if with_launchers:
            asked[NOBODY] = self.launchers.tasks_for(containers.values())
        found = await asyncio.gather(*asked.values())
        self.reading_ns += self.clock.trace_ns() - began_ns
        return dict(zip(asked, found, strict=True))

    async def _left_out(self, found: Mapping[int, tuple[Task, ...]], news: set[int]) -> set[int]:
        """Return those that live and were made while the kernel was told of others.

        It copies its list, adds to the copy, and puts that in the place of the list
        (trace_pid_write in kernel/trace/trace.c): whom a fork added meanwhile is not on it.
        """
        source, tasks = self.runner.pipeline.source, self.runner.pipeline.tasks
        async with self.runner.lock:
            launched = tasks.tids(NOBODY)
        listed = await asyncio.to_thread(source.following)
        there = {task.tid for some in found.values() for task in some} | launched
        missing = there - news - listed
        if missing:
            # Those that ended meanwhile are not on the list either, but their end is recorded.
            await self.runner.drain(past_ns=self.clock.trace_ns())
        async with self.runner.lock:
            left_out = {tid for tid in missing if tasks.segments.find(tid)}
        if left_out:
            _log.info("source.tasks_taken_on_late", source=source.name, tasks=len(left_out))
        return left_out

    def _learn(self, number: int, present: tuple[Task, ...]) -> list[int]:
        """Take over what `/proc` has of a container; return the tids that are news."""
        index = self.runner.pipeline.tasks
        tids = {task.tid for task in present}
        unproven = self._unproven.get(number, {})
        self._ghosts |= {tid: one for tid, one in unproven.items() if tid not in tids}
        news = index.add(number, present, now_ns=self.clock.trace_ns())
        self._unproven[number] = {tid: index.segments.find(tid) for tid in news}
        if number != NOBODY:  # what was launched may be anywhere
            self._forget_missing(number, tids)
        return news

    async def _forget_ghosts(self) -> None:
        """Forget tasks that were read of, ended, and only then were learnt.

        The end of those that ended after that is in the stream, which is read first.
        """
        ghosts, self._ghosts = self._ghosts, {}
        # What was launched may just be elsewhere by now.
        living = await self.directory.living(ghosts) if ghosts else frozenset()
        ghosts = {tid: one for tid, one in ghosts.items() if tid not in living}
        if not ghosts:
            return
        await self.runner.drain(past_ns=self.clock.trace_ns())
        tasks = self.runner.pipeline.tasks
        async with self.runner.lock:
            tasks.forget(tid for tid, one in ghosts.items() if tasks.segments.find(tid) == one)

    def _forget_missing(self, number: int, present: set[int]) -> None:
        """Forget tasks that have been missing for long: their exit was lost.

        Of those missing for a moment, the stream has not been read to their end yet.
        """
        tasks, now = self.runner.pipeline.tasks, self.clock.trace_ns()
        before = self._missing.get(number, {})
        missing = {tid: before.get(tid, now) for tid in tasks.tids(number) - present}
        tasks.forget(tid for tid, since in missing.items() if now - since > MISSING_NS)
        self._missing[number] = missing

    def forget(self, number: int) -> None:
        """Remember nothing more of a container."""
        self._missing.pop(number, None)
        self._unproven.pop(number, None)
