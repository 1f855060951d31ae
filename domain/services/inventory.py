"""What runs on this node, remembered between looks."""

import asyncio

from attrs import define, field

from ...ports.clock import Clock
from ...ports.pod_discovery import PodDiscovery
from ..model.pod import Container, ContainerSelector, Pod

FRESH_NS = 250_000_000
"""A listing younger than this answers for a new one."""


@define(kw_only=True, eq=False)
class PodInventory:
    """Lists pods for whoever asks; those who ask at the same time share one look."""

    discovery: PodDiscovery
    clock: Clock
    _pods: tuple[Pod, ...] = ()
    _listed_ns: int = -FRESH_NS
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def pods(self) -> tuple[Pod, ...]:
        """Return the pods that run now; raise `DiscoveryFailed`."""
        async with self._lock:
            now = self.clock.trace_ns()
            if now - self._listed_ns >= FRESH_NS:
                self._pods = await self.discovery.discover()
                self._listed_ns = now
            return self._pods

    async def select(self, selector: ContainerSelector) -> tuple[Container, ...]:
        """Return the containers a selector means; raise `NoMatchingContainer`."""
        return selector.select(await self.pods())
