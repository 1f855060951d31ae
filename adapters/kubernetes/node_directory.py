"""The nodes of a cluster, asked of its API."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from attrs import define, field

from ...domain.model.nodes import Nodes
from ...domain.model.tracer_ports import SERVICE_LABEL
from ...domain.model.tracers import Tracers
from ...domain.model.watched_objects import WatchedObjects
from ...ports.errors import ClusterUnavailable
from .connecting import ConnectionOnDemand
from .connection import KubernetesConnection
from .settings import KubernetesSettings
from .source import Source
from .watching import WATCH_SECONDS, changes_of

_CORE = "/api/v1/namespaces"
_DISCOVERY = "/apis/discovery.k8s.io/v1/namespaces"
_ABSENT = frozenset({HTTPStatus.NOT_FOUND})
_UNNEEDED = _ABSENT | {HTTPStatus.FORBIDDEN}


@define(kw_only=True, eq=False)
class KubernetesNodeDirectory:
    """Pods by a label selector, and their ports by a field selector of services.

    It connects when it is first asked, and until `close`. What is listed and what watches tell
    goes into one picture, `tracers`: what one misses, the other sees.
    """

    settings: KubernetesSettings
    pods_selector: str
    service_selector: str
    watch_seconds: int = WATCH_SECONDS
    shortest_watch_seconds: float = 1.0
    tracers: Tracers = field(factory=Tracers)
    _has_slices: bool = False
    _connection: ConnectionOnDemand = field(init=False)
    _changed: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        """Begin without a connection."""
        self._connection = ConnectionOnDemand(self.settings)

    async def nodes(self) -> Nodes:
        """List them anew; raise `ClusterUnavailable`."""
        connection = await self._connection.get()
        await asyncio.gather(
            self._pods(connection).list_anew(), self._services(connection).list_anew()
        )
        await self._list_ports(connection)
        self._changed.set()
        return self.tracers.nodes()

    async def changes(self) -> AsyncGenerator[Nodes, None]:
        """Yield them as pods and slices change; raise `ClusterUnavailable`."""
        self.tracers.doubt()
        last = await self.nodes()
        yield last
        while True:
            async with aclosing(self._changes_of(self._service_names())) as changes:
                async for _ in changes:
                    if (nodes := self.tracers.nodes()) != last:
                        last = nodes
                        yield last

    async def close(self) -> None:
        """Hang up; again is harmless."""
        await self._connection.close()

    async def _changes_of(self, services: Sequence[str]) -> AsyncGenerator[None, None]:
        """Tell whenever something may have changed, as long as the services are the same."""
        connection = await self._connection.get()
        sources = [self._pods(connection)]
        if self._has_slices:
            sources.append(self._slices(connection, services))
        async with aclosing(changes_of(sources, self._changed, self.watch_seconds)) as changes:
            async for _ in changes:
                yield
                if services != self._service_names():
                    return

    async def _list_ports(self, connection: KubernetesConnection) -> None:
        """List slices; Endpoints only where there are none, or this API does not know them."""
        slices, endpoints = self.tracers.slices, self.tracers.endpoints
        names = self._service_names()
        self._has_slices = bool(names) and await _listed(
            self._slices(connection, names), but=_ABSENT
        )
        if slices.values() or not names:
            endpoints.become(endpoints.anew())
        else:
            await _listed(self._endpoints(connection, names[0]), but=_UNNEEDED)

    def _service_names(self) -> Sequence[str]:
        return sorted(one.name for one in self.tracers.services.values())

    def _pods(self, connection: KubernetesConnection) -> Source:
        query = {"labelSelector": self.pods_selector}
        return self._source(connection, f"{_CORE}/{{}}/pods", query, self.tracers.pods)

    def _services(self, connection: KubernetesConnection) -> Source:
        query = {"fieldSelector": self.service_selector}
        return self._source(connection, f"{_CORE}/{{}}/services", query, self.tracers.services)

    def _endpoints(self, connection: KubernetesConnection, service: str) -> Source:
        query = {"fieldSelector": f"metadata.name={service}"}
        return self._source(connection, f"{_CORE}/{{}}/endpoints", query, self.tracers.endpoints)

    def _slices(self, connection: KubernetesConnection, services: Sequence[str]) -> Source:
        query = {"labelSelector": f"{SERVICE_LABEL} in ({','.join(services)})"}
        return self._source(
            connection, f"{_DISCOVERY}/{{}}/endpointslices", query, self.tracers.slices
        )

    def _source(
        self,
        connection: KubernetesConnection,
        path: str,
        query: Mapping[str, str],
        known: WatchedObjects[Any],
    ) -> Source:
        return Source(
            connection=connection,
            path=path.format(quote(connection.namespace, safe="")),
            query=query,
            known=known,
            shortest_watch_seconds=self.shortest_watch_seconds,
        )


async def _listed(source: Source, *, but: AbstractSet[int]) -> bool:
    """List objects; tell whether that was possible, if a status in `but` says not."""
    try:
        await source.list_anew()
    except ClusterUnavailable as error:
        if error.status not in but:
            raise
        source.known.become(source.known.anew())
        return False
    return True
