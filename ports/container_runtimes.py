"""The container runtimes of this machine, of which one knows its pods best."""

from typing import Protocol

from .pod_discovery import PodDiscovery


class ContainerRuntime(PodDiscovery, Protocol):
    """A runtime that can be asked over one endpoint; it may go away and come back.

    Every question raises `RuntimeUnsuitable` if it answers, but not what must be known.
    """

    async def verify(self) -> str:
        """Return what it calls itself, for example `containerd 1.7.24`; raise `DiscoveryFailed`."""

    async def close(self) -> None:
        """Hang up; again is harmless."""


class ContainerRuntimes(Protocol):
    """Finds endpoints of runtimes, and opens them."""

    async def endpoints(self) -> tuple[str, ...]:
        """List the endpoints that are there now, the likeliest first."""

    def open(self, endpoint: str) -> ContainerRuntime:
        """Prepare to ask a runtime; nothing is sent yet."""
