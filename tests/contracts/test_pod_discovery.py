"""What every pod discovery does; a new one adds a way to set up `World`s, and nothing else."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import frozen

from container_tracer.adapters.cri.discovery import CriPodDiscovery
from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.services.chosen_discovery import ChosenDiscovery
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.container_runtimes import FakeContainerRuntime, FakeContainerRuntimes
from container_tracer.fakes.cri_server import FakeCriServer
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.procfs import FakeProcfs
from container_tracer.ports.errors import DiscoveryFailed
from container_tracer.ports.pod_discovery import PodDiscovery
from tests.containerd.daemon import Containerd
from tests.containerd.pods import Pods

ID = "ab" * 32
UID = "8264f79f-4376-4171-994e-9e1dcbefb607"
RUNTIME = 7


@frozen
class World:
    """A machine on which one pod `web-0` of namespace `demo` has the container `main`.

    Its first process is `pid`; `runtime` is the pid of who started it. `stop` ends the container,
    `break_down` makes discovery impossible.
    """

    discovery: PodDiscovery
    stop: Callable[[], None]
    break_down: Callable[[], None]
    runtime: int = RUNTIME
    pid: int = 10
    uid: str = UID
    container_id: str = ID


OpenWorld: TypeAlias = Callable[[Path, pytest.FixtureRequest], "AbstractAsyncContextManager[World]"]


@asynccontextmanager
async def fake_world(_: Path, _request: pytest.FixtureRequest) -> AsyncIterator[World]:
    fake = FakePodDiscovery(pods=[web_0()], runtimes=(RUNTIME,))
    yield World(fake, fake.pods.clear, lambda: fail(fake))


@asynccontextmanager
async def chosen_world(_: Path, _request: pytest.FixtureRequest) -> AsyncIterator[World]:
    runtime = FakeContainerRuntime(pods=[web_0()], runtimes=(RUNTIME,))
    chosen = ChosenDiscovery(
        runtimes=FakeContainerRuntimes(there={"/run/fake.sock": runtime}),
        fallback=FakePodDiscovery(name="procfs"),
        clock=FakeClock(),
    )
    yield World(chosen, runtime.pods.clear, lambda: fail(runtime))
    await chosen.close()


def web_0() -> Pod:
    main = Container(
        name="main",
        pod="web-0",
        namespace="demo",
        container_id=ID,
        pod_uid=UID,
        parents=(10,),
    )
    return Pod(name="web-0", namespace="demo", uid=UID, containers=(main,))


def fail(fake: FakePodDiscovery) -> None:
    fake.failure = DiscoveryFailed("Nothing can be read.")


@asynccontextmanager
async def procfs_world(folder: Path, _request: pytest.FixtureRequest) -> AsyncIterator[World]:
    procfs = FakeProcfs(folder / "proc")
    procfs.add(RUNTIME, command="containerd")
    procfs.add(10, tids=(11,), cgroup=f"0::/kubepods/pod{UID}/{ID}\n")
    logs = procfs.root / "1" / "root" / "var" / "log" / "containers"
    logs.mkdir(parents=True)
    (logs / f"web-0_demo_main-{ID}.log").touch()
    discovery = ProcfsPodDiscovery(procfs=procfs.root, sysfs=folder / "sys", run_paths=())

    def stop() -> None:
        (procfs.root / "10").rename(folder / "ended")

    def break_down() -> None:
        procfs.root.rename(folder / "elsewhere")

    yield World(discovery, stop, break_down)


@asynccontextmanager
async def cri_world(folder: Path, _request: pytest.FixtureRequest) -> AsyncIterator[World]:
    server = FakeCriServer(path=folder / "cri.sock")
    server.add_pod("cd" * 32, "web-0", uid=UID)
    server.add_container(ID, "main", sandbox_id="cd" * 32, pid=10)
    discovery = CriPodDiscovery.open(str(server.path))
    with server:
        yield World(discovery, lambda: server.remove(ID), server.stop, os.getpid())
        await discovery.close()


@asynccontextmanager
async def containerd_world(_: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    containerd: Containerd = request.getfixturevalue("containerd")
    pods: Pods = request.getfixturevalue("pods")
    runtime = containerd.pid
    pod = pods.run("web-0", namespace="demo")
    main = pod.start("main", "/bin/sleep", "1000")
    discovery = CriPodDiscovery.open(str(containerd.socket))
    try:
        yield World(
            discovery,
            main.stop,
            containerd.kill,
            runtime=runtime,
            pid=main.pid,
            uid=pod.uid,
            container_id=main.container_id,
        )
    finally:
        await discovery.close()
        containerd.kill()
        containerd.start()


REAL = [pytest.mark.containerd, pytest.mark.xdist_group("containerd")]


@pytest.fixture(
    params=[
        fake_world,
        chosen_world,
        procfs_world,
        cri_world,
        pytest.param(containerd_world, marks=REAL),
    ]
)
async def world(request: pytest.FixtureRequest, socket_folder: Path) -> AsyncIterator[World]:
    open_world: OpenWorld = request.param
    async with open_world(socket_folder, request) as made:
        yield made


class TestPodDiscovery:
    def test_it_has_a_name(self, world: World) -> None:
        assert world.discovery.name

    async def test_it_lists_pods_with_their_running_containers(self, world: World) -> None:
        (pod,) = await world.discovery.discover()
        (container,) = pod.containers

        assert (pod.namespace, pod.name, pod.uid) == ("demo", "web-0", world.uid)
        assert container.key == ("demo", "web-0", "main", world.container_id)
        assert container.pod_uid == world.uid
        assert container.parents == (world.pid,)

    async def test_listing_twice_gives_the_same(self, world: World) -> None:
        assert await world.discovery.discover() == await world.discovery.discover()

    async def test_a_container_is_described_as_it_is_listed(self, world: World) -> None:
        (pod,) = await world.discovery.discover()

        described = await world.discovery.describe(world.container_id)

        assert described is not None
        assert described.key == pod.containers[0].key

    async def test_what_is_no_container_is_not_described(self, world: World) -> None:
        assert await world.discovery.describe("cd" * 32) is None

    async def test_it_names_the_runtimes(self, world: World) -> None:
        assert await world.discovery.runtime_pids() == (world.runtime,)

    async def test_who_waits_for_changes_may_go_at_any_time(self, world: World) -> None:
        async def listen() -> None:
            async for _ in world.discovery.changes():
                pass

        listening = asyncio.create_task(listen())
        assert await world.discovery.discover()
        listening.cancel()
        (ended,) = await asyncio.gather(listening, return_exceptions=True)

        # It had ended, where nobody tells of changes.
        assert ended is None or isinstance(ended, asyncio.CancelledError)

    async def test_a_container_that_ended_is_gone(self, world: World) -> None:
        assert await world.discovery.discover()
        world.stop()

        assert [one for pod in await world.discovery.discover() for one in pod.containers] == []

    async def test_when_nothing_can_be_read_it_says_so(self, world: World) -> None:
        assert await world.discovery.discover()
        world.break_down()

        with pytest.raises(DiscoveryFailed, match=r"\."):
            await world.discovery.discover()
