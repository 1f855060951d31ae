"""Telling of containers that begin and end, in order, and waiting until all have been told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog
from attrs import define, field

from ..model.inventory import InventoryChange

Told: TypeAlias = Callable[[InventoryChange], Awaitable[None]]
"""What is called with each change, and awaited."""

_log = structlog.get_logger()


@define(eq=False)
class Subscriber:
    """One who is told; of one thing after the other."""

    told: Told
    turn: asyncio.Lock = field(factory=asyncio.Lock)

    async def tell(self, change: InventoryChange) -> None:
        """Tell of a change; should that fail, it is logged: others are to be told as well."""
        async with self.turn:
            try:
                await self.told(change)
            except Exception as error:  # noqa: BLE001
                _log.error("inventory.subscriber_failed", error=str(error), exc_info=error)

    async def wait(self) -> None:
        """Wait until everything up to now has been told."""
        async with self.turn:
            pass


@define(eq=False)
class InventoryNews:
    """Those who are told of changes; they may come and go meanwhile."""

    subscribers: list[Subscriber] = field(factory=list)

    def subscribe(self, told: Told) -> Callable[[], None]:
        """Tell somebody from now on; return what ends that."""
        subscriber = Subscriber(told)
        self.subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self.subscribers:
                self.subscribers.remove(subscriber)

        return unsubscribe

    async def tell(self, change: InventoryChange) -> None:
        """Tell everybody at once; a slow one makes others wait for the return only."""
        await asyncio.gather(*[one.tell(change) for one in self.subscribers])

    async def told(self) -> None:
        """Wait until everybody has been told everything up to now."""
        await asyncio.gather(*[one.wait() for one in self.subscribers])
