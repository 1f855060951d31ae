"""Where Jaeger collectors are in a cluster."""

from collections.abc import AsyncGenerator
from typing import Protocol

from ..domain.model.collector_services import CollectorServices


class CollectorDirectory(Protocol):
    """Knows every service for collectors in the cluster, and is told when one comes or goes."""

    def changes(self) -> AsyncGenerator[CollectorServices, None]:
        """Yield them whenever something has changed, and first as they are when it begins.

        It goes on until the caller stops it, or raises `DiscoveryFailed`: then changes may have
        been missed, and whoever wants more of them begins anew.
        """

    async def close(self) -> None:
        """Hang up; again is harmless."""
