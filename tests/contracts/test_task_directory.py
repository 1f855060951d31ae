"""What every task directory does; a new one adds a way to set up `World`s, and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve, frozen

from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.domain.model.pod import Container, Task
from container_tracer.fakes.procfs import FakeProcfs
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.errors import DiscoveryFailed
from container_tracer.ports.task_directory import TaskDirectory

ID = "ab" * 32
MAIN = Container(name="main", pod="web-0", namespace="demo", container_id=ID, parents=(10,))
RUNTIME, SHIM, RUNC = 7, 8, 9


@frozen
class World:
    """A machine on which `MAIN` has the tids 10 and 11 of one process, held by the shim 8.

    The shim has a second thread, 18, and has started 9; the runtime is 7. `stop` ends the
    container, `break_down` makes reading impossible.
    """

    directory: TaskDirectory
    stop: Callable[[], None]
    break_down: Callable[[], None]


def fake_world(_: Path) -> World:
    tasks = (Task(tid=10, pid=10, command="worker"), Task(tid=11, pid=10, command="worker"))
    daemon = Task(tid=RUNTIME, pid=RUNTIME, command="containerd")
    runtimes: dict[int, tuple[Task, ...]] = {RUNTIME: (daemon,)}
    holders = {ID: tuple(Task(tid=tid, pid=tid, command="go") for tid in (SHIM, RUNC, 18))}
    fake = FakeTaskDirectory(tasks={MAIN.key: tasks}, runtimes=runtimes, holders=holders)

    def break_down() -> None:
        fake.failure = DiscoveryFailed("Nothing can be read.")

    return World(fake, fake.tasks.clear, break_down)


def procfs_world(folder: Path) -> World:
    procfs = FakeProcfs(folder / "proc")
    procfs.add(RUNTIME, command="containerd")
    procfs.add(SHIM, command="containerd-shim", tids=(18,))
    procfs.add(RUNC, command="runc", parent=SHIM)
    procfs.add(10, tids=(11,), parent=SHIM, cgroup=f"0::/kubepods/{ID}\n", namespaces={"pid": 70})
    (procfs.root / "8" / "task" / "18" / "children").write_text(f"{RUNC} 10 ")

    def stop() -> None:
        (procfs.root / "10").rename(folder / "ended")

    def break_down() -> None:
        procfs.root.rename(folder / "elsewhere")

    return World(ProcfsTaskDirectory(procfs=procfs.root, sysfs=folder / "sys"), stop, break_down)


@pytest.fixture(params=[fake_world, procfs_world])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    made = request.param(tmp_path)
    assert isinstance(made, World)
    return made


class TestTaskDirectory:
    async def test_a_container_known_by_its_main_pid_is_completed(self, world: World) -> None:
        (located,) = await world.directory.locate([MAIN])

        assert located.key == MAIN.key
        assert (located.parents, located.tasks) == ((10,), (10, 11))
        assert located.pid_namespace

    async def test_it_lists_the_tasks_of_a_container(self, world: World) -> None:
        (located,) = await world.directory.locate([MAIN])

        tasks = await world.directory.tasks_of(located)

        assert [(task.tid, task.pid, task.command) for task in tasks] == [
            (10, 10, "worker"),
            (11, 10, "worker"),
        ]

    async def test_it_tells_who_lives(self, world: World) -> None:
        assert await world.directory.living([10, SHIM, 999]) == {10, SHIM}
        world.stop()
        assert await world.directory.living([10, SHIM]) == {SHIM}

    async def test_it_tells_whose_a_task_is(self, world: World) -> None:
        assert await world.directory.container_of(10) == ID
        assert await world.directory.container_of(RUNC) == ""
        assert await world.directory.container_of(999) == ""

    async def test_it_lists_who_may_bring_a_container_more_tasks(self, world: World) -> None:
        located = await world.directory.locate([MAIN])

        launchers = await world.directory.launchers_of(located, [RUNTIME])

        assert {task.tid for task in launchers} == {RUNTIME, SHIM, 18, RUNC}

    async def test_a_container_that_ended_has_no_tasks_and_is_left_out(self, world: World) -> None:
        (located,) = await world.directory.locate([MAIN])
        world.stop()

        assert await world.directory.tasks_of(located) == ()
        assert await world.directory.locate([MAIN]) == ()
        assert await world.directory.locate([located]) == ()

    async def test_when_nothing_can_be_read_it_says_so(self, world: World) -> None:
        (located,) = await world.directory.locate([MAIN])
        world.break_down()

        with pytest.raises(DiscoveryFailed, match=r"\."):
            await world.directory.tasks_of(located)


@pytest.mark.parametrize("pid", [0, 12, 99])
async def test_a_pid_that_is_nobodys_or_anothers_is_no_container(tmp_path: Path, pid: int) -> None:
    procfs = FakeProcfs(tmp_path / "proc")
    procfs.add(12, cgroup=f"0::/kubepods/{'cd' * 32}\n")
    directory = ProcfsTaskDirectory(procfs=procfs.root, sysfs=tmp_path / "sys")

    assert await directory.locate([evolve(MAIN, parents=(pid,))]) == ()
