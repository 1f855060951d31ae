"""The watch on the real kernel, with cgroups made by hand and no container runtime."""

import asyncio
import ctypes
import os
import signal
import struct
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from attrs import define

from container_tracer.adapters.procfs.discovery import ProcfsPodDiscovery
from container_tracer.adapters.procfs.tasks import ProcfsTaskDirectory
from container_tracer.adapters.system.clock import SystemClock
from container_tracer.adapters.tracefs.tracer import TracefsKernelTracer, TracefsSettings
from container_tracer.domain.model.inventory import InventoryChange
from container_tracer.domain.services.container_watch import ContainerWatch
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.upkeep import Upkeep

from .conftest import INSTANCES, require_kernel

pytestmark = pytest.mark.kernel

CLONE_INTO_CGROUP, CLONE3 = 0x2_0000_0000, 435
SOON_SECONDS = 0.2


@define
class Cgroup:
    """A container's cgroup, made by hand."""

    container_id: str
    folder: Path

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a program, and have it in the cgroup before it runs."""
        return subprocess.Popen(
            ["sleep", "1000"],
            preexec_fn=lambda: (self.folder / "cgroup.procs").write_text("0"),  # noqa: PLW1509
        )

    def start_inside(self) -> int:
        """Make a process right in the cgroup, as newer runtimes do; it waits to be killed."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        words = (CLONE_INTO_CGROUP, 0, 0, 0, int(signal.SIGCHLD), *[0] * 5, descriptor)
        arguments = struct.pack("11Q", *words)
        pid = ctypes.CDLL(None).syscall(CLONE3, arguments, ctypes.c_size_t(len(arguments)))
        if pid == 0:
            signal.pause()
            os._exit(0)
        os.close(descriptor)
        return int(pid)


@pytest.fixture
def cgroup() -> Iterator[Cgroup]:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    points = [Path(words[1]) for words in mounts if words[2] == "cgroup2"]
    if not points or not os.access(points[0], os.W_OK):
        pytest.skip("needs cgroup v2, writable")
    pod = points[0] / f"test-watch-{uuid.uuid4()}" / f"pod{uuid.uuid4()}"
    container_id = uuid.uuid4().hex * 2
    one = Cgroup(container_id, pod / container_id)
    one.folder.mkdir(parents=True)
    yield one
    for pid in (one.folder / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    deadline = time.monotonic() + 10
    for folder in (one.folder, pod, pod.parent):
        while folder.exists():
            try:
                folder.rmdir()
            except OSError:  # those who have just ended are still members for a moment
                assert time.monotonic() < deadline
                time.sleep(0.01)


@pytest.fixture
async def upkeep(identity: str) -> AsyncIterator[Upkeep]:
    require_kernel()
    directory, clock = ProcfsTaskDirectory(), SystemClock()
    inventory = PodInventory(discovery=ProcfsPodDiscovery(), directory=directory, clock=clock)
    watch = ContainerWatch(
        tracer=TracefsKernelTracer(TracefsSettings(identity=identity)),
        directory=directory,
        inventory=inventory,
        clock=clock,
    )
    one = Upkeep(watch=watch, inventory=inventory)
    await one.start()
    yield one
    await one.close()
    assert (one.failure, watch.failure, watch.gaps) == ("", "", 0)
    assert not [name for name in os.listdir(INSTANCES) if identity in name]  # noqa: PTH208


async def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.002)


async def test_starts_and_ends_are_seen_within_200_ms(upkeep: Upkeep, cgroup: Cgroup) -> None:
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}

    async def told(change: InventoryChange) -> None:
        now = time.monotonic()
        begun.update({one.container_id: now for one in change.begun})
        ended.update({one.container_id: now for one in change.ended})

    await upkeep.inventory.refresh()
    upkeep.inventory.subscribe(told)
    seconds: dict[str, list[float]] = {"start": [], "end": []}
    for _ in range(5):
        process = await asyncio.to_thread(cgroup.start)
        started = time.monotonic()
        await until(lambda: cgroup.container_id in begun)
        seconds["start"].append(begun.pop(cgroup.container_id) - started)
        assert cgroup.container_id in await ids_of(upkeep.inventory)
        process.kill()
        killed = time.monotonic()
        await asyncio.to_thread(process.wait)
        await until(lambda: cgroup.container_id in ended)
        seconds["end"].append(ended.pop(cgroup.container_id) - killed)
        assert cgroup.container_id not in await ids_of(upkeep.inventory)
    # The machine that tests run on may be busy with others for a while.
    assert median(seconds["start"]) < SOON_SECONDS
    assert median(seconds["end"]) < SOON_SECONDS


async def ids_of(inventory: PodInventory) -> set[str]:
    return {one.container_id for pod in await inventory.pods() for one in pod.containers}


async def test_who_enters_is_known_however_it_came_there(upkeep: Upkeep, cgroup: Cgroup) -> None:
    queue = upkeep.watch.queue()
    process = await asyncio.to_thread(cgroup.start)
    inside = cgroup.start_inside()
    found: set[int] = set()

    def both() -> bool:
        taken = queue.take(upkeep.watch.known_until_ns(time.monotonic_ns()))
        found.update(one.tid for one in taken if one.container_id == cgroup.container_id)
        return found >= {process.pid, inside}

    await until(both)
    assert found == {process.pid, inside}
    for pid in (process.pid, inside):
        os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(process.wait)
    await asyncio.to_thread(os.waitpid, inside, 0)


async def test_what_the_watch_has_in_the_kernel_is_named_as_the_nodes(
    upkeep: Upkeep, identity: str
) -> None:
    (name,) = [name for name in os.listdir(INSTANCES) if identity in name]  # noqa: PTH208
    assert f"container-tracer_{identity}_watch-" in name
    left = INSTANCES / f"container-tracer_{identity}_watch-0123abcd"
    left.mkdir()
    assert upkeep.watch.tracer.remove_leftovers() == (left.name,)
