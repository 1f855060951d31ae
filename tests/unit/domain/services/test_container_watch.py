import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import pytest
from attrs import define, field
from structlog.testing import capture_logs

from container_tracer.domain.model.cgroup_events import ATTACH, NEWTASK, POPULATED, REMOVE, WATCHED
from container_tracer.domain.model.inventory import InventoryChange, containers_of
from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.services.attachment_queue import AttachmentQueue
from container_tracer.domain.services.container_watch import ContainerWatch
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.domain.services.upkeep import Upkeep
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.kernel_tracer import FakeKernelTracer
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.errors import DiscoveryFailed, TracingUnavailable

INTO_CGROUP = 1 << 33


@define(kw_only=True, eq=False)
class Machine:
    """A machine on which containers begin and end, and its watch. Time stands still."""

    kernel: FakeKernelTracer
    clock: FakeClock = field(factory=FakeClock)
    discovery: FakePodDiscovery = field(factory=FakePodDiscovery)
    directory: FakeTaskDirectory = field(factory=FakeTaskDirectory)
    inventory: PodInventory = field(init=False)
    watch: ContainerWatch = field(init=False)
    changes: list[InventoryChange] = field(factory=list)
    logs: list[MutableMapping[str, Any]] = field(factory=list)
    _pids: int = 100

    def __attrs_post_init__(self) -> None:
        self.inventory = PodInventory(
            discovery=self.discovery, directory=self.directory, clock=self.clock
        )
        self.watch = ContainerWatch(
            tracer=self.kernel,
            directory=self.directory,
            inventory=self.inventory,
            clock=self.clock,
        )
        self.inventory.subscribe(self._told)

    async def _told(self, change: InventoryChange) -> None:
        self.changes.append(change)

    def make(self, letter: str) -> Container:
        """Have the runtime make a container, without a process so far."""
        one = Container(name=letter, pod="shop", container_id=letter * 64)
        self.discovery.described[one.container_id] = one
        return one

    def enter(self, one: Container, *, hierarchies: int = 1) -> int:
        """Put a new process into a container's cgroups."""
        self._pids += 1
        tasks = self.directory.tasks.get(one.key, ())
        self.directory.tasks[one.key] = (*tasks, Task(tid=self._pids, pid=self._pids, command="x"))
        for hierarchy in range(hierarchies):
            values = {"dst_path": path_of(one), "pid": self._pids, "dst_root": hierarchy}
            self.emit(ATTACH, values)
        return self._pids

    def end(self, one: Container) -> None:
        self.directory.tasks.pop(one.key, None)
        self.emit(POPULATED, {"path": path_of(one), "val": 0})

    def remove(self, one: Container) -> None:
        self.discovery.described.pop(one.container_id)
        self.emit(REMOVE, {"path": path_of(one)})

    def emit(self, event: str, values: object) -> None:
        self.clock.trace += 1000
        self.kernel.emit(event, values, tid=1, at_ns=self.clock.trace)  # type: ignore[arg-type]

    async def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.001)

    async def settled(self) -> None:
        now_ns = self.clock.trace + 1
        await self.until(lambda: self.watch.known_until_ns(now_ns) == now_ns)

    @property
    def reasons(self) -> list[str]:
        """Why it could not be watched, as the log has it."""
        return [one["reason"] for one in self.logs if one["event"] == "watch.unavailable"]

    @property
    def begun(self) -> list[str]:
        return [one.name for change in self.changes for one in change.begun]

    @property
    def ended(self) -> list[str]:
        return [one.name for change in self.changes for one in change.ended]


def path_of(one: Container) -> str:
    return f"/kubepods/podaa/{one.container_id}"


@pytest.fixture
async def machine(recorded_format_texts: dict[str, str]) -> AsyncIterator[Machine]:
    kernel = FakeKernelTracer(formats={name: recorded_format_texts[name] for name in WATCHED})
    with capture_logs() as logs:
        made = Machine(kernel=kernel, logs=logs)
        await asyncio.to_thread(made.watch.open)
        running = asyncio.create_task(made.watch.run(), name="watch")
        await made.until(lambda: made.inventory.watched or made.watch.failure)
        yield made
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    assert kernel.open_sources == []


async def test_a_container_is_learnt_of_when_its_first_process_is_put_into_it(
    machine: Machine,
) -> None:
    web = machine.make("a")
    queue = machine.watch.queue()
    tid = machine.enter(web, hierarchies=3)
    await machine.settled()
    assert machine.begun == ["a"]
    (learnt,) = machine.changes[0].begun
    assert learnt.cgroups[0] == path_of(web)
    taken = queue.take(machine.clock.trace + 1)
    assert [(one.tid, one.container_id, one.hierarchy) for one in taken] == [
        (tid, web.container_id, hierarchy) for hierarchy in range(3)
    ]


async def test_events_wait_until_all_have_taken_a_container_in(machine: Machine) -> None:
    gate = asyncio.Event()

    async def slow(_: InventoryChange) -> None:
        await gate.wait()

    machine.inventory.subscribe(slow)
    machine.enter(machine.make("a"))
    entered_ns = machine.clock.trace
    await machine.until(lambda: machine.begun)
    later_ns = entered_ns + 500_000_000
    assert machine.watch.known_until_ns(later_ns) == entered_ns
    gate.set()
    await machine.until(lambda: machine.watch.known_until_ns(later_ns) == later_ns)


