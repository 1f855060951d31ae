"""Which tasks are where: the processes of this machine, and the containers they are in."""

from collections.abc import Collection, Sequence
from typing import Protocol

from ..domain.model.pod import Container, Task


class TaskDirectory(Protocol):
    """Looks up tasks of this machine. It may be called from several tasks at once.

    What ended meanwhile is left out. `DiscoveryFailed` is raised only if nothing can be read.
    """

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List all threads of all processes that are in the container now; empty if it is gone."""

    async def locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        """Complete containers with their cgroups, pid namespace, tasks and parents.

        One that is known by its main pid only is found by that; it is left out if that pid is
        gone, or is another's by now.
        """

    async def launchers_of(
        self, containers: Sequence[Container], runtimes: Collection[int]
    ) -> tuple[Task, ...]:
        """List the tasks that may make processes of these containers from outside of them.

        They are the threads of the runtimes (host pids), of the shims that hold the containers,
        and of what those started that is in no container.
        """

    async def living(self, tids: Collection[int]) -> frozenset[int]:
        """Return those of tids that are tasks which live."""

    async def container_of(self, tid: int) -> str:
        """Return the id of the container a task is in; empty if it is in none, or gone."""
