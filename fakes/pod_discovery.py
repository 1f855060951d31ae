"""Pods that a test says are there."""

import asyncio
from collections.abc import AsyncIterator

from attrs import define, field

from ..domain.model.pod import Container, Pod
from ..ports.errors import DiscoveryFailed


@define(kw_only=True)
class FakePodDiscovery:
    """Answers with what was put into `pods`, and by container id into `described`.

    While `failure` is set, every question raises it. `discoveries` counts the listings asked
    for. With `eventful`, each item put into `news` is told as a change.
    """

    pods: list[Pod] = field(factory=list)
    described: dict[str, Container] = field(factory=dict)
    runtimes: tuple[int, ...] = ()
    failure: DiscoveryFailed | None = None
    eventful: bool = False
    news: asyncio.Queue[None] = field(factory=asyncio.Queue)
    name: str = "fake"
    discoveries: int = field(default=0, init=False)

    async def discover(self) -> tuple[Pod, ...]:
        """List the pods, or raise `failure`."""
        self.discoveries += 1
        if self.failure:
            raise self.failure
        return tuple(self.pods)

    async def describe(self, container_id: str) -> Container | None:
        """Return what was put there for the container, or one of `pods`, or raise `failure`."""
        if self.failure:
            raise self.failure
        running = (one for pod in self.pods for one in pod.containers)
        alike = (one for one in running if one.container_id == container_id)
        return self.described.get(container_id) or next(alike, None)

    async def changes(self) -> AsyncIterator[None]:
        """Tell what is put into `news`, if `eventful`."""
        while self.eventful:
            await self.news.get()
            yield

    async def runtime_pids(self) -> tuple[int, ...]:
        """Return `runtimes`, or raise `failure`."""
        if self.failure:
            raise self.failure
        return self.runtimes
