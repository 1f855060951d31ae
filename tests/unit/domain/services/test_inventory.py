import asyncio
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.model.pod import Pod
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.errors import DiscoveryFailed


@define
class SlowDiscovery(FakePodDiscovery):
    """Takes as long as a test wants, as looking at a machine takes a while."""

    gate: asyncio.Event = field(factory=asyncio.Event)

    async def discover(self) -> tuple[Pod, ...]:
        self.discoveries += 1
        await self.gate.wait()
        return tuple(self.pods)


def inventory_of(discovery: FakePodDiscovery) -> PodInventory:
    return PodInventory(discovery=discovery, directory=FakeTaskDirectory(), clock=FakeClock())


async def test_those_who_wait_for_a_look_share_the_next_one() -> None:
    discovery = SlowDiscovery()
    inventory = inventory_of(discovery)
    early = asyncio.create_task(inventory.pods(), name="early")
    await asyncio.sleep(0)
    late = [asyncio.create_task(inventory.pods(), name=f"late {n}") for n in range(4)]
    await asyncio.sleep(0)
    discovery.gate.set()
    await asyncio.gather(early, *late)
    assert discovery.discoveries == 2


async def test_an_answer_is_never_older_than_the_question() -> None:
    discovery = FakePodDiscovery()
    inventory = inventory_of(discovery)
    for count in range(3):
        assert len(await inventory.pods()) == count
        discovery.pods.append(Pod(name=f"pod-{count}"))


async def test_a_look_that_fails_is_not_remembered(world: Any) -> None:
    world.container("web", 100)
    inventory = world.sessions.inventory
    world.discovery.failure = DiscoveryFailed("/proc cannot be read.")
    with pytest.raises(DiscoveryFailed):
        await inventory.pods()
    world.discovery.failure = None
    assert len(await inventory.select(ContainerSelector(container="web"))) == 1
    with pytest.raises(NoMatchingContainer):
        await inventory.select(ContainerSelector(container="db"))
