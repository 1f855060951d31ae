import asyncio
from contextlib import suppress
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.model.pod import Pod
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.own_spans import OwnSpans
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.single_span_exporter import FakeSingleSpanExporter
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.errors import DiscoveryFailed

from .conftest import SeenSpans


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


async def test_every_look_is_a_span_and_those_without_news_are_exported_now_and_then() -> None:
    clock, seen, discovery = FakeClock(), SeenSpans(), FakePodDiscovery()
    spans = OwnSpans(clock=clock, exporters=[FakeSingleSpanExporter()], observers=[seen])
    inventory = PodInventory(
        discovery=discovery, directory=FakeTaskDirectory(), clock=clock, spans=spans
    )
    for second in range(12):
        if second == 5:
            discovery.pods.append(Pod(name="new"))
        discovery.failure = DiscoveryFailed("No.") if second == 8 else None
        with suppress(DiscoveryFailed):
            await inventory.refresh()
        clock.advance(1)
    with spans.span("request"):
        await inventory.refresh()
    looks = seen.named("discovery")
    assert len(looks) == 13
    began = [(one.started_ns - looks[0].started_ns) // 10**9 for one in seen.exported]
    assert began == [0, 5, 8, 12, 12]
    assert [one.status_message for one in seen.exported] == ["", "", "No.", "", ""]
    assert seen.exported[3].parent_span_id == seen.exported[4].span_id
    assert looks[-1].attributes == {
        "container_tracer.discovery": "fake",
        "container_tracer.pods": 1,
        "container_tracer.containers": 0,
    }
