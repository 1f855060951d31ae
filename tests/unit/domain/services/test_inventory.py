import asyncio
from typing import Any

import pytest

from container_tracer.domain.model.pod import ContainerSelector, NoMatchingContainer
from container_tracer.domain.services.inventory import FRESH_NS
from container_tracer.ports.errors import DiscoveryFailed


async def test_those_who_ask_at_once_share_one_look(world: Any) -> None:
    world.container("web", 100)
    inventory = world.sessions.inventory
    answers = await asyncio.gather(*(inventory.pods() for _ in range(5)))
    assert world.discovery.discoveries == 1
    assert {pods[0].name for pods in answers} == {"pod-web"}


async def test_a_look_that_is_old_is_done_again(world: Any) -> None:
    inventory = world.sessions.inventory
    assert await inventory.pods() == ()
    world.container("web", 100)
    assert await inventory.pods() == ()
    world.clock.advance(FRESH_NS / 1e9)
    assert len(await inventory.pods()) == 1


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
