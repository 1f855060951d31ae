"""What every pod discovery does; a new one adds a way to set up `World`s, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.domain.model.pod import Container, Pod, Task
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.procfs import FakeProcfs
from container_tracer.ports.errors import DiscoveryFailed
from container_tracer.ports.pod_discovery import PodDiscovery

ID = "ab" * 32
UID = "8264f79f-4376-4171-994e-9e1dcbefb607"


@frozen
class World:
    """A machine on which one pod `web-0` of namespace `demo` has the container `main`.

    Its tids are 10 and 11, of one process. `stop` ends the container, `break_down` makes
    discovery impossible.
    """

    discovery: PodDiscovery
    stop: Callable[[], None]
    break_down: Callable[[], None]


def fake_world(_: Path) -> World:
    tasks = (Task(tid=10, pid=10, command="worker"), Task(tid=11, pid=10, command="worker"))
    main = Container(
        name="main",
        pod="web-0",
        namespace="demo",
        container_id=ID,
        pod_uid=UID,
        parents=(10,),
        tasks=(10, 11),
    )
    pod = Pod(name="web-0", namespace="demo", uid=UID, containers=(main,))
    fake = FakePodDiscovery(pods=[pod], tasks={main.key: tasks})

    def stop() -> None:
        fake.pods.clear()
        fake.tasks.clear()

    def break_down() -> None:
        fake.failure = DiscoveryFailed("Nothing can be read.")

    return World(fake, stop, break_down)


def procfs_world(folder: Path) -> World:
    procfs = FakeProcfs(folder / "proc")
    procfs.add(10, tids=(11,), cgroup=f"0::/kubepods/pod{UID}/{ID}\n")
    logs = procfs.root / "1" / "root" / "var" / "log" / "containers"
    logs.mkdir(parents=True)
    (logs / f"web-0_demo_main-{ID}.log").touch()
    discovery = ProcfsPodDiscovery(procfs=procfs.root, sysfs=folder / "sys", run_paths=())

    def stop() -> None:
        (procfs.root / "10").rename(folder / "ended")

    def break_down() -> None:
        procfs.root.rename(folder / "elsewhere")

    return World(discovery, stop, break_down)


@pytest.fixture(params=[fake_world, procfs_world])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made = request.param(tmp_path)
    assert isinstance(made, World)
    return made


class TestPodDiscovery:
    def test_it_has_a_name(self, world: World) -> None:
        assert world.discovery.name

    async def test_it_lists_pods_with_their_running_containers(self, world: World) -> None:
        (pod,) = await world.discovery.discover()
        (container,) = pod.containers

        assert (pod.namespace, pod.name, pod.uid) == ("demo", "web-0", UID)
        assert container.key == ("demo", "web-0", "main", ID)
        assert container.pod_uid == UID
        assert (container.parents, container.tasks) == ((10,), (10, 11))

    async def test_listing_twice_gives_the_same(self, world: World) -> None:
        assert await world.discovery.discover() == await world.discovery.discover()

    async def test_it_lists_the_tasks_of_a_container(self, world: World) -> None:
        (pod,) = await world.discovery.discover()

        tasks = await world.discovery.tasks_of(pod.containers[0])

        assert [(task.tid, task.pid, task.command) for task in tasks] == [
            (10, 10, "worker"),
            (11, 10, "worker"),
        ]

    async def test_a_container_that_ended_is_gone_and_has_no_tasks(self, world: World) -> None:
        (pod,) = await world.discovery.discover()
        world.stop()

        assert await world.discovery.discover() == ()
        assert await world.discovery.tasks_of(pod.containers[0]) == ()

    async def test_when_nothing_can_be_read_it_says_so(self, world: World) -> None:
        (pod,) = await world.discovery.discover()
        world.break_down()

        with pytest.raises(DiscoveryFailed, match=r"\."):
            await world.discovery.discover()
        with pytest.raises(DiscoveryFailed, match=r"\."):
            await world.discovery.tasks_of(pod.containers[0])
