"""Who is here: pods and containers, by name."""

from collections.abc import AsyncIterator
from typing import Protocol

from ..domain.model.pod import Container, Pod


class PodDiscovery(Protocol):
    """Finds the pods and containers of this machine. It may be called from several tasks."""

    name: str
    """How people and logs call it, for example `procfs`."""

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods with their running containers; raise `DiscoveryFailed`.

        A pod may have none now and bring one later. A container may be known by its main pid
        only (`parents`); `TaskDirectory.locate` finds the rest.
        """

    async def describe(self, container_id: str) -> Container | None:
        """Say what is known of a container that is being made, and need not run yet.

        None: it is nothing one can select (the sandbox of a pod), or not known here. Raises
        `DiscoveryFailed`.
        """

    def changes(self) -> AsyncIterator[None]:
        """Tell whenever something may have begun or ended.

        It ends at once where nobody tells such things, and raises nothing.
        """

    async def runtime_pids(self) -> tuple[int, ...]:
        """Return the host pids of the daemons that start containers here; empty if unknown."""
