"""What an inventory that is kept fresh knows of real containers, and how soon."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median

import pytest
from attrs import define, field

from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.inventory import InventoryChange, containers_of
from container_tracer.domain.model.pod import Pod
from container_tracer.domain.services.container_watch import ContainerWatch
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.upkeep import Upkeep
from tests.containerd.daemon import Containerd
from tests.containerd.pods import Pods

from .marks import NEEDS

pytestmark = NEEDS

INSTANCES = Path("/sys/kernel/tracing/instances")
SOON_SECONDS = 0.2


@define(eq=False)
class Witness:
    """Somebody who is told of containers; he notes when, by id."""

    begun: dict[str, float] = field(factory=dict)
    ended: dict[str, float] = field(factory=dict)

    async def told(self, change: InventoryChange) -> None:
        now = time.monotonic()
        self.begun.update(dict.fromkeys([one.container_id for one in change.begun], now))
        self.ended.update(dict.fromkeys([one.container_id for one in change.ended], now))

    async def until_begun(self, container_id: str) -> None:
        await self._until(lambda: container_id in self.begun)

    async def until_ended(self, container_id: str) -> None:
        await self._until(lambda: container_id in self.ended)

    async def _until(self, true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not true():
            assert time.monotonic() < deadline, f"not told: {self}"
            await asyncio.sleep(0.002)


@pytest.fixture
async def upkeep(containerd: Containerd) -> AsyncIterator[Upkeep]:
    identity = f"inventory-{os.getpid()}-{time.monotonic_ns():x}"
    discovery, directory = CriPodDiscovery.open(str(containerd.socket)), ProcfsTaskDirectory()
    clock = SystemClock()
    inventory = PodInventory(discovery=discovery, directory=directory, clock=clock)
    watch = ContainerWatch(
        tracer=TracefsKernelTracer(TracefsSettings(identity=identity)),
        directory=directory,
        inventory=inventory,
        clock=clock,
    )
    one = Upkeep(watch=watch, inventory=inventory)
    await one.start()
    try:
        yield one
    finally:
        await one.close()
        await discovery.close()
    assert (one.failure, watch.failure, watch.gaps) == ("", "", 0)
    assert not [name for name in os.listdir(INSTANCES) if identity in name]  # noqa: PTH208


def names_of(pods: tuple[Pod, ...]) -> set[tuple[str, str, str]]:
    return {(one.namespace, one.pod, one.name) for one in containers_of(pods).values()}


async def test_a_start_and_an_end_are_known_within_200_ms(upkeep: Upkeep, pods: Pods) -> None:
    inventory, witness = upkeep.inventory, Witness()
    pod = await asyncio.to_thread(pods.run, "shop", namespace="sales")
    inventory.subscribe(witness.told)
    seconds: dict[str, list[float]] = {"start": [], "end": []}
    for _ in range(5):
        web = await asyncio.to_thread(pod.create, "web", "/bin/sleep", "1000")
        assert ("sales", "shop", "web") not in names_of(await inventory.pods())
        await asyncio.to_thread(web.start)
        started = time.monotonic()
        await witness.until_begun(web.container_id)
        seconds["start"].append(witness.begun[web.container_id] - started)
        assert ("sales", "shop", "web") in names_of(await inventory.pods())
        await asyncio.to_thread(os.kill, web.pid, signal.SIGKILL)
        killed = time.monotonic()
        await witness.until_ended(web.container_id)
        seconds["end"].append(witness.ended[web.container_id] - killed)
        assert ("sales", "shop", "web") not in names_of(await inventory.pods())
    # The machine that tests run on may be busy with others for a while.
    assert median(seconds["start"]) < SOON_SECONDS
    assert median(seconds["end"]) < SOON_SECONDS


async def test_containers_that_end_at_once_are_told_of_too(upkeep: Upkeep, pods: Pods) -> None:
    witness = Witness()
    upkeep.inventory.subscribe(witness.told)
    pod = await asyncio.to_thread(pods.run, "shop")
    shorts = [await asyncio.to_thread(pod.start, f"s{n}", "/bin/true") for n in range(10)]
    for short in shorts:
        await witness.until_ended(short.container_id)
    assert witness.begun.keys() == witness.ended.keys() == {one.container_id for one in shorts}
    settling, deadline = upkeep.watch._settling, time.monotonic() + 30
    while witness.begun.keys() & (settling._settled | settling.newcomers.keys()):
        assert time.monotonic() < deadline, "containers that were removed are remembered"
        await asyncio.sleep(0.01)


async def test_who_comes_into_a_container_is_known_with_it(upkeep: Upkeep, pods: Pods) -> None:
    queue = upkeep.watch.queue()
    pod = await asyncio.to_thread(pods.run, "shop")
    web = await asyncio.to_thread(pod.start, "web", "/bin/sleep", "1000")
    for _ in range(5):
        await asyncio.to_thread(web.run, "/bin/true")
    now_ns = time.monotonic_ns()
    deadline = time.monotonic() + 10
    while (known_ns := upkeep.watch.known_until_ns(now_ns)) < now_ns:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
    attachments = queue.take(known_ns)
    mine = {one.tid for one in attachments if one.container_id == web.container_id}
    assert len(mine) == 6  # the one that starts it, and one of each command
    assert [one.time_ns for one in attachments] == sorted(one.time_ns for one in attachments)
    assert {one.container_id for one in attachments} >= {pod.sandbox_id, web.container_id}
    queue.close()


async def test_a_crash_of_the_runtime_ends_no_container(
    upkeep: Upkeep, containerd: Containerd, pods: Pods
) -> None:
    inventory, witness = upkeep.inventory, Witness()
    pod = await asyncio.to_thread(pods.run, "shop")
    web = await asyncio.to_thread(pod.start, "web", "/bin/sleep", "1000")
    await inventory.refresh()
    inventory.subscribe(witness.told)
    await asyncio.to_thread(containerd.kill)
    failures = inventory.numbers().failures
    while inventory.numbers().failures == failures:
        inventory.poke()
        await asyncio.sleep(0.01)
    assert names_of(await inventory.pods()) == {("default", "shop", "web")}
    await asyncio.to_thread(containerd.start)
    again = await asyncio.to_thread(pod.start, "again", "/bin/sleep", "1000")
    await witness.until_begun(again.container_id)
    assert witness.ended == {}
    assert names_of(await inventory.pods()) == {
        ("default", "shop", "web"),
        ("default", "shop", "again"),
    }
    assert web.container_id not in witness.begun