async def test_what_no_session_can_select_is_settled_too(machine: Machine) -> None:
    sandbox = machine.make("f")
    machine.discovery.described.clear()
    machine.enter(sandbox)
    await machine.settled()
    assert machine.changes == []


async def test_a_process_made_right_in_a_container_is_looked_up(machine: Machine) -> None:
    web, queue = machine.make("a"), machine.watch.queue()
    machine.directory.tasks[web.key] = (Task(tid=77, pid=77, command="crun"),)
    machine.emit(NEWTASK, {"pid": 77, "clone_flags": INTO_CGROUP})
    machine.emit(NEWTASK, {"pid": 78, "clone_flags": 0})
    machine.emit(NEWTASK, {"pid": 79, "clone_flags": INTO_CGROUP})
    await machine.settled()
    taken = queue.take(machine.clock.trace + 1)
    assert [(one.tid, one.container_id) for one in taken] == [(77, web.container_id), (79, "")]
    assert machine.begun == ["a"]


async def test_an_end_is_told_before_the_runtime_knows_of_it(machine: Machine) -> None:
    web = machine.make("a")
    machine.enter(web)
    await machine.settled()
    machine.end(web)
    await machine.until(lambda: machine.ended == ["a"])
    assert containers_of(machine.changes[-1].pods) == {}


async def test_one_that_begins_again_in_the_same_cgroup_is_learnt_of_again(
    machine: Machine,
) -> None:
    web = machine.make("a")
    for count in (1, 2, 3):
        machine.enter(web)
        await machine.settled()
        assert machine.begun == ["a"] * count
        machine.end(web)
        await machine.until(lambda: machine.ended == ["a"] * count)  # noqa: B023


async def test_a_runtime_that_is_away_for_a_moment_is_asked_again(machine: Machine) -> None:
    machine.discovery.failure = DiscoveryFailed("The runtime is away.")
    machine.enter(machine.make("a"))
    entered_ns = machine.clock.trace
    assert machine.watch.known_until_ns(entered_ns + 1) == entered_ns
    machine.discovery.failure = None
    await machine.settled()
    assert machine.begun == ["a"]


async def test_a_closed_queue_gets_no_more(machine: Machine) -> None:
    queue, other = machine.watch.queue(), machine.watch.queue()
    queue.close()
    queue.close()
    machine.enter(machine.make("a"))
    await machine.settled()
    assert queue.take(machine.clock.trace + 1) == []
    assert len(other.take(machine.clock.trace + 1)) == 1


async def test_memory_stays_flat_over_10000_containers(machine: Machine) -> None:
    queue: AttachmentQueue = machine.watch.queue()
    for n in range(10_000):
        one = Container(name="x", pod="shop", container_id=f"{n:064x}")
        machine.discovery.described[one.container_id] = one
        machine.enter(one)
        machine.end(one)
        machine.remove(one)
        if n % 100 == 99:
            await machine.settled()
            queue.take(machine.clock.trace + 1)
            machine.changes.clear()
            await machine.until(lambda: machine.inventory.numbers().containers == 0)
    assert len(machine.watch._settling) == 0
    assert machine.watch.gaps == 0
    assert machine.inventory._learnt == {}
    assert machine.inventory._pods == ()
    assert len(machine.inventory._gone_ns) <= 100
    assert len(asyncio.all_tasks()) < 10


async def test_lost_events_are_counted_and_answered_with_a_look(machine: Machine) -> None:
    machine.enter(machine.make("a"))
    await machine.settled()
    pokes = machine.inventory.numbers().pokes
    (source,) = machine.kernel.open_sources
    sandbox = machine.make("b")
    for _ in range(5000):
        source.emit(ATTACH, {"dst_path": path_of(sandbox)}, tid=1, at_ns=machine.clock.trace)
    await machine.until(lambda: machine.watch.gaps)
    await machine.until(lambda: machine.inventory.numbers().pokes > pokes)


async def test_a_watch_that_breaks_is_said_and_opened_again(machine: Machine) -> None:
    machine.kernel.failures["read"] = TracingUnavailable("Cannot read it.")
    machine.enter(machine.make("a"))
    await machine.until(lambda: "Cannot read it." in machine.reasons)
    machine.kernel.failures.clear()
    await machine.until(lambda: machine.inventory.watched and not machine.watch.failure)
    machine.enter(machine.make("b"))
    await machine.settled()
    assert "b" in machine.begun


async def test_where_the_kernel_tells_nothing_everything_is_settled() -> None:
    machine = Machine(kernel=FakeKernelTracer(formats={}))
    upkeep = Upkeep(watch=machine.watch, inventory=machine.inventory)
    with capture_logs() as logs:
        await upkeep.start()
        assert machine.watch.known_until_ns(123) == 123
        assert "does not tell who enters cgroups" in machine.watch.failure
        await machine.until(lambda: machine.inventory.numbers().looks)
        await upkeep.close()
    assert [one["event"] for one in logs].count("watch.unavailable") == 1
    assert upkeep.failure == ""


async def test_a_loop_that_dies_is_an_error_that_shows(machine: Machine) -> None:
    upkeep = Upkeep(watch=machine.watch, inventory=machine.inventory)
    machine.discovery.pods = None  # type: ignore[assignment]
    with capture_logs() as logs:
        await upkeep.start()
        await machine.until(lambda: upkeep.failure)
        await upkeep.close()
    assert upkeep.failure.startswith("keep inventory: ")
    assert "upkeep.failed" in {one["event"] for one in logs}
