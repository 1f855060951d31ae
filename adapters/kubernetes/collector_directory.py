"""The Jaeger collectors of a cluster, asked of its API."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from attrs import define, field

from ...domain.model.collector_services import (
    SERVICE,
    CollectorService,
    CollectorServices,
    read_collector_service,
)
from ...domain.model.watched_objects import WatchedObjects
from .connecting import ConnectionOnDemand
from .settings import KubernetesSettings
from .source import Source
from .watching import WATCH_SECONDS, changes_of

_PATH = "/api/v1/services"
_QUERY = {"fieldSelector": f"metadata.name={SERVICE}"}


@define(kw_only=True, eq=False)
class KubernetesCollectorDirectory:
    """Services of one name in all namespaces; connects when it is first asked."""

    settings: KubernetesSettings
    watch_seconds: int = WATCH_SECONDS
    _connection: ConnectionOnDemand = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin without a connection."""
        self._connection = ConnectionOnDemand(self.settings)

    async def changes(self) -> AsyncGenerator[CollectorServices, None]:
        """Yield them as services change; raise `ClusterUnavailable`."""
        connection = await self._connection.get()
        known: WatchedObjects[CollectorService] = WatchedObjects(read=read_collector_service)
        source = Source(connection=connection, path=_PATH, query=_QUERY, known=known)
        await source.list_anew()
        last = None
        changed = asyncio.Event()
        changed.set()
        async with aclosing(changes_of([source], changed, self.watch_seconds)) as changes:
            async for _ in changes:
                services = CollectorServices(
                    services=tuple(known.values()), home=connection.namespace
                )
                if services != last:
                    last = services
                    yield services

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._connection.close()
