"""Who runs here: pods, containers, and the tasks in them."""

from typing import Protocol

from ..domain.model.pod import Container, Pod, Task


class PodDiscovery(Protocol):
    """Finds pods, containers and tasks of this machine. It may be called from several tasks."""

    name: str
    """How people and logs call it, for example `procfs`."""

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers; raise `DiscoveryFailed`."""

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        """List all threads of all processes that are in the container now; empty if it is gone.

        Raises `DiscoveryFailed` only if nothing at all can be read.
        """
