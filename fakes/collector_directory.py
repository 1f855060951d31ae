"""Collectors that come and go as a test says."""

import asyncio
from collections.abc import AsyncGenerator

from attrs import define, field

from ..domain.model.collector_services import CollectorServices
from ..ports.errors import DiscoveryFailed


@define(eq=False)
class FakeCollectorDirectory:
    """Tells what `known` is; `failure` says that it cannot be told. State is public."""

    known: CollectorServices = field(factory=CollectorServices)
    failure: DiscoveryFailed | None = None
    closed: bool = False
    _changed: asyncio.Event = field(init=False, factory=asyncio.Event)

    def change(
        self, known: CollectorServices | None = None, failure: DiscoveryFailed | None = None
    ) -> None:
        """Let collectors come and go, or the directory fail; whoever follows it is told."""
        self.known = self.known if known is None else known
        self.failure = failure
        self._changed.set()
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncGenerator[CollectorServices, None]:
        """Yield them at every change, or raise the failure."""
        while True:
            changed = self._changed
            if self.failure:
                raise self.failure
            yield self.known
            await changed.wait()

    async def close(self) -> None:
        """Remember it."""
        self.closed = True
