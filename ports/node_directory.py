"""Which nodes there are: the tracers of a cluster."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ..domain.model.nodes import Nodes


class NodeDirectory(Protocol):
    """Knows every tracer of the cluster, and is told when one comes or goes."""

    async def nodes(self) -> Nodes:
        """List them anew; raise `DiscoveryFailed`."""

    def changes(self) -> AsyncGenerator[Nodes, None]:
        """Yield them whenever something has changed, and first as they are when it begins.

        It goes on until the caller stops it, or raises `DiscoveryFailed`: then changes may have
        been missed, and whoever wants more of them begins anew.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""
