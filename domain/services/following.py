"""Keeping a source's tasks in step with `/proc`.

The stream itself tells of forks and exits. `/proc` tells who was there before, who came into a
container by another way than a fork of its tasks, and what the stream lost.

Who launches containers is recorded, too: so whatever comes into one is recorded from its birth.
What was launched thereby into containers that no session wants is let go again.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog
from attrs import define, evolve, field

from ...ports.clock import Clock
from ...ports.errors import DiscoveryFailed
from ...ports.task_directory import TaskDirectory
from ..model.attachments import Attachment
from ..model.pod import Container
from .launching import Launchers
from .letting_go import LettingGo
from .runner import SourceRunner
from .taking_on import TakingOn

LOOK_SECONDS = 1.0
"""How often `/proc` is read without a reason."""

LOOKS_AT_LAUNCHERS = 8
"""With every so manyth look, launchers are looked for without a reason."""

SHARE_OF_A_CORE = 0.01
"""Reading `/proc` may take so much of a core: where it is slow, it is done less often."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class TaskFollower:
    """Looks after the tasks of the containers of one source.

    `checked` is called after every look. `could_bring` tells whether the pod of an unwanted
    container may bring one that is wanted. `expected` are the numbers of containers that a
    session is about to want.
    """

    runner: SourceRunner
    taking_on: TakingOn
    letting_go: LettingGo
    clock: Clock
    checked: Callable[[], None] = lambda: None
    could_bring: Callable[[Container], bool] = lambda _: True
    expected: set[int] = field(factory=set)
    _hurry: asyncio.Event = field(factory=asyncio.Event)
    _strangers: set[int] = field(factory=set)
    _launched_for: set[int] = field(factory=set)
    _looks: int = 0
    _arrived: bool = False
    _lost: bool = False
    _lock: asyncio.Lock = field(factory=asyncio.Lock)
    """Held while tasks of a container are taken on or let go: the two must not mix."""

    @classmethod
    def of(
        cls, runner: SourceRunner, directory: TaskDirectory, launchers: Launchers, clock: Clock
    ) -> "TaskFollower":
        """Look after the tasks of what this runner drains."""
        return cls(
            runner=runner,
            taking_on=TakingOn(
                runner=runner, directory=directory, launchers=launchers, clock=clock
            ),
            letting_go=LettingGo(runner=runner, launchers=launchers, clock=clock),
            clock=clock,
        )

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
        """Have all tasks of containers recorded; see `TakingOn.take_on`."""
        async with self._lock:
            await self.taking_on.take_on(containers, recorded=recorded)

    async def leave(self, containers: Iterable[int]) -> None:
        """Have the tasks of these containers recorded no more."""
        async with self._lock:
            for number in containers:
                await self._leave(number)

    async def _leave(self, number: int) -> None:
        await self.letting_go.leave(number, keep=lambda: self._wanted() | self.expected)
        self.taking_on.forget(number)

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
        self.taking_on.reading_ns = 0
        await self.look()
        return max(LOOK_SECONDS, self.taking_on.reading_ns / 1e9 / SHARE_OF_A_CORE)

    async def look(self) -> None:
        """Read the tasks of every container that a session wants."""
        strangers, self._strangers = self._strangers, set()
        containers, wanted = self.runner.pipeline.tasks.containers, self._wanted()
        async with self._lock:
            try:
                await self.taking_on.take_on(
                    {one: containers[one] for one in wanted},
                    with_launchers=await self._launchers_due(wanted),
                )
                await self._leave_unwanted()
            except DiscoveryFailed as error:
                _log.warning("discovery.failed", error=str(error))
                strangers = set()
            if self._lost:
                self._lost = False
                await self.letting_go.forget_ended()
            await self.letting_go.leave_strangers(strangers)
        self.checked()

    async def _launchers_due(self, wanted: set[int]) -> bool:
        """Tell whether to look for launchers: what they make the stream tells of by itself."""
        self._looks += 1
        same, self._launched_for = wanted == self._launched_for, wanted
        usual = same and not self._lost and self._looks % LOOKS_AT_LAUNCHERS
        return not usual or not await self.taking_on.launchers.are_there()

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
                await self.letting_go.leave_holders(evolve(container, parents=tuple(pids)))
            await self._leave(number)

    def _wanted(self) -> set[int]:
        shares = self.runner.pipeline.shares.values()
        return {number for share in shares for number in share.containers}
