"""What every directory of nodes does; a new one adds a way to set up `World`s, and nothing else."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen

from container_tracer.adapters.kubernetes.node_directory import KubernetesNodeDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.domain.model.nodes import Node, Nodes
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import PODS
from container_tracer.fakes.kubernetes.faults import Fault
from container_tracer.fakes.kubernetes.manifests import endpoint_slice, tracer_pod, tracer_service
from container_tracer.fakes.node_directory import FakeNodeDirectory
from container_tracer.ports.errors import DiscoveryFailed
from container_tracer.ports.node_directory import NodeDirectory

TROUBLE = "its pod tracer-b is not ready since 2026-11-20T10:00:00Z"
ONE = Node(name="worker-1", host="10.0.0.1", port=8080, pod="tracer-a")
TWO = Node(name="worker-2", host="fd00::2", port=8080, pod="tracer-b")
BEFORE = Nodes(ready=(ONE,), unready={"worker-2": TROUBLE})
AFTER = Nodes(ready=(ONE, TWO))


@frozen
class World:
    """A cluster as in `BEFORE`; `grow` makes it as in `AFTER`, `shrink` takes worker-1 away then.

    `break_down` makes discovery impossible, `mend` possible again.
    """

    directory: NodeDirectory
    grow: Callable[[], Awaitable[None]]
    shrink: Callable[[], Awaitable[None]]
    break_down: Callable[[], Awaitable[None]]
    mend: Callable[[], Awaitable[None]]


OpenWorld: TypeAlias = Callable[[Path], "AbstractAsyncContextManager[World]"]


@asynccontextmanager
async def fake_world(_: Path) -> AsyncIterator[World]:
    fake = FakeNodeDirectory(known=BEFORE)

    def change(known: Nodes | None = None, why: str = "") -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            fake.change(known, DiscoveryFailed(why) if why else None)

        return act

    yield World(
        directory=fake,
        grow=change(AFTER),
        shrink=change(Nodes(ready=(TWO,))),
        break_down=change(why="Away."),
        mend=change(),
    )


@asynccontextmanager
async def kubernetes_world(tmp_path: Path) -> AsyncIterator[World]:
    one = tracer_pod("tracer-a", node="worker-1", ip="10.0.0.1")
    two = tracer_pod("tracer-b", node="worker-2", ip="fd00::2")
    slices = endpoint_slice(one, name="four"), endpoint_slice(two, name="six")
    unready = tracer_pod("tracer-b", node="worker-2", ip="fd00::2", ready=False)
    async with FakeKubernetesApi() as api:
        await api.objects.put(tracer_service(), one, unready, *slices)
        config = api.write_kubeconfig(tmp_path / "config", namespace="container-tracer")
        directory = KubernetesNodeDirectory(
            settings=KubernetesSettings(kubeconfig=str(config)),
            pods_selector="app=container-tracer-backend",
            service_selector="metadata.name=container-tracer-node",
        )

        async def grow() -> None:
            await api.objects.put(two)

        async def shrink() -> None:
            await api.objects.delete(PODS, "tracer-a", namespace="container-tracer")

        async def break_down() -> None:
            api.faults.append(Fault(times=1000))
            api.watches.hang_up()

        async def mend() -> None:
            api.faults.clear()

        yield World(directory, grow, shrink, break_down, mend)
        await directory.close()


WORLDS = [fake_world, kubernetes_world]


@pytest.fixture(params=WORLDS, ids=[one.__name__.removesuffix("_world") for one in WORLDS])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    opened: OpenWorld = request.param
    async with opened(tmp_path) as world:
        yield world


class TestNodeDirectory:
    async def test_lists_those_that_can_be_asked_and_why_others_cannot(self, world: World) -> None:
        assert await world.directory.nodes() == BEFORE

    async def test_tells_changes_and_first_what_there_is(self, world: World) -> None:
        async with aclosing(world.directory.changes()) as changes:
            assert await anext(changes) == BEFORE
            await world.grow()
            assert await anext(changes) == AFTER
            await world.shrink()
            assert await anext(changes) == Nodes(ready=(TWO,))

    async def test_lists_while_changes_are_followed(self, world: World) -> None:
        async with aclosing(world.directory.changes()) as changes:
            await anext(changes)
            await world.grow()
            assert await world.directory.nodes() == AFTER

    async def test_fails_while_it_cannot_know_and_can_be_asked_again(self, world: World) -> None:
        await world.break_down()
        with pytest.raises(DiscoveryFailed):
            await world.directory.nodes()
        with pytest.raises(DiscoveryFailed):
            await anext(world.directory.changes())
        await world.mend()
        assert await world.directory.nodes() == BEFORE
        async with aclosing(world.directory.changes()) as changes:
            assert await anext(changes) == BEFORE

    async def test_changes_that_cannot_be_told_any_more_are_a_failure(self, world: World) -> None:
        async with aclosing(world.directory.changes()) as changes:
            await anext(changes)
            await world.break_down()
            with pytest.raises(DiscoveryFailed):
                await anext(changes)

    async def test_closes_twice(self, world: World) -> None:
        await world.directory.nodes()
        await world.directory.close()
        await world.directory.close()
