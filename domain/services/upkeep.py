"""What goes on as long as the node: watching containers, and keeping the inventory fresh."""

import asyncio

import structlog
from attrs import define, field

from ...ports.errors import PortError
from .container_watch import ContainerWatch
from .inventory import PodInventory

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class Upkeep:
    """Two loops, from `start` to `close`. `failure` says why one of them ended before that."""

    watch: ContainerWatch
    inventory: PodInventory
    failure: str = ""
    _tasks: list[asyncio.Task[None]] = field(factory=list)

    async def start(self) -> None:
        """Begin; what begins in containers after this is seen."""
        try:
            await asyncio.to_thread(self.watch.open)
        except PortError as error:
            self.watch.fail(error)
        loops = (("watch containers", self.watch.run()), ("keep inventory", self.inventory.run()))
        for name, loop in loops:
            task = asyncio.create_task(loop, name=name)
            task.add_done_callback(self._died)
            self._tasks.append(task)

    async def close(self) -> None:
        """End, and leave nothing in the kernel."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self.watch.close)

    def _died(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.failure = f"{task.get_name()}: {error}"
        _log.error("upkeep.failed", task=task.get_name(), error=str(error), exc_info=error)
