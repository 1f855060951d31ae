"""What every directory of collectors does; a new one adds a way to set up `World`s."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen

from container_tracer.adapters.kubernetes.collector_directory import KubernetesCollectorDirectory
from container_tracer.adapters.kubernetes.settings import KubernetesSettings
from container_tracer.domain.model.collector_services import CollectorService, CollectorServices
from container_tracer.fakes.collector_directory import FakeCollectorDirectory
from container_tracer.fakes.kubernetes.access import Access, Binding
from container_tracer.fakes.kubernetes.api import FakeKubernetesApi
from container_tracer.fakes.kubernetes.calls import SERVICES
from container_tracer.fakes.kubernetes.faults import Fault
from container_tracer.fakes.kubernetes.manifests import jaeger_service, tracer_service
from container_tracer.ports.collector_directory import CollectorDirectory
from container_tracer.ports.errors import DiscoveryFailed

HOME = "container-tracer"
ONE = CollectorService(namespace="tracing", host="10.96.0.7")
TWO = CollectorService(namespace="observability", host="10.96.0.8")


def at_home(*services: CollectorService) -> CollectorServices:
    return CollectorServices(services=services, home=HOME)


@frozen
class World:
    """A cluster without a collector; the rest changes that, in this order."""

    directory: CollectorDirectory
    appear: Callable[[], Awaitable[None]]
    multiply: Callable[[], Awaitable[None]]
    close_port: Callable[[], Awaitable[None]]
    vanish: Callable[[], Awaitable[None]]
    break_down: Callable[[], Awaitable[None]]
    mend: Callable[[], Awaitable[None]]


OpenWorld: TypeAlias = Callable[[Path], "AbstractAsyncContextManager[World]"]


@asynccontextmanager
async def fake_world(_: Path) -> AsyncIterator[World]:
    fake = FakeCollectorDirectory(known=at_home())

    def change(
        known: CollectorServices | None = None, why: str = ""
    ) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            fake.change(known, DiscoveryFailed(why) if why else None)

        return act

    yield World(
        directory=fake,
        appear=change(at_home(ONE)),
        multiply=change(at_home(ONE, TWO)),
        close_port=change(at_home(TWO)),
        vanish=change(at_home()),
        break_down=change(why="Away."),
        mend=change(),
    )


@asynccontextmanager
async def kubernetes_world(tmp_path: Path) -> AsyncIterator[World]:
    """Whoever asks may list and watch services of the one name, and nothing else."""
    rule = {
        "apiGroups": [""],
        "resources": ["services"],
        "resourceNames": ["jaeger-collector"],
        "verbs": ["list", "watch"],
    }
    binding = Binding(subject="system:unauthenticated", rules=[rule])
    access = Access(bindings=[binding], authorizes=True)
    async with FakeKubernetesApi(access=access) as api:
        put = api.objects.put
        await put(tracer_service(), jaeger_service("grpc-only", port=14250))
        config = api.write_kubeconfig(tmp_path / "config", namespace=HOME)
        directory = KubernetesCollectorDirectory(
            settings=KubernetesSettings(kubeconfig=str(config))
        )

        async def break_down() -> None:
            api.faults.append(Fault(times=1000))
            api.watches.hang_up()

        async def mend() -> None:
            api.faults.clear()

        async def vanish() -> None:
            await api.objects.delete(SERVICES, "jaeger-collector", namespace="observability")

        yield World(
            directory=directory,
            appear=lambda: put(jaeger_service("tracing", ip="10.96.0.7")),
            multiply=lambda: put(jaeger_service("observability", ip="10.96.0.8")),
            close_port=lambda: put(jaeger_service("tracing", ip="10.96.0.7", port=4318)),
            vanish=vanish,
            break_down=break_down,
            mend=mend,
        )
        await directory.close()


WORLDS = [fake_world, kubernetes_world]


@pytest.fixture(params=WORLDS, ids=[one.__name__.removesuffix("_world") for one in WORLDS])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    opened: OpenWorld = request.param
    async with opened(tmp_path) as world:
        yield world


class TestCollectorDirectory:
    async def test_tells_what_there_is_and_every_change_in_any_namespace(
        self, world: World
    ) -> None:
        async with aclosing(world.directory.changes()) as changes:
            assert await anext(changes) == at_home()
            await world.appear()
            assert await anext(changes) == at_home(ONE)
            await world.multiply()
            assert await anext(changes) == at_home(ONE, TWO)
            await world.close_port()
            assert await anext(changes) == at_home(TWO)
            await world.vanish()
            assert await anext(changes) == at_home()

    async def test_fails_while_it_cannot_know_and_can_be_asked_again(self, world: World) -> None:
        await world.appear()
        async with aclosing(world.directory.changes()) as changes:
            await anext(changes)
            await world.break_down()
            with pytest.raises(DiscoveryFailed):
                await anext(changes)
        with pytest.raises(DiscoveryFailed):
            await anext(world.directory.changes())
        await world.mend()
        async with aclosing(world.directory.changes()) as changes:
            assert await anext(changes) == at_home(ONE)

    async def test_closes_twice(self, world: World) -> None:
        async with aclosing(world.directory.changes()) as changes:
            await anext(changes)
        await world.directory.close()
        await world.directory.close()
