"""What runs on this node."""

import asyncio

from attrs import define, field

from ...ports.pod_discovery import PodDiscovery
from ..model.pod import Container, Pod
from ..model.selector import ContainerSelector


@define(kw_only=True, eq=False)
class PodInventory:
    """Lists pods for whoever asks; those who wait at the same time share one look.

    An answer is never older than the question: a container that runs when somebody asks is
    there.
    """

    discovery: PodDiscovery
    _pods: tuple[Pod, ...] = ()
    _looks_begun: int = 0
    _lock: asyncio.Lock = field(factory=asyncio.Lock)

    async def pods(self) -> tuple[Pod, ...]:
        """Return the pods that run now; raise `DiscoveryFailed`."""
        begun_before = self._looks_begun
        async with self._lock:
            if self._looks_begun == begun_before:
                self._pods = await self._look()
            return self._pods

    async def _look(self) -> tuple[Pod, ...]:
        self._looks_begun += 1
        try:
            return await self.discovery.discover()
        except BaseException:
            self._looks_begun -= 1  # whoever waits looks for himself
            raise

    async def select(self, selector: ContainerSelector) -> tuple[Container, ...]:
        """Return the containers a selector means; raise `NoMatchingContainer`."""
        return selector.select(await self.pods())
