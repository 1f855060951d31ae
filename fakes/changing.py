"""Something that changes as a test says, and is followed."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from attrs import define, field

from ..ports.errors import DiscoveryFailed

T = TypeVar("T")


@define(eq=False)
class Changing(Generic[T]):
    """Tells what `known` is; `failure` says that it cannot be told. State is public."""

    known: T
    failure: DiscoveryFailed | None = None
    closed: bool = False
    _changed: asyncio.Event = field(init=False, factory=asyncio.Event)

    def change(self, known: T | None = None, failure: DiscoveryFailed | None = None) -> None:
        """Let it be something else, or untold; whoever follows it is told."""
        self.known = self.known if known is None else known
        self.failure = failure
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncGenerator[T, None]:
        """Yield it at every change, or raise the failure."""
        while True:
            changed = self._changed
            if self.failure:
                raise self.failure
            yield self.known
            await changed.wait()

    async def close(self) -> None:
        """Remember it."""
        self.closed = True
