"""A connection for whoever may never need one."""

import asyncio

from attrs import define, field

from .connection import KubernetesConnection
from .settings import KubernetesSettings


@define(eq=False)
class ConnectionOnDemand:
    """Connects when it is first needed, and after `close` again when it is needed then."""

    settings: KubernetesSettings
    _open: KubernetesConnection | None = None
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def get(self) -> KubernetesConnection:
        """Return the connection; raise `ClusterUnavailable`."""
        async with self._lock:
            if self._open is None:
                self._open = await KubernetesConnection.open(self.settings)
            return self._open

    async def close(self) -> None:
        """Hang up; again is harmless."""
        connection, self._open = self._open, None
        if connection is not None:
            await connection.close()
