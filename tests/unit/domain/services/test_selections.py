"""Sessions follow their selection: what begins joins, what ends is closed, some wait for pods."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve

from container_tracer.domain.model.inventory import InventoryChange
from container_tracer.domain.model.pod import Container, Pod
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.model.session import SessionState
from container_tracer.domain.model.summary import MAX_ENDED
from container_tracer.domain.services.watcher import ContainerNews, Watcher
from container_tracer.ports.errors import DiscoveryFailed, TracingUnavailable


def names(containers: tuple[Container, ...]) -> list[str]:
    return [one.name for one in containers]


async def changed(world: Any) -> None:
    """Let the inventory see what changed, and sessions follow."""
    await world.sessions.inventory.refresh()
    await settled(world)


async def settled(world: Any) -> None:
    background = world.sessions._selections._background
    await asyncio.wait_for(background.finish(), 20)


async def balanced(world: Any, session: Any) -> None:
    counts = await world.sessions.statistics(session)
    assert counts.source.balance == 0
    assert set(counts.balances.values()) <= {0}


async def until_known(world: Any, *tids: int) -> None:
    """Wait until tasks of containers that joined are followed."""
    (kernel,) = world.kernel.open_sources
    await world.until(lambda: set(tids) <= kernel.following())


async def test_a_container_that_begins_and_matches_joins(world: Any) -> None:
    world.container("web-1", 100)
    session = await world.sessions.create(world.request("web-*"))
    world.container("web-2", 200)
    world.container("db", 300)
    await changed(world)
    assert names(session.containers) == ["web-1", "web-2"]
    await until_known(world, 100, 200)
    for tid in (100, 200, 300):
        world.call(tid)
    await world.until(lambda: len(world.spans()) == 2)
    assert {tid for _, tid, _ in world.spans()} == {100, 200}
    await balanced(world, session)


async def test_a_container_that_ends_is_closed_and_keeps_its_numbers(world: Any) -> None:
    world.container("web-1", 100)
    web = world.container("web-2", 200)
    session = await world.sessions.create(world.request("web-*"))
    world.call(200, times=3)
    world.enter_call(200, "read")
    world.exit(200)
    await changed(world)
    assert names(session.containers) == ["web-1"]
    assert (names(session.ended), session.ended_count) == ([web.name], 1)
    assert session.running
    rows = {
        (call.container.name, call.name): call.count
        for call in (await world.sessions.summary(session)).summary.calls()
    }
    assert rows == {("web-2", "getppid"): 3, ("web-2", "read"): 1}
    world.call(100)
    await world.until(lambda: len(world.spans()) == 5)
    await balanced(world, session)


async def test_a_container_that_comes_back_joins_again(world: Any) -> None:
    world.container("web", 100)
    world.container("web-side", 150)
    session = await world.sessions.create(world.request("web*"))
    world.exit(100)
    world.container("web", 200)
    await changed(world)
    world.exit(200)
    await changed(world)
    world.container("web", 300)
    await changed(world)
    assert sorted(names(session.containers)) == ["web", "web-side"]
    await until_known(world, 300)
    world.call(300)
    await world.until(lambda: len(world.spans()) == 1)
    await balanced(world, session)


async def test_a_session_ends_when_no_pod_is_left_that_could_bring_another(world: Any) -> None:
    web = world.container("web", 100)
    session = await world.sessions.create(world.request(selector=selector("pod-web")))
    world.exit(100)
    world.discovery.pods.append(Pod(name=web.pod))
    await changed(world)
    assert (session.state, session.containers) == (SessionState.RUNNING, ())
    again = evolve(web, container_id="second")
    world.discovery.pods[:] = [Pod(name=web.pod, containers=(again,))]
    world.directory.tasks[again.key] = ()
    world.enter(again, 200)
    await changed(world)
    assert [one.key for one in session.containers] == [again.key]
    world.exit(200)
    await changed(world)
    await world.until(lambda: not session.running)
    assert session.reason == "its containers are gone: pod-web/web, pod-web/web"
    await world.gone()


async def test_a_session_does_not_end_while_a_pod_is_there_that_nobody_told_of(
    world: Any,
) -> None:
    """Of a pod that has just begun its container is known sooner than itself."""
    web = world.container("web", 100)
    session = await world.sessions.create(world.request(selector=selector("pod-web")))
    world.vanish(100)
    world.discovery.pods[:] = [Pod(name=web.pod)]
    looks = world.discovery.discoveries
    await world.sessions._selections.told(InventoryChange(begun=(), ended=(web,), pods=()))
    await world.until(lambda: world.discovery.discoveries > looks)
    await world.until(lambda: not session.containers)
    assert session.state == SessionState.RUNNING
    world.discovery.pods.clear()
    await changed(world)
    await world.until(lambda: not session.running)


async def test_a_session_ends_only_when_it_could_be_looked(world: Any) -> None:
    web = world.container("web", 100)
    session = await world.sessions.create(world.request(selector=selector("pod-web")))
    world.vanish(100)
    world.discovery.pods.clear()
    world.discovery.failure = DiscoveryFailed("The runtime does not answer.")
    await world.sessions._selections.told(InventoryChange(begun=(), ended=(web,), pods=()))
    await world.until(lambda: not session.containers)
    assert session.state == SessionState.RUNNING
    world.discovery.failure = None
    await world.until(lambda: not session.running)


async def test_without_a_pod_that_could_match_there_is_no_session(world: Any) -> None:
    world.container("db", 100)
    with pytest.raises(NoMatchingContainer):
        await world.sessions.create(world.request("web"))
    assert world.sessions.list() == ()


async def test_a_session_that_waits_runs_with_nothing_and_takes_what_comes(world: Any) -> None:
    session = await world.sessions.create(world.request("web", wait_for_pods=True))
    assert (session.state, session.containers) == (SessionState.RUNNING, ())
    assert len(world.kernel.open_sources) == 1
    world.container("web", 100)
    await changed(world)
    await until_known(world, 100)
    world.call(100)
    await world.until(lambda: len(world.spans()) == 1)
    world.exit(100)
    await changed(world)
    (source,) = world.shared
    await source.follower.look()
    await settled(world)
    assert (session.state, session.containers) == (SessionState.RUNNING, ())
    world.container("web", 200)
    await changed(world)
    await until_known(world, 200)
    world.call(200)
    await world.until(lambda: len(world.spans()) == 2)
    await world.sessions.stop(session.session_id)
    assert (session.reason, session.error) == ("stopped by request", "")
    await balanced(world, session)


async def test_a_session_that_waits_ends_with_its_duration(world: Any) -> None:
    session = await world.sessions.create(
        world.request("web", wait_for_pods=True, duration_ns=20_000_000)
    )
    await world.until(lambda: not session.running)
    assert session.reason == "its duration of 0.02 s is over"


async def test_what_begins_and_ends_while_a_session_starts_is_not_missed(world: Any) -> None:
    """Nobody waits for the session, which may wait for events that wait until all are told."""
    world.container("web-1", 100)
    world.container("web-2", 200)
    session = await world.sessions.create(world.request("web-*", run=False))
    join = world.sources.join

    async def slowly(*given: Any) -> None:
        world.exit(200)
        world.container("web-3", 300)
        async with asyncio.timeout(20):
            await world.sessions.inventory.refresh()
        assert names(session.containers) == ["web-1", "web-2"]
        await join(*given)

    world.sessions._runs.trace_sources = Joining(world.sources, slowly)
    await world.sessions.start(session.session_id)
    await settled(world)
    assert names(session.containers) == ["web-1", "web-3"]
    assert names(session.ended) == ["web-2"]
    await until_known(world, 300)


class Joining:
    """Sources that are joined in another way."""

    def __init__(self, sources: Any, join: Callable[..., Any]) -> None:
        self.join = join
        self.leave = sources.leave


async def test_nobody_who_joins_waits_for_those_who_are_closed(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close one is to read all it did, which may wait for others to join."""
    world.container("web-1", 100)
    world.container("web-2", 200)
    session = await world.sessions.create(world.request("web-*"))
    catch_up, joined = type(world.sources).catch_up, asyncio.Event()

    async def wait(*given: Any) -> None:
        await joined.wait()
        await catch_up(*given)

    monkeypatch.setattr(type(world.sources), "catch_up", wait)
    world.exit(200)
    await world.sessions.inventory.refresh()
    world.container("web-3", 300)
    await asyncio.wait_for(world.sessions.inventory.refresh(), 20)
    assert names(session.containers) == ["web-1", "web-2", "web-3"]
    joined.set()
    await settled(world)
    assert names(session.ended) == ["web-2"]
    assert sorted(names(session.containers)) == ["web-1", "web-3"]
    await until_known(world, 300)
    await balanced(world, session)


