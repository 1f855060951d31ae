"""Objects of one resource: listed in pages, and followed by watches."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from attrs import frozen

from ...domain.model.kubernetes_json import members, text
from ...domain.model.watched_objects import WatchedObjects, WatchExpired, WatchFailed
from ...ports.errors import ClusterUnavailable
from .connection import KubernetesConnection
from .errors import no_kubernetes

PAGE_OBJECTS = 500


@frozen(kw_only=True)
class Source:
    """What is asked for, and `known`, which is kept like it."""

    connection: KubernetesConnection
    path: str
    query: Mapping[str, str]
    known: WatchedObjects[Any]
    shortest_watch_seconds: float = 1.0

    async def list_anew(self) -> None:
        """Let `known` be what there is; raise `ClusterUnavailable`."""
        try:
            listed = await self._listed(PAGE_OBJECTS)
        except ClusterUnavailable as error:
            if error.status != HTTPStatus.GONE:
                raise
            listed = await self._listed(0)  # what the next page goes on from was forgotten
        self.known.become(listed)

    async def follow(self, changed: asyncio.Event, seconds: int) -> None:
        """Keep `known` up with watches of so many seconds, without end; raise likewise.

        A watch that ends at once is not begun again at once: so many seconds lie in between.
        """
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._watch(changed, seconds)
            except WatchExpired:
                self.known.doubt()
                await self.list_anew()
                changed.set()
            await asyncio.sleep(self.shortest_watch_seconds - (loop.time() - began))

    async def _watch(self, changed: asyncio.Event, seconds: int) -> None:
        since = {"resourceVersion": self.known.version, "allowWatchBookmarks": "true"}
        events = self.connection.watch(self.path, {**self.query, **since}, seconds=seconds)
        try:
            async with aclosing(events):
                async for event in events:
                    self.known.apply(event)
                    changed.set()
        except WatchExpired:
            raise
        except WatchFailed as error:
            raise ClusterUnavailable(
                f"The Kubernetes API at {self.connection.address} ended a watch: {error}."
            ) from error
        except ClusterUnavailable as error:
            if error.status != HTTPStatus.GONE:
                raise
            raise WatchExpired(str(error)) from error

    async def _listed(self, limit: int) -> WatchedObjects[Any]:
        listed, query = self.known.anew(), {**self.query, "limit": str(limit)}
        while True:
            page = await self.connection.get(self.path, query)
            if not isinstance(page.get("items"), list):
                raise no_kubernetes(self.connection.address)
            listed.add(members(page, "items"), text(page, "metadata", "resourceVersion"))
            if not (token := text(page, "metadata", "continue")):
                return listed
            query["continue"] = token
