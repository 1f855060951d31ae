"""What runs on this node, known at any time."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog
from attrs import define, evolve, field

from ...ports.clock import Clock
from ...ports.errors import DiscoveryFailed
from ...ports.pod_discovery import PodDiscovery
from ...ports.task_directory import TaskDirectory
from ..model.inventory import (
    InventoryNumbers,
    change_between,
    containers_of,
    with_containers,
    without_containers,
)
from ..model.pod import Container, Pod, pod_of_sandbox
from ..model.selector import ContainerSelector, NoMatchingContainer
from .inventory_news import InventoryNews, Told
from .look_spans import LookSpans
from .own_spans import FOR_NOBODY, OwnSpans
from .pod_looks import PodLooks

LOOK_SECONDS = 1.0
"""How often to look without a reason: a container without a cgroup begins unseen."""

AFRESH_SECONDS = 10.0
"""How often to look at every container, also at those of which nobody told."""

ECHO_SECONDS = 0.5
"""How soon to look again after a look with a reason: runtimes notice ends later than we do."""

SHARE_OF_A_CORE = 0.002
"""Looking without a reason may take so much of a core: else it is done less often."""

BUSY_SHARE_OF_A_CORE = 0.05
"""Looking may take so much where containers come and go all the time."""

LEAST_GAP_SECONDS = 0.02

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class PodInventory:
    """Knows pods and containers, and tells of those that begin and end.

    While `run` keeps it fresh, questions are answered from memory; else each looks for itself.
    Those who wait for a look at the same time share it. `watched` says that somebody tells it,
    by `learn` and `poke`, what the kernel sees.
    """

    discovery: PodDiscovery
    directory: TaskDirectory
    clock: Clock
    watched: bool = False
    failure: str = ""
    look_count: int = 0
    poke_count: int = 0
    failure_count: int = 0
    spans: OwnSpans = FOR_NOBODY
    _looks: PodLooks = field(init=False)
    _look_spans: LookSpans = field(init=False)
    _news: InventoryNews = field(factory=InventoryNews)
    _found: tuple[Pod, ...] = ()
    _pods: tuple[Pod, ...] = ()
    _learnt: dict[str, Container] = field(factory=dict)
    """Containers that no look has found yet, by id."""
    _looked: bool = False
    _kept_fresh: bool = False
    _looks_begun: int = 0
    _look_seconds: float = 0.0
    _poked: asyncio.Event = field(factory=asyncio.Event)
    _suspects: set[str] | None = None
    """Ids of containers that may have changed; None: any may have."""
    _gone_ns: dict[str, int] = field(factory=dict)
    """Ids of containers that were found to have ended, and when, since the last look."""
    _afresh_due_ns: int = 0
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    def __attrs_post_init__(self) -> None:
        """Know nothing yet."""
        self._looks = PodLooks(discovery=self.discovery, directory=self.directory)
        self._look_spans = LookSpans(spans=self.spans, pods=lambda: self._pods)

    # Asking.

    async def pods(self) -> tuple[Pod, ...]:
        """Return the pods that are here, with their containers; raise `DiscoveryFailed`."""
        if not (self._kept_fresh and self._looked):
            await self.refresh()
        return self._pods

    async def select(self, selector: ContainerSelector) -> tuple[Container, ...]:
        """Return the containers a selector means; raise `NoMatchingContainer`.

        Before nothing matches, it looks.
        """
        pods = await self.pods()
        try:
            return selector.select(pods)
        except NoMatchingContainer:
            if self._kept_fresh:
                await self.refresh()
            return selector.select(self._pods)

    def pod_of_sandbox(self, sandbox_id: str) -> Pod | None:
        """Return the pod a sandbox is of, as far as that is known without looking."""
        return pod_of_sandbox(self._pods, sandbox_id)

    def subscribe(self, told: Told) -> Callable[[], None]:
        """Tell somebody of every change from now on; return what ends that.

        He is told one change after the other, and waited for. He may not call `refresh` or
        `learn` himself.
        """
        return self._news.subscribe(told)

    def numbers(self) -> InventoryNumbers:
        """Count what is known, and what was done for it."""
        return InventoryNumbers(
            pods=len(self._pods),
            containers=len(containers_of(self._pods)),
            looks=self.look_count,
            pokes=self.poke_count,
            failures=self.failure_count,
        )

    # Learning.

    async def learn(self, container_id: str, cgroups: Mapping[int, str]) -> Container | None:
        """Take in a container whose first process is there; return it when all have been told.

        None: it is none that one can select. Raises `DiscoveryFailed`. Again is harmless.
        """
        if (known := self._known(container_id)) is None:
            described = await self.discovery.describe(container_id)
            known = self._known(container_id)  # a look may have found it meanwhile
        if known is not None:
            await self._news.told()
            return known
        if described is not None:
            described = evolve(described, cgroups=described.cgroups or dict(cgroups))
            self._learnt[container_id] = described
            await self._take_over(self._found)
        return described

    def _known(self, container_id: str) -> Container | None:
        every = containers_of(self._pods).values()
        return next((one for one in every if one.container_id == container_id), None)

    async def recheck(self, container_ids: Collection[str]) -> None:
        """See whether these have ended, before their runtime does; tell when they have.

        Raises `DiscoveryFailed`.
        """
        every = containers_of(self._pods).values()
        suspects = [one for one in every if one.container_id in container_ids]
        gone = {one.container_id for one in await self._looks.gone(suspects)}
        if not gone:
            return
        self._looks.forget(gone)
        self._gone_ns.update(dict.fromkeys(gone, self.clock.trace_ns()))
        learnt = [self._learnt.pop(name) for name in gone if name in self._learnt]
        # A pod that is known by them alone stays until a look: it may bring others.
        found = with_containers(self._found, learnt)
        await self._take_over(without_containers(found, gone))

    def poke(self, container_ids: Iterable[str] = ()) -> None:
        """Look soon: something may have changed, with these containers above all."""
        self.poke_count += 1
        if self._suspects is not None:
            self._suspects.update(container_ids)
        self._poked.set()

    async def refresh(self) -> None:
        """Look now, and tell of what changed; raise `DiscoveryFailed`, and keep what was known."""
        self._suspects = None
        await self._refresh()

    async def _refresh(self) -> None:
        """Look, or share the look of those who wait for the next one, too."""
        begun_before = self._looks_begun
        async with self._lock:
            if self._looks_begun == begun_before:
                with self._look_spans.look(self.discovery.name):
                    await self._look()

    async def _look(self) -> None:
        self._looks_begun += 1
        self.look_count += 1
        began_ns, learnt = self.clock.trace_ns(), dict(self._learnt)
        suspects, self._suspects = self._suspects, set()
        try:
            found = await self._looks.look(afresh=suspects)
            ids = {one.container_id for one in containers_of(found).values()}
            missing = [one for name, one in learnt.items() if name not in ids]
            ended = {one.container_id for one in await self._looks.gone(missing)}
        except BaseException as error:
            self._looks_begun -= 1  # whoever waits looks for himself
            self._suspects = None
            self.failure_count += isinstance(error, DiscoveryFailed)
            raise
        # What has ended since the look began may have been there when it came to that.
        found = without_containers(found, {x for x, at in self._gone_ns.items() if at >= began_ns})
        self._gone_ns.clear()
        self._look_seconds = (self.clock.trace_ns() - began_ns) / 1e9
        self._looked = True
        for name in ids | ended:
            self._learnt.pop(name, None)
        await self._take_over(found)

    async def _take_over(self, found: tuple[Pod, ...]) -> None:
        """Remember what is there now, and tell of what changed."""
        before = self._pods
        self._found = found
        self._pods = with_containers(found, self._learnt.values())
        if change := change_between(before, self._pods):
            await self._news.tell(change)

    # Keeping it fresh.

    async def run(self) -> None:
        """Look whenever there is a reason, and else from time to time, until cancelled."""
        self._kept_fresh = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(), name="inventory: listen to the runtime")
                tasks.create_task(self._look_again(), name="inventory: look")
        finally:
            self._kept_fresh = False

    async def _listen(self) -> None:
        while True:
            async for _ in self.discovery.changes():
                self.poke()
            # It tells no such things, or none any more.
            await self.clock.sleep(AFRESH_SECONDS)

    async def _look_again(self) -> None:
        pause = 0.0
        while True:
            pause = await self.step(pause)

    async def step(self, pause: float) -> float:
        """Wait so many seconds, or until poked; look; return the next pause."""
        poked = True
        try:
            async with asyncio.timeout(pause):
                await self._poked.wait()
        except TimeoutError:
            poked = False
        self._poked.clear()
        if not self.watched or self.clock.trace_ns() >= self._afresh_due_ns:
            self._suspects = None
            self._afresh_due_ns = self.clock.trace_ns() + round(AFRESH_SECONDS * 1e9)
        await self._try_to_look()
        # Others may poke meanwhile; that is answered right after.
        await self.clock.sleep(max(LEAST_GAP_SECONDS, self._look_seconds / BUSY_SHARE_OF_A_CORE))
        return min(self._pause(), ECHO_SECONDS) if poked else self._pause()

    def _pause(self) -> float:
        return max(LOOK_SECONDS, self._look_seconds / SHARE_OF_A_CORE)

    async def _try_to_look(self) -> None:
        try:
            await self._refresh()
        except DiscoveryFailed as error:
            if self.failure != str(error):
                _log.warning("discovery.failed", error=str(error))
            self.failure = str(error)
        else:
            if self.failure:
                _log.info("discovery.works_again")
            self.failure = ""
