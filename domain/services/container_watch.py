"""Watching, through the kernel, which processes come into containers, and which of these end.

The events of cgroups are recorded of the whole machine, all the time: they are rare. So a new
container is known some milliseconds after its first process was put into it, and a source can
tell from when on a process is a container's.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

import structlog
from attrs import define, field

from ...ports.clock import Clock
from ...ports.errors import DiscoveryFailed, PortError
from ...ports.kernel_tracer import KernelTracer, SourceSettings
from ...ports.task_directory import TaskDirectory
from ..model.attachments import Attachment
from ..model.cgroup import container_of
from ..model.cgroup_events import (
    BornInside,
    CgroupEvent,
    CgroupEvents,
)
from .attachment_queue import AttachmentQueue
from .cgroup_stream import CgroupStream
from .inventory import PodInventory
from .settling import Newcomer, Settling

GATHER_SECONDS = 0.005
"""So long events gather before they are read: a container's beginning is dozens of them."""

RETRY_SECONDS = 10.0
"""How often it is tried again to watch, where that failed."""

AGAIN_SECONDS = 0.05
"""How soon a container is asked for again that could not be asked for."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class ContainerWatch:
    """Reads the events of cgroups, and has the inventory learn of the containers they name.

    `queue` and `known_until_ns` may be called from any thread, the rest from the event loop.
    Where the kernel gives no such events, nothing is ever told, and everything is settled.
    `failure` says why it does not watch.
    """

    tracer: KernelTracer
    directory: TaskDirectory
    inventory: PodInventory
    clock: Clock
    settings: SourceSettings = field(factory=lambda: SourceSettings(buffer_kib=512))
    failure: str = ""
    gaps: int = 0
    """How often events of this watch were lost."""
    _stream: CgroupStream = field(init=False)
    _lock: Lock = field(factory=Lock)
    """Held for moments only, also in the event loop."""
    _queues: list[AttachmentQueue] = field(factory=list)
    _settling: Settling = field(factory=Settling)
    _born: list[BornInside] = field(factory=list)
    _ended: set[str] = field(factory=set)
    _news: asyncio.Event = field(factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop | None = None

    def __attrs_post_init__(self) -> None:
        """Record nothing yet."""
        self._stream = CgroupStream(tracer=self.tracer, settings=self.settings)

    # What sources ask, in their worker threads.

    def queue(self, told: Callable[[Attachment], None] = lambda _: None) -> AttachmentQueue:
        """Return a queue of all attachments from now on; `told` is called as they come."""
        queue = AttachmentQueue(self._unqueue, told)
        with self._lock:
            self._queues.append(queue)
        return queue

    def _unqueue(self, queue: AttachmentQueue) -> None:
        with self._lock:
            self._queues = [one for one in self._queues if one is not queue]

    def known_until_ns(self, now_ns: int) -> int:
        """Read what the kernel has recorded; return until when attachments are known and settled.

        All attachments from before that are in the queues. It is at most `SETTLE_SECONDS`
        before `now_ns`.
        """
        try:
            self._read()
        except PortError as error:
            self.fail(error)
        with self._lock:
            return self._settling.known_until_ns(now_ns)

    # Its life.

    def open(self) -> None:
        """Begin to watch, unless it does. It blocks for some tens of milliseconds.

        Raises `TracingUnavailable`, or `EventUnavailable` where the kernel has no such events.
        """
        self._stream.open()
        self.failure = ""

    def close(self) -> None:
        """Remove the watch from the kernel; again is harmless. It blocks as `open` does."""
        self._stream.close()

    async def run(self) -> None:
        """Watch until cancelled; where that is impossible, try again from time to time."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tell(tasks), name="watch: tell of containers")
            while True:
                try:
                    await self._listen()
                except PortError as error:
                    self.fail(error)
                finally:
                    self.inventory.watched = False
                    await asyncio.to_thread(self.close)
                await self.clock.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        await asyncio.to_thread(self.open)
        self.inventory.watched = True
        while self._stream.is_open:
            await self._stream.wait()
            await self.clock.sleep(GATHER_SECONDS)
            await asyncio.to_thread(self._read)

    def fail(self, error: PortError) -> None:
        """Say why it does not watch, once."""
        if self.failure != str(error):
            self.failure = str(error)
            _log.warning("watch.unavailable", reason=self.failure)

    # Reading, in whichever thread.

    def _read(self) -> None:
        """Take what the kernel has recorded."""
        for found in self._stream.read():
            self._take_in(found)

    def _take_in(self, found: CgroupEvents) -> None:
        with self._lock:
            for event in found.events:
                self._note(event)
            if missed := found.losses + found.malformed:
                # What was remembered of containers may have ended unsaid.
                self.gaps += missed
                self._settling.forget_all()
                _log.warning("watch.lost_events", gaps=missed)
        if self._loop and (found.events or missed):
            self._loop.call_soon_threadsafe(self._news.set)

    def _note(self, event: CgroupEvent) -> None:
        if isinstance(event, Attachment):
            self._attach(event)
        elif isinstance(event, BornInside):
            self._settling.births[event.tid] = event.time_ns
            self._born.append(event)
        else:
            self._ended.add(event.container_id)
            # Who comes into it after this makes it begin anew.
            self._settling.forget(event.container_id)

    def _attach(self, event: Attachment) -> None:
        for queue in self._queues:
            queue.put(event)
        if not event.container_id:
            return
        newcomer = self._settling.meet(event.container_id, time_ns=event.time_ns)
        if newcomer and (cgroup := container_of(event.path)):
            newcomer.cgroups[event.hierarchy] = cgroup.path

    # Telling the inventory, in the event loop.

    async def _tell(self, tasks: asyncio.TaskGroup) -> None:
        gaps = self.gaps
        while True:
            await self._news.wait()
            self._news.clear()
            with self._lock:
                newcomers = self._settling.untold()
                born, self._born = self._born, []
                ended, self._ended = self._ended, set()
            for newcomer in newcomers:
                name = f"watch: learn of {newcomer.container_id}"
                tasks.create_task(self._introduce(newcomer), name=name)
            for one in born:
                tasks.create_task(self._place(one), name=f"watch: place {one.tid}")
            if ended:
                name = f"watch: end of {len(ended)} containers"
                tasks.create_task(self._recheck(ended), name=name)
            if ended or gaps != self.gaps:
                gaps = self.gaps
                self.inventory.poke(ended)

    async def _recheck(self, ended: set[str]) -> None:
        # Where nothing can be read now, the next look sees to it.
        with suppress(DiscoveryFailed):
            await self.inventory.recheck(ended)

    async def _introduce(self, newcomer: Newcomer) -> None:
        """Have a container learnt of, so that it is settled."""
        container_id = newcomer.container_id
        try:
            while self._waits_for(container_id) and not await self._learn(newcomer):
                await self.clock.sleep(AGAIN_SECONDS)
        finally:
            with self._lock:
                self._settling.settle(container_id)
        self.inventory.poke([container_id])

    def _waits_for(self, container_id: str) -> bool:
        with self._lock:
            self._settling.known_until_ns(self.clock.trace_ns())
            return container_id in self._settling.newcomers

    async def _learn(self, newcomer: Newcomer) -> bool:
        with self._lock:
            cgroups = dict(newcomer.cgroups)
        try:
            await self.inventory.learn(newcomer.container_id, cgroups)
        except DiscoveryFailed as error:
            container_id = newcomer.container_id
            _log.debug("watch.not_learnt", container_id=container_id, error=str(error))
            return False
        return True

    async def _place(self, born: BornInside) -> None:
        """Find out in which container a process was made; it may have ended before that."""
        container_id = ""
        with suppress(DiscoveryFailed):
            container_id = await self.directory.container_of(born.tid)
        with self._lock:
            self._settling.births.pop(born.tid, None)
            self._attach(
                Attachment(time_ns=born.time_ns, tid=born.tid, path="", container_id=container_id)
            )
        self._news.set()