async def test_of_one_that_ends_while_others_are_closed_everything_is_read(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        world.container(f"web-{number}", 100 * number)
    session = await world.sessions.create(world.request("web-*"))
    catch_up = type(world.sources).catch_up

    async def another_ends(*given: Any) -> None:
        await catch_up(*given)
        if "web-3" in names(session.containers) and 300 in world.kernel.sources[0].following():
            world.call(300)
            world.exit(300)
            await world.sessions.inventory.refresh()

    monkeypatch.setattr(type(world.sources), "catch_up", another_ends)
    world.exit(200)
    await world.sessions.inventory.refresh()
    await settled(world)
    assert names(session.ended) == ["web-2", "web-3"]
    await world.until(lambda: world.spans() == [("getppid", 300, "")])
    await balanced(world, session)


async def test_a_start_that_fails_leaves_nothing_that_follows(world: Any) -> None:
    world.container("web-1", 100)
    world.kernel.failures["open_source"] = TracingUnavailable("No memory for it.")
    with pytest.raises(TracingUnavailable):
        await world.sessions.create(world.request("web-*"))
    world.kernel.failures.clear()
    assert world.sessions._selections._followed == {}


async def test_a_stopped_session_follows_nothing_and_starts_with_what_is_there(
    world: Any,
) -> None:
    world.container("web-1", 100)
    session = await world.sessions.create(world.request("web-*"))
    world.container("web-2", 200)
    await changed(world)
    world.exit(100)
    await changed(world)
    await world.sessions.stop(session.session_id)
    world.container("web-3", 300)
    await changed(world)
    assert names(session.containers) == ["web-2"]
    await world.sessions.start(session.session_id)
    assert names(session.containers) == ["web-2", "web-3"]
    assert (session.ended, session.ended_count) == ((), 0)


async def test_of_those_that_begin_vms_are_refused_and_named(world: Any) -> None:
    world.container("web-1", 100)
    plain = await world.sessions.create(world.request("web-*"))
    asked = await world.sessions.create(world.request("web-*", vmm=True))
    world.container("web-2", 200, isolated=True)
    await changed(world)
    assert names(plain.containers) == ["web-1"]
    assert [one.container.name for one in plain.refused] == ["web-2"]
    assert "virtual machine" in plain.refused[0].reason
    assert names(asked.containers) == ["web-1", "web-2"]


async def test_a_session_that_waits_begins_though_all_that_is_there_is_refused(
    world: Any,
) -> None:
    world.container("web", 100, isolated=True)
    session = await world.sessions.create(world.request("web", wait_for_pods=True))
    assert (session.containers, len(session.refused)) == ((), 1)


async def test_one_that_cannot_join_is_named_and_the_others_go_on(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.container("web-1", 100)
    session = await world.sessions.create(world.request("web-*"))
    take_on = world.sources.take_on
    failure = DiscoveryFailed("/proc cannot be read.")

    async def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(type(world.sources), "take_on", fail)
    world.container("web-2", 200)
    await changed(world)
    monkeypatch.setattr(type(world.sources), "take_on", take_on.__func__)
    world.container("web-3", 300)
    await changed(world)
    assert names(session.containers) == ["web-1", "web-3"]
    assert [(one.container.name, one.reason) for one in session.refused] == [
        ("web-2", str(failure))
    ]


async def test_containers_without_tasks_are_looked_for_again(world: Any) -> None:
    """Nobody told that the container ended, but no task of it lives."""
    world.container("web", 100)
    session = await world.sessions.create(world.request("web"))
    world.exit(100)
    await world.until(lambda: not session.running)
    assert session.reason == "its containers are gone: pod-web/web"


async def test_a_look_for_containers_that_fails_is_logged(world: Any) -> None:
    world.container("web", 100)
    session = await world.sessions.create(world.request("web"))
    world.discovery.failure = DiscoveryFailed("The runtime is being restarted.")
    world.sessions._selections.emptied(session.session_id)
    await settled(world)
    assert session.running
    assert world.logs[-1]["error"] == "The runtime is being restarted."
    world.discovery.failure = None


async def test_those_who_watch_are_told_who_joins_and_who_ends(world: Any) -> None:
    world.container("web-1", 100)
    session = await world.sessions.create(world.request("web-*"))
    with world.sessions.watching(session, lines_of) as watcher:
        two = world.container("web-2", 200)
        await changed(world)
        assert await news(watcher) == (two.key, True, 2)
        world.exit(200)
        await changed(world)
        assert await news(watcher) == (two.key, False, 1)


async def test_memory_stays_flat_while_many_containers_come_and_go(world: Any) -> None:
    keeper = world.container("web-0", 100)
    session = await world.sessions.create(world.request("web-*"))
    (source,) = world.shared
    rounds = MAX_ENDED + 40
    for number in range(1, rounds + 1):
        one = world.container(f"web-{number}", 1000 + number)
        await changed(world)
        await source.follower.look()
        world.call(1000 + number)
        world.exit(1000 + number)
        await changed(world)
        await source.follower.look()
        world.directory.tasks.pop(one.key)
    assert names(session.containers) == [keeper.name]
    assert (session.ended_count, len(session.ended)) == (rounds, MAX_ENDED)
    assert len(source.pipeline.tasks.containers) < MAX_ENDED
    assert len(source.pipeline.shares[session.session_id].containers) == 1
    assert session.statistics.spans == rounds
    calls = session.summary.calls()
    assert sum(one.count for one in calls) == rounds
    assert len(calls) <= MAX_ENDED + 1
    await balanced(world, session)


def selector(pod: str) -> Any:
    return ContainerSelector(pod)


def lines_of(lines: Any) -> bytes:
    return "\n".join(lines).encode()


async def news(watcher: Watcher) -> Any:
    """Return the next that is no heartbeat and no span."""
    async with asyncio.timeout(20):
        while not isinstance(item := await watcher.next(), ContainerNews):
            pass
    return item.container.key, item.joined, item.running
