"""A roster, the real client library, and an API that does everything wrong one after another."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import define

from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.domain.services.node_roster import NodeRoster
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS
from container_tracer.fakes.kubernetes.faults import Fault, Manners
from container_tracer.fakes.kubernetes.manifests import tracer_pod, tracer_service

STEPS = 150
NAMESPACE = "container-tracer"
GONE = {"kind": "Status", "code": 410, "message": "too old resource version"}

Step: TypeAlias = Callable[[], Awaitable[None]]


class HastyClock(SystemClock):
    """Sleeps a fiftieth of what is asked for."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / 50)


@define
class World:
    """An API whose objects change and which fails; `ready` is the truth."""

    api: FakeKubernetesApi
    chance: random.Random
    ready: dict[str, bool]

    async def change(self) -> None:
        name = f"node-{self.chance.randrange(8)}"
        ready = self.chance.random() < 0.7
        self.ready[name] = ready
        await self.api.objects.put(tracer_pod(name, node=name, ready=ready))

    async def remove(self) -> None:
        if self.ready:
            name = self.chance.choice(sorted(self.ready))
            del self.ready[name]
            await self.api.objects.delete(PODS, name, namespace=NAMESPACE)

    async def go_away(self) -> None:
        await self.api.stop()
        await asyncio.sleep(0.01)
        await self.change()
        await self.api.start()

    async def fail(self) -> None:
        self.api.faults.append(
            self.chance.choice(
                [
                    Fault(status=self.chance.choice([401, 403, 404, 410, 429, 500, 503])),
                    Fault(status=410, reason="Expired", verb="watch"),
                    Fault(status=200, body=self.chance.choice([b"", b"{}", b"[]", b"{", b"\xff"])),
                    Fault(manners=Manners.HANGS_UP, times=2),
                    Fault(manners=Manners.BREAKS_OFF),
                    Fault(manners=Manners.HANGS, verb="list"),
                ]
            )
        )

    async def mistreat_watches(self) -> None:
        watches = self.api.watches
        match self.chance.randrange(5):
            case 0:
                watches.hang_up()
            case 1:
                await watches.end(self.api.objects)
            case 2:
                await watches.send("ERROR", GONE)
            case 3:
                await watches.say(self.chance.choice([b"{", b"\n", b"{}\n", b"\xff\n"]))
            case 4:
                self.api.objects.forget()
                await watches.end(self.api.objects)

    def step(self) -> Step:
        steps = [self.change, self.remove, self.fail, self.mistreat_watches, self.go_away]
        return self.chance.choices(steps, weights=[10, 4, 4, 4, 1])[0]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_the_api_does_the_truth_is_known_in_the_end(
    tmp_path: Path, seed: int
) -> None:
    async with FakeKubernetesApi() as api:
        await api.objects.put(tracer_service(target=8080))
        config = api.write_kubeconfig(tmp_path / "config", namespace=NAMESPACE)
        directory = KubernetesNodeDirectory(
            settings=KubernetesSettings(kubeconfig=str(config), timeout_seconds=0.2),
            pods_selector="app=container-tracer-backend",
            service_selector="metadata.name=container-tracer-node",
            shortest_watch_seconds=0.02,
        )
        roster = NodeRoster(directory=directory, clock=HastyClock(), poll_seconds=5)
        running = asyncio.create_task(roster.run())
        world = World(api, random.Random(seed), {})  # noqa: S311 - chaos, no cryptography
        for _ in range(STEPS):
            with contextlib.suppress(ConnectionError):  # of a watch that has just gone
                await world.step()()
            await asyncio.sleep(0.005)
        api.faults.clear()
        truth = sorted(name for name, ready in world.ready.items() if ready)
        async with asyncio.timeout(10):
            while [one.name for one in roster.nodes().ready] != truth or roster.stale():  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)
        assert not running.done()
        assert roster.state.failures > 0
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await directory.close()
