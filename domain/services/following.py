"""Keeping a source's tasks in step with `/proc`.

The stream itself tells of forks and exits. `/proc` tells who was there before, who came into a
container by another way than a fork of its tasks, and what the stream lost.

Who launches containers is recorded, too: so whatever comes into one is recorded from its birth.
What was launched thereby into containers that no session wants is let go again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

import structlog
from attrs import define, evolve, field

from ...ports.clock import Clock
from ...ports.errors import DiscoveryFailed
from ...ports.task_directory import TaskDirectory
from ..model.attachments import Attachment
from ..model.pod import Container, Task
from ..model.segments import Segment
from ..model.tasks import NOBODY
from .launching import Launchers
from .runner import SourceRunner

LOOK_SECONDS = 1.0
"""How often `/proc` is read without a reason."""

SHARE_OF_A_CORE = 0.01
"""Reading `/proc` may take so much of a core: where it is slow, it is done less often."""

MISSING_NS = 2_000_000_000
"""A task that `/proc` has not had for so long is gone, whatever the stream says."""

ROUNDS = 20
"""A container that makes tasks faster than they can be read is given up on after so many."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class TaskFollower:
    """Looks after the tasks of the containers of one source."""

    runner: SourceRunner
    directory: TaskDirectory
    launchers: Launchers
    clock: Clock
    checked: Callable[[], None] = lambda: None
    """Called after every look."""
    could_bring: Callable[[Container], bool] = lambda _: True
    """Tells whether the pod of an unwanted container may bring one that is wanted."""
    expected: set[int] = field(factory=set)
    """Numbers of containers that a session is about to want."""
    _hurry: asyncio.Event = field(factory=asyncio.Event)
    _missing: dict[int, dict[int, int]] = field(factory=dict)
    _unproven: dict[int, dict[int, Segment | None]] = field(factory=dict)
    """By container, tasks learnt from `/proc` that were not read of since."""
    _ghosts: dict[int, Segment | None] = field(factory=dict)
    _strangers: set[int] = field(factory=set)
    _suspects: set[int] = field(factory=set)
    _arrived: bool = False
    _lost: bool = False
    _lock: asyncio.Lock = field(factory=asyncio.Lock)
    """Held while tasks of a container are taken on or let go: the two must not mix."""

    async def expect(self, containers: Iterable[Container]) -> dict[int, Container]:
        """Return containers by their numbers, which are `expected` until somebody says else."""
        number_of = self.runner.pipeline.tasks.container_number
        async with self.runner.lock:
            numbers = {number_of(container): container for container in containers}
            self.expected |= numbers.keys()
            return numbers

    async def follow(
        self, containers: Mapping[int, Container], *, recorded: Collection[int] = ()
    ) -> None:
        """Have all tasks of containers recorded, and of those who launch containers.

        The kernel records those in `recorded` already.

        Each task is known to the pipeline before the kernel records it, so nothing recorded is
        nobody's. A task made meanwhile is followed by the kernel, or found by the next look.
        """
        async with self._lock:
            await self._follow(containers, recorded)

    async def _follow(
        self, containers: Mapping[int, Container], recorded: Collection[int] = ()
    ) -> None:
        told = False
        for _ in range(ROUNDS):
            found = await self._read(containers)
            async with self.runner.lock:
                learnt = [self._learn(*one) for one in found.items()]
            news = {tid for tids in learnt for tid in tids}
            left_out = await self._left_out(found, news) if told else set()
            if not news | left_out:
                break
            if unrecorded := news - set(recorded) | left_out:
                await asyncio.to_thread(self.runner.pipeline.source.follow, unrecorded)
                told = True
        else:
            names = [f"{one.pod}/{one.name}" for one in containers.values()]
            _log.warning("source.tasks_unsettled", containers=names)
        await self._forget_ghosts()

    async def _read(self, containers: Mapping[int, Container]) -> dict[int, tuple[Task, ...]]:
        """Read the tasks of containers, by their numbers, but for those the stream will tell of.

        Telling the kernel of a task has a price (see `_left_out`), and of those that were made by
        recorded ones it knows. So unknown tasks are those that are there before and after the
        stream was read up to now, and are not in it.
        """
        found = await self._tasks_of(containers)
        index, now_ns = self.runner.pipeline.tasks, self.clock.trace_ns()
        async with self.runner.lock:
            doubtful = any(
                index.alive(number) and index.unknown(number, tasks, now_ns=now_ns)
                for number, tasks in found.items()
            )
        if not doubtful:
            return found
        await self.runner.drain(past_ns=self.clock.trace_ns())
        before = {number: {task.tid for task in tasks} for number, tasks in found.items()}
        return {
            number: tuple(task for task in tasks if task.tid in before[number])
            for number, tasks in (await self._tasks_of(containers)).items()
        }

    async def _tasks_of(self, containers: Mapping[int, Container]) -> dict[int, tuple[Task, ...]]:
        launchers, *found = await asyncio.gather(
            self.launchers.tasks_for(containers.values()),
            *map(self.directory.tasks_of, containers.values()),
        )
        return {NOBODY: launchers, **dict(zip(containers, found, strict=True))}

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
        if not ghosts:
            return
        await self.runner.drain(past_ns=self.clock.trace_ns())
        tasks = self.runner.pipeline.tasks
        async with self.runner.lock:
            tasks.forget(tid for tid, one in ghosts.items() if tasks.segments.find(tid) == one)

    async def leave(self, containers: Iterable[int]) -> None:
        """Have the tasks of these containers recorded no more."""
        async with self._lock:
            for number in containers:
                await self._leave(number)

    async def _leave(self, number: int) -> None:
        tasks = self.runner.pipeline.tasks
        await self._unfollow(lambda: self._known(lambda: tasks.tids(number)))
        async with self.runner.lock:
            if number not in self._wanted() | self.expected:
                tasks.retire(number)
        self._missing.pop(number, None)
        self._unproven.pop(number, None)

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

    def notice(self, strangers: Iterable[int]) -> None:
        """Look soon whose these tids are, of which events came."""
        self._strangers.update(strangers)
        self.hurry()

    def hurry(self) -> None:
        """Look again soon."""
        self._hurry.set()

    def lost(self) -> None:
        """Look again soon: among lost events may be the ends of tasks."""
        self._lost = True
        self.hurry()

    def attached(self, attachment: Attachment) -> None:
        """Look at once if a task that nobody launched came into a container that is wanted."""
        tasks = self.runner.pipeline.tasks
        number = tasks.number_of_known(attachment.container_id)
        if number in self._wanted() and tasks.segments.find(attachment.tid) is None:
            self._arrived = True
            self.hurry()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        pause = LOOK_SECONDS
        while True:
            pause = await self.step(pause)

    async def step(self, pause: float) -> float:
        """Wait so many seconds, or a tenth if somebody hurries; look; return the next pause.

        Nobody waits for a task that came from elsewhere: all it does until then is missed.
        """
        try:
            async with asyncio.timeout(pause):  # wait_for may swallow a cancellation
                await self._hurry.wait()
        except TimeoutError:
            pass
        else:
            if not self._arrived:
                await self.clock.sleep(pause / 10)
        self._arrived = False
        self._hurry.clear()
        began = self.clock.trace_ns()
        await self.look()
        taken = (self.clock.trace_ns() - began) / 1e9
        return max(LOOK_SECONDS, taken / SHARE_OF_A_CORE)

    async def look(self) -> None:
        """Read the tasks of every container that a session wants."""
        strangers, self._strangers = self._strangers, set()
        containers = self.runner.pipeline.tasks.containers
        async with self._lock:
            try:
                await self._follow({number: containers[number] for number in self._wanted()})
            except DiscoveryFailed as error:
                _log.warning("discovery.failed", error=str(error))
                strangers = set()
            await self._leave_unwanted()
            await self._forget_ended()
        await self._send_away(strangers)
        self.checked()

    async def _leave_unwanted(self) -> None:
        """Let go what was launched into containers that no session wants."""
        tasks = self.runner.pipeline.tasks
        async with self.runner.lock:
            numbers = tasks.numbers() - self._wanted() - self.expected
            unwanted = {
                number: (tasks.containers[number], tasks.pids(number)) for number in numbers
            }
        for number, (container, pids) in unwanted.items():
            if pids and not self.could_bring(container):
                await self._leave_holders(evolve(container, parents=tuple(pids)))
            await self._leave(number)

    async def _leave_holders(self, container: Container) -> None:
        """Let go whoever would launch more into a container."""
        tasks = self.runner.pipeline.tasks

        async def holders() -> set[int]:
            held = {task.tid for task in await self.launchers.holders_of([container])}
            return await self._known(lambda: tasks.tids(NOBODY) & held)

        await self._unfollow(holders)

    async def _forget_ended(self) -> None:
        """Forget launched tasks whose ends may have been lost: the kernel has them no more."""
        if not self._lost:
            return
        self._lost = False
        tasks = self.runner.pipeline.tasks
        launched = await self._known(lambda: tasks.tids(NOBODY))
        listed = await asyncio.to_thread(self.runner.pipeline.source.following)
        async with self.runner.lock:
            tasks.forget(launched - listed)

    async def _send_away(self, strangers: set[int]) -> None:
        """Have tasks recorded no more that came again after a look found them nowhere.

        They got the tid of one that had ended when it was followed; so would their children.
        """
        find = self.runner.pipeline.tasks.segments.find
        async with self.runner.lock:
            unknown = {tid for tid in strangers if find(tid) is None}
        again = unknown & self._suspects
        self._suspects = (self._suspects | unknown) - again
        if again:
            _log.info("source.strangers_sent_away", tasks=len(again))
            async with self._lock:
                await asyncio.to_thread(self.runner.pipeline.source.unfollow, again)

    def _wanted(self) -> set[int]:
        shares = self.runner.pipeline.shares.values()
        return {number for share in shares for number in share.containers}

    def _forget_missing(self, number: int, present: set[int]) -> None:
        """Forget tasks that have been missing for long: their exit was lost.

        Of those missing for a moment, the stream has not been read to their end yet.
        """
        tasks, now = self.runner.pipeline.tasks, self.clock.trace_ns()
        before = self._missing.get(number, {})
        missing = {tid: before.get(tid, now) for tid in tasks.tids(number) - present}
        tasks.forget(tid for tid, since in missing.items() if now - since > MISSING_NS)
        self._missing[number] = missing
