"""Who launches containers is recorded with them; what that brings to others is let go again."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from attrs import define, evolve, field

from container_tracer.domain.model.attachments import Attachment
from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.model.selector import ContainerSelector
from container_tracer.domain.model.tasks import NOBODY
from container_tracer.domain.services.following import LOOKS_AT_LAUNCHERS
from container_tracer.domain.services.launching import LOOKS_UNTIL_ASKED_AGAIN
from container_tracer.ports.errors import DiscoveryFailed

WEB, OTHER = "ab" * 32, "cd" * 32
RUNTIME, SHIM, OTHER_SHIM = 50, 60, 61


@define
class Told:
    """Attachments that a test makes; `known_ns` is until when they are known."""

    attachments: list[Attachment] = field(factory=list)
    known_ns: int = 1 << 62

    def put(self, world: Any, tid: int, container_id: str) -> Attachment:
        at_ns = world.clock.trace
        one = Attachment(time_ns=at_ns, tid=tid, path=container_id, container_id=container_id)
        self.attachments.append(one)
        world.clock.trace += 1_000
        return one

    def known_until_ns(self, now_ns: int) -> int:
        return min(now_ns, self.known_ns)

    def take(self, until_ns: int) -> list[Attachment]:
        taken = [one for one in self.attachments if one.time_ns < until_ns]
        self.attachments = [one for one in self.attachments if one.time_ns >= until_ns]
        return taken

    def close(self) -> None:
        self.attachments.clear()


def task(tid: int, command: str = "containerd") -> Task:
    return Task(tid=tid, pid=tid, command=command)


def hold(world: Any, container_id: str, shim: int) -> None:
    world.directory.holders[container_id] = (task(shim, "containerd-shim"),)


@pytest.fixture
async def traced(world: Any) -> tuple[Any, Any, Told]:
    """A source of the container `web` of pod `shop`, its kernel, and what it is told."""
    world.discovery.runtimes = (RUNTIME,)
    world.directory.runtimes[RUNTIME] = (task(RUNTIME),)
    hold(world, WEB, SHIM)
    place(world, Container(name="web", pod="shop", container_id=WEB), 100)
    selector = ContainerSelector(pod="shop", container="web")
    await world.sessions.create(world.request(selector=selector))
    (source,) = world.shared
    source.pipeline.attached = told = Told()
    return source, world.kernel.sources[0], told


def place(world: Any, container: Container, *tids: int) -> None:
    pods = world.discovery.pods
    world.container(container.name)
    pods[-1] = evolve(pods[-1], name=container.pod, containers=(container,))
    world.directory.tasks[container.key] = ()
    for tid in tids:
        world.enter(container, tid)


def launch(world: Any, told: Told, shim: int, tid: int, container_id: str) -> None:
    """Let a shim make a process, put it into a container, and have it execute a program."""
    world.emit("task:task_newtask", {"pid": tid, "comm": "containerd-shim"}, tid=shim)
    told.put(world, tid, container_id)
    world.call(tid, "read")
    names = {"pid": tid, "oldcomm": "runc:[2:INIT]", "newcomm": "sh"}
    world.emit("task:task_rename", names, tid=tid)
    world.emit("sched:sched_process_exec", {"pid": tid, "filename": "/bin/sh"}, tid=tid)


async def test_launchers_are_recorded_and_nobodys(world: Any, traced: Any) -> None:
    source, kernel, _ = traced
    assert kernel.followed == {100, RUNTIME, SHIM}
    assert source.pipeline.tasks.tids(NOBODY) == {RUNTIME, SHIM}
    world.call(SHIM, times=5)
    await source.runner.drain()
    assert world.spans() == []
    assert source.pipeline.tasks.segments.find(SHIM).container == NOBODY
    (session,) = world.sessions.list()
    statistics = await world.sessions.statistics(session)
    assert (statistics.attributed, statistics.source.unattributed) == (0, 10)


async def test_what_is_launched_into_a_container_is_its_own_from_its_program_on(
    world: Any, traced: Any
) -> None:
    source, kernel, told = traced
    launch(world, told, SHIM, 150, WEB)
    world.call(150)
    await source.runner.drain()
    await world.until(lambda: world.spans() == [("getppid", 150, "")])
    assert source.pipeline.tasks.tids(0) == {100, 150}
    assert kernel.follows == []  # it was recorded from its birth


@define
class Executing:
    """A directory in which a launched task executes its program while the others are read."""

    world: Any
    commands: list[str]

    async def tasks_of(self, container: Container) -> tuple[Task, ...]:
        command = self.commands.pop(0) if len(self.commands) > 1 else self.commands[0]
        young = self.world.clock.trace // 10_000_000
        launched = Task(tid=150, pid=150, command=command, parent=SHIM, start_time=young)
        return (*await self.world.directory.tasks_of(container), launched)

    async def launchers_of(self, *_: Any) -> tuple[Task, ...]:
        return (task(SHIM, "containerd-shim"),)


async def test_what_executes_while_tasks_are_read_is_the_containers_no_sooner(
    world: Any, traced: Any
) -> None:
    source, _, told = traced
    world.emit("task:task_newtask", {"pid": 150, "comm": "containerd-shim"}, tid=SHIM)
    told.put(world, 150, WEB)
    directory = Executing(world, ["runc:[2:INIT]", "sh"])
    taking_on = source.follower.taking_on
    taking_on.directory = taking_on.launchers.directory = directory
    await source.follower.look()
    world.call(150, "read")
    names = {"pid": 150, "oldcomm": "runc:[2:INIT]", "newcomm": "sh"}
    world.emit("task:task_rename", names, tid=150)
    world.emit("sched:sched_process_exec", {"pid": 150, "filename": "/bin/sh"}, tid=150)
    world.call(150)
    await source.runner.drain()
    await world.until(lambda: world.spans() == [("getppid", 150, "")])


async def test_events_wait_until_it_is_known_whose_they_are(world: Any, traced: Any) -> None:
    source, _, told = traced
    told.known_ns = world.clock.trace
    launch(world, told, SHIM, 150, WEB)
    world.call(150)
    await source.runner.drain()
    assert source.pipeline.pending > 0
    draining = asyncio.create_task(source.runner.drain(past_ns=world.clock.trace_ns()))
    await asyncio.sleep(0.02)
    assert not draining.done()
    told.known_ns = 1 << 62
    await draining
    await world.until(lambda: world.spans() == [("getppid", 150, "")])


async def test_what_is_launched_into_an_unwanted_container_is_let_go(
    world: Any, traced: Any
) -> None:
    source, kernel, told = traced
    launch(world, told, SHIM, 150, OTHER)
    world.call(150)
    await source.runner.drain()
    tasks = source.pipeline.tasks
    assert tasks.tids(tasks.number_of_known(OTHER)) == {150}
    await source.follower.look()
    assert kernel.unfollowed == {150}
    assert tasks.segments.find(150) is None
    await source.runner.drain()
    assert tasks.number_of_known(OTHER) == NOBODY
    assert world.spans() == []


@pytest.mark.parametrize(("pod", "left"), [("shop", {150}), ("elsewhere", {150, OTHER_SHIM})])
async def test_who_holds_it_stays_if_its_pod_may_bring_a_wanted_one(
    world: Any, traced: Any, pod: str, left: set[int]
) -> None:
    source, kernel, told = traced
    hold(world, OTHER, OTHER_SHIM)
    world.emit("task:task_newtask", {"pid": OTHER_SHIM, "comm": "containerd"}, tid=RUNTIME)
    launch(world, told, OTHER_SHIM, 150, OTHER)
    other = Container(name="side", pod=pod, container_id=OTHER)
    source.pipeline.tasks.container_number(other)
    await source.runner.drain()
    await source.follower.look()
    assert kernel.unfollowed == left
    assert source.pipeline.tasks.tids(NOBODY) == {RUNTIME, SHIM, OTHER_SHIM} - left


async def test_a_container_that_came_and_went_between_looks_leaves_nothing(
    world: Any, traced: Any
) -> None:
    source, kernel, told = traced
    launch(world, told, SHIM, 150, OTHER)
    world.emit("sched:sched_process_exit", tid=150)
    await source.runner.drain()
    await source.follower.look()
    await source.runner.drain()
    assert source.pipeline.tasks.numbers() == {0}
    assert kernel.unfollowed == set()


async def test_a_launched_task_the_kernel_overlooked_is_told_of(world: Any, traced: Any) -> None:
    source, kernel, _ = traced
    world.emit("task:task_newtask", {"pid": 160, "comm": "runc"}, tid=SHIM)
    world.enter(source.pipeline.tasks.containers[0], 300)
    world.directory.holders[WEB] += (task(160, "runc"),)
    kernel.leaves_out = {160}
    await source.follower.look()
    assert kernel.follows == [{300}, {160}]


async def test_launched_tasks_whose_end_was_lost_are_forgotten(world: Any, traced: Any) -> None:
    source, kernel, _ = traced
    world.emit("task:task_newtask", {"pid": 160, "comm": "runc"}, tid=SHIM)
    await source.runner.drain()
    kernel.followed.discard(160)  # as the kernel does when a task ends
    source.follower.lost()
    await source.follower.look()
    assert source.pipeline.tasks.tids(NOBODY) == {RUNTIME, SHIM}


async def test_a_runtime_that_was_started_anew_is_recorded_with_the_next_look_but_one(
    world: Any, traced: Any
) -> None:
    source, kernel, _ = traced
    world.discovery.runtimes, world.directory.runtimes = (51,), {51: (task(51),)}
    world.exit(RUNTIME)
    await source.follower.look()
    await source.follower.look()
    assert 51 in kernel.followed
    assert source.pipeline.tasks.tids(NOBODY) == {51, SHIM}


async def test_while_a_runtime_cannot_be_asked_the_others_are_followed(
    world: Any, traced: Any
) -> None:
    source, kernel, _ = traced
    world.directory.runtimes = {}
    await source.follower.look()
    world.discovery.failure = DiscoveryFailed("The runtime does not answer.")
    world.enter(source.pipeline.tasks.containers[0], 300)
    await source.follower.look()
    assert 300 in kernel.followed


async def test_where_there_is_no_runtime_it_is_seldom_asked_for(world: Any) -> None:
    world.container("web", 100)
    await world.sessions.create(world.request("web"))
    (source,) = world.shared
    world.discovery.runtimes, world.directory.runtimes = (RUNTIME,), {RUNTIME: (task(RUNTIME),)}
    await source.follower.look()
    assert RUNTIME not in world.kernel.sources[0].followed
    for _ in range(LOOKS_UNTIL_ASKED_AGAIN):
        await source.follower.look()
    assert RUNTIME in world.kernel.sources[0].followed


async def test_a_task_that_nobody_launched_is_looked_for_at_once(world: Any, traced: Any) -> None:
    source, kernel, told = traced
    source.follower.hurry()
    await source.follower.step(10)  # takes up what hurried before
    world.enter(source.pipeline.tasks.containers[0], 300)
    slept = world.clock.trace
    source.follower.attached(told.put(world, 300, WEB))
    await source.follower.step(10)
    assert 300 in kernel.followed
    assert world.clock.trace - slept < 1_000_000  # it did not wait a moment first


@pytest.mark.parametrize(("tid", "container_id"), [(300, OTHER), (100, WEB), (300, "")])
async def test_who_is_known_or_unwanted_hurries_nobody(
    world: Any, traced: Any, tid: int, container_id: str
) -> None:
    source, _, told = traced
    source.follower.attached(told.put(world, tid, container_id))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await source.follower.step(10)


async def test_launchers_are_not_looked_for_in_vain(world: Any, traced: Any) -> None:
    """They are many small files, and of what they make the stream tells."""
    source, _, _ = traced
    await source.follower.look()
    asked: list[int] = []

    @define
    class Counting:
        async def are_there(self) -> bool:
            return True

        async def tasks_for(self, containers: Collection[Container]) -> tuple[Task, ...]:
            asked.append(len(containers))
            return ()

    source.follower.taking_on.launchers = Counting()
    for _ in range(LOOKS_AT_LAUNCHERS):
        await source.follower.look()
    assert len(asked) == 1
    world.call(100)
    source.follower.lost()
    await source.follower.look()
    assert len(asked) == 2
