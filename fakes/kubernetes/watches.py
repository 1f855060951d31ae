"""Watches: answers that go on and tell of changes, a line of JSON each."""

import asyncio
import json

from aiohttp import web
from attrs import define, field

from .calls import Call, Resource
from .objects import Objects
from .selectors import Json, Matches
from .statuses import Refused

_LONGEST_SECONDS = 1800.0


@define(kw_only=True, eq=False)
class Watch:
    """One watch, while it is open; `version` is what it has been told of."""

    call: Call
    resource: Resource
    matches: Matches
    response: web.StreamResponse
    transport: asyncio.Transport
    version: int = 0
    ended: asyncio.Event = field(factory=asyncio.Event)
    _telling: asyncio.Lock = field(factory=asyncio.Lock)

    @property
    def has_bookmarks(self) -> bool:
        """Tell whether the client takes bookmarks."""
        return self.call.query.get("allowWatchBookmarks") in ("true", "1")

    async def run(self, objects: Objects) -> None:
        """Tell of changes until its time is over or it is ended."""
        try:
            async with asyncio.timeout(
                float(self.call.query.get("timeoutSeconds") or _LONGEST_SECONDS)
            ):
                await self._begin(objects)
                while True:
                    await self.tell(objects)
                    if self.ended.is_set():
                        return
                    async with objects.changed:
                        await objects.changed.wait_for(
                            lambda: self.ended.is_set() or objects.version > self.version
                        )
        except TimeoutError:
            if self.has_bookmarks:
                await self.bookmark()
        except Refused as refusal:
            await self.send("ERROR", refusal.status)

    async def bookmark(self) -> None:
        """Tell the version alone."""
        metadata = {"resourceVersion": str(self.version), "creationTimestamp": None}
        kind = {"kind": self.resource.kind, "apiVersion": self.resource.api_version}
        await self.send("BOOKMARK", {**kind, "metadata": metadata})

    async def send(self, event: str, one: Json) -> None:
        """Send an event."""
        await self.say(json.dumps({"type": event, "object": one}).encode() + b"\n")

    async def say(self, line: bytes) -> None:
        """Send anything, as if it were an event."""
        await self.response.write(line)

    async def _begin(self, objects: Objects) -> None:
        self.version = int(self.call.query.get("resourceVersion") or 0)
        if self.version:
            return
        for one in [one for one in objects.of(self.resource).values() if self.matches(one)]:
            await self.send("ADDED", one)
        self.version = objects.version

    async def tell(self, objects: Objects) -> None:
        """Tell what it has not been told of."""
        async with self._telling:
            changes, self.version = objects.since(self.version), max(self.version, objects.version)
            for change in changes:
                event = change.seen_by(self.matches) if change.resource is self.resource else None
                if event:
                    await self.send(*event)


@define(eq=False)
class Watches:
    """All that are open."""

    open: set[Watch] = field(factory=set)

    def of(self, resource: str = "") -> list[Watch]:
        """Return those of a resource, or all."""
        return [one for one in self.open if resource in ("", one.call.resource)]

    async def bookmark(self, objects: Objects, resource: str = "") -> None:
        """Send a bookmark to those who take them."""
        for one in self.of(resource):
            if one.has_bookmarks:
                await one.tell(objects)
                await one.bookmark()

    async def say(self, line: bytes, resource: str = "") -> None:
        """Send any line."""
        for one in self.of(resource):
            await one.say(line)

    async def send(self, event: str, content: Json, resource: str = "") -> None:
        """Send an event that no change has caused."""
        for one in self.of(resource):
            await one.send(event, content)

    def hang_up(self, resource: str = "") -> None:
        """Break them off in the middle."""
        for one in self.of(resource):
            one.transport.abort()

    async def end(self, objects: Objects, resource: str = "") -> None:
        """End them as their time were over."""
        for one in self.of(resource):
            one.ended.set()
        async with objects.changed:
            objects.changed.notify_all()
