"""The tasks a source follows are those `/proc` has, and the stream's news of them."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from attrs import define, field

from container_tracer.domain.model.pod import Container, Task
from container_tracer.domain.services import following, taking_on
from container_tracer.ports.errors import DiscoveryFailed


async def running(world: Any, *tids: int) -> tuple[Any, Any]:
    """Run a session of one container; return its source and what the kernel knows of it."""
    world.container("web", *tids)
    await world.sessions.create(world.request("web"))
    (source,) = world.shared
    return source, world.kernel.sources[0]


async def test_who_was_there_before_is_followed_and_who_comes_is_found(world: Any) -> None:
    source, kernel = await running(world, 100, 101)
    assert kernel.followed == {100, 101}
    world.enter(source.pipeline.tasks.containers[0], 102)
    await source.follower.look()
    assert kernel.followed == {100, 101, 102}
    world.call(102)
    await source.runner.drain()
    await world.until(lambda: world.spans() == [("getppid", 102, "")])


async def test_the_kernel_is_not_told_of_a_task_that_is_gone_by_then(world: Any) -> None:
    source, kernel = await running(world, 100)
    world.enter(source.pipeline.tasks.containers[0], 300)
    world.enter(source.pipeline.tasks.containers[0], 301)

    @define
    class Ending:
        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            return found

        async def living(self, tids: Collection[int]) -> frozenset[int]:
            world.vanish(300)
            return frozenset(await world.directory.living(tids))

    source.follower.taking_on.directory = Ending()
    await source.follower.look()
    assert kernel.follows == [{301}]
    assert source.pipeline.tasks.tids(0) == {100, 301}


@define
class Arriving:
    """Tasks that come one by one, each while the others are read."""

    limit: int
    asked: int = 0
    tids: list[int] = field(factory=lambda: [100, 101])

    async def tasks_of(self, _: Container) -> tuple[Task, ...]:
        self.asked += 1
        tasks = tuple(Task(tid=tid, pid=tid, command="worker") for tid in self.tids)
        if len(self.tids) < self.limit:
            self.tids.append(100 + len(self.tids))
        return tasks

    async def living(self, tids: Collection[int]) -> frozenset[int]:
        return frozenset(tids)


async def test_tasks_are_read_again_until_there_is_nothing_new(world: Any) -> None:
    source, kernel = await running(world, 100)
    source.follower.taking_on.directory = arriving = Arriving(limit=5)
    await source.follower.look()
    assert kernel.followed == {100, 101, 102, 103, 104}
    assert arriving.asked > 5


async def test_a_child_whose_beginning_is_recorded_is_not_told_to_the_kernel(world: Any) -> None:
    """Each telling is a moment in which the kernel may overlook other children."""
    source, kernel = await running(world, 100)
    world.fork(source.pipeline.tasks.containers[0], 100, 150)
    await source.follower.look()
    assert source.pipeline.tasks.tids(0) == {100, 150}
    assert kernel.follows == []


async def test_a_child_made_while_the_kernel_is_told_of_others_is_told_after(world: Any) -> None:
    source, kernel = await running(world, 100)
    web = source.pipeline.tasks.containers[0]
    world.fork(web, 100, 150)
    world.enter(web, 300)
    kernel.leaves_out = {150}
    await source.follower.look()
    assert kernel.follows == [{300}, {150}]
    assert kernel.following() == {100, 150, 300}


async def test_one_that_ended_while_the_kernel_was_told_of_others_is_let_rest(world: Any) -> None:
    source, kernel = await running(world, 100)
    web = source.pipeline.tasks.containers[0]
    world.fork(web, 100, 150)
    world.enter(web, 300)

    @define
    class Ending:
        ended: bool = False

        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            if kernel.follows and not self.ended:
                self.ended = True
                world.exit(150)
            return found

        async def living(self, tids: Collection[int]) -> frozenset[int]:
            return frozenset(await world.directory.living(tids))

    source.follower.taking_on.directory = Ending()
    await source.follower.look()
    assert kernel.follows == [{300}]
    assert source.pipeline.tasks.tids(0) == {100, 300}


async def test_a_container_that_never_settles_is_given_up_on_for_this_time(world: Any) -> None:
    source, _ = await running(world, 100)
    source.follower.taking_on.directory = arriving = Arriving(limit=10_000)
    await source.follower.look()
    assert arriving.asked == 2 * taking_on.ROUNDS
    assert world.logs[-1]["event"] == "source.tasks_unsettled"


async def test_a_task_that_ends_is_forgotten_by_its_event(world: Any) -> None:
    source, kernel = await running(world, 100, 101)
    world.exit(101)
    await source.runner.drain()
    world.clock.trace += 1
    await source.runner.drain()
    assert source.pipeline.tasks.tids(0) == {100}
    assert kernel.followed == {100}


async def test_a_task_missing_for_long_is_forgotten_for_a_moment_it_is_not(world: Any) -> None:
    source, _ = await running(world, 100, 101)
    world.vanish(101)
    await source.follower.look()
    assert source.pipeline.tasks.tids(0) == {100, 101}
    world.clock.advance(taking_on.MISSING_NS / 1e9 / 2)
    world.enter(source.pipeline.tasks.containers[0], 101)
    await source.follower.look()
    world.vanish(101)
    world.clock.advance(taking_on.MISSING_NS / 1e9 / 2 + 0.1)
    await source.follower.look()
    assert source.pipeline.tasks.tids(0) == {100, 101}
    world.clock.advance(taking_on.MISSING_NS / 1e9 + 0.1)
    await source.follower.look()
    assert source.pipeline.tasks.tids(0) == {100}


async def test_a_session_ends_when_all_its_tasks_vanished_without_a_word(world: Any) -> None:
    source, _ = await running(world, 100)
    world.vanish(100)
    (session,) = world.sessions.list()
    await source.follower.look()
    assert session.running
    world.clock.advance(taking_on.MISSING_NS / 1e9 + 0.1)
    await source.follower.look()
    await world.until(lambda: not session.running)
    assert "gone" in session.reason


async def test_a_look_that_fails_is_logged_and_the_next_one_is_not(world: Any) -> None:
    source, kernel = await running(world, 100)
    world.directory.failure = DiscoveryFailed("/proc cannot be read.")
    await source.follower.look()
    assert world.logs[-1] == {
        "event": "discovery.failed",
        "error": "/proc cannot be read.",
        "log_level": "warning",
    }
    world.directory.failure = None
    world.enter(source.pipeline.tasks.containers[0], 102)
    await source.follower.look()
    assert 102 in kernel.followed


async def test_strangers_in_the_stream_make_it_hurry(world: Any) -> None:
    """A child whose beginning was lost is found in `/proc`, in a tenth of the time."""
    source, kernel = await running(world, 100)
    kernel.followed.add(150)
    world.enter(source.pipeline.tasks.containers[0], 150)
    world.call(150)
    await world.until(lambda: 150 in source.pipeline.tasks.tids(0))
    world.call(150)
    await world.until(lambda: world.spans() == [("getppid", 150, "")])


async def test_where_reading_is_slow_it_is_done_less_often(world: Any) -> None:
    source, _ = await running(world, 100)

    @define
    class Slow:
        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            world.clock.advance(0.5)
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            return found

    source.follower.taking_on.directory = Slow()
    source.follower.hurry()
    assert await source.follower.step(1) == pytest.approx(0.5 / following.SHARE_OF_A_CORE)
    source.follower.taking_on.directory = world.directory
    source.follower.hurry()
    assert await source.follower.step(1) == following.LOOK_SECONDS


async def test_children_made_while_tasks_are_let_go_are_let_go_too(world: Any) -> None:
    source, kernel = await running(world, 100)
    web = source.pipeline.tasks.containers[0]
    await world.sessions.create(world.request("web"))  # so that the source lives on
    world.fork(web, 100, 101)
    await source.follower.leave([0])
    assert kernel.unfollowed == {100, 101}
    assert source.pipeline.tasks.tids(0) == set()


async def test_a_look_does_not_take_on_again_what_is_let_go_meanwhile(world: Any) -> None:
    web, _ = world.container("web", 100), world.container("db", 200)
    session = await world.sessions.create(world.request("web"))
    await world.sessions.create(world.request("db"))
    (source,), kernel = world.shared, world.kernel.sources[0]
    reading, go_on = asyncio.Event(), asyncio.Event()

    @define
    class Held:
        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            if container.key == web.key:
                reading.set()
                await go_on.wait()
            return found

    source.follower.taking_on.directory = Held()
    looking = asyncio.create_task(source.follower.look(), name="look")
    await reading.wait()
    stopping = asyncio.create_task(world.sessions.stop(session.session_id), name="stop")
    await asyncio.sleep(0.01)
    go_on.set()
    await asyncio.gather(looking, stopping)
    assert kernel.unfollowed == {100}
    assert source.pipeline.tasks.tids(0) == set()
    reading.clear()
    await source.follower.look()
    assert not reading.is_set()


async def test_a_task_that_ended_while_it_was_read_of_is_no_ghost(world: Any) -> None:
    """Its end had gone by in the stream before `/proc` was heard: it is known to live no more."""
    source, _ = await running(world, 100)

    @define
    class Late:
        asked: int = 0

        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            self.asked += 1
            return (*found, Task(tid=150, pid=150, command="gone")) if self.asked < 3 else found

        async def living(self, tids: Collection[int]) -> frozenset[int]:
            return frozenset(await world.directory.living(tids))

    source.follower.taking_on.directory = Late()
    await source.follower.look()
    assert source.pipeline.tasks.tids(0) == {100}


async def test_a_task_that_ends_after_it_was_learnt_keeps_its_last_calls(world: Any) -> None:
    source, _ = await running(world, 100)
    web = source.pipeline.tasks.containers[0]

    @define
    class Ending:
        asked: int = 0

        async def tasks_of(self, container: Container) -> tuple[Task, ...]:
            found: tuple[Task, ...] = await world.directory.tasks_of(container)
            self.asked += 1
            if self.asked == 2:
                world.kernel.sources[0].followed.add(150)
                world.call(150)
                world.exit(150)
            return found

        async def living(self, tids: Collection[int]) -> frozenset[int]:
            return frozenset(await world.directory.living(tids))

    world.enter(web, 150)
    source.follower.taking_on.directory = Ending()
    await source.follower.look()
    await source.runner.drain()
    await world.until(lambda: world.spans() == [("getppid", 150, "")])
    assert source.pipeline.tasks.tids(0) == {100}


async def test_who_got_the_tid_of_a_dead_one_is_sent_away(world: Any) -> None:
    source, kernel = await running(world, 100)
    kernel.followed.add(999)
    for _ in range(4):
        world.call(999)
        await source.runner.drain()
        await source.follower.look()
    assert kernel.unfollowed == {999}
    recorded = sum(one.recorded for one in kernel.counters())
    world.call(999)
    assert sum(one.recorded for one in kernel.counters()) == recorded
    world.call(100)
    await world.until(lambda: world.spans() == [("getppid", 100, "")])


async def test_nobody_is_sent_away_while_discovery_fails(world: Any) -> None:
    source, kernel = await running(world, 100)
    kernel.followed.add(999)
    world.directory.failure = DiscoveryFailed("/proc cannot be read.")
    for _ in range(4):
        world.call(999)
        await source.runner.drain()
        await source.follower.look()
    assert kernel.unfollowed == set()
