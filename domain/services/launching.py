"""Who launches containers: whoever records them has a container's tasks from their birth."""

from collections.abc import Collection

import structlog
from attrs import define

from ...ports.errors import DiscoveryFailed
from ...ports.pod_discovery import PodDiscovery
from ...ports.task_directory import TaskDirectory
from ..model.pod import Container, Task

LOOKS_UNTIL_ASKED_AGAIN = 16
"""Where there is no runtime it is asked for again only now and then: that may take a scan."""

_log = structlog.get_logger()


@define(kw_only=True, eq=False)
class Launchers:
    """Looks up who launches containers here; remembers the runtimes while they live."""

    discovery: PodDiscovery
    directory: TaskDirectory
    _runtimes: frozenset[int] = frozenset()
    _looks: int = 0

    async def tasks_for(self, containers: Collection[Container]) -> tuple[Task, ...]:
        """List the tasks of the runtimes, and of those who hold these containers."""
        if not self._runtimes and self._looks % LOOKS_UNTIL_ASKED_AGAIN == 0:
            await self._ask()
        tasks = await self.directory.launchers_of(tuple(containers), self._runtimes)
        gone = self._runtimes - {task.pid for task in tasks}
        # A runtime that was started anew has another pid, and is asked for at once.
        self._looks = 0 if gone or self._runtimes else self._looks + 1
        self._runtimes -= gone
        return tasks

    async def are_there(self) -> bool:
        """Tell whether the runtimes are known, and all of them still there."""
        living = await self.directory.living(self._runtimes) if self._runtimes else frozenset()
        return bool(living) and living == self._runtimes

    async def holders_of(self, containers: Collection[Container]) -> tuple[Task, ...]:
        """List the tasks of those who hold these containers, and of nobody else."""
        return await self.directory.launchers_of(tuple(containers), ())

    async def _ask(self) -> None:
        try:
            self._runtimes = frozenset(await self.discovery.runtime_pids())
        except DiscoveryFailed as error:
            _log.debug("launchers.unknown", error=str(error))
