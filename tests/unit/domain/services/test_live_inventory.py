"""The inventory while it is kept fresh."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from attrs import define, evolve, field
from structlog.testing import capture_logs

from container_tracer.domain.model.inventory import InventoryChange
from container_tracer.domain.model.pod import Container, Pod, Task
from container_tracer.domain.model.selector import ContainerSelector, NoMatchingContainer
from container_tracer.domain.services import inventory as module
from container_tracer.domain.services.inventory import PodInventory
from container_tracer.fakes.clock import FakeClock
from container_tracer.fakes.pod_discovery import FakePodDiscovery
from container_tracer.fakes.task_directory import FakeTaskDirectory
from container_tracer.ports.errors import DiscoveryFailed


@define
class RealPauses(FakeClock):
    """Time that passes by itself, so that loops do not run away."""

    def trace_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@define
class SlowDirectory(FakeTaskDirectory):
    """Takes as long as a test wants to say what it has found."""

    gate: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    async def locate(self, containers: Sequence[Container]) -> tuple[Container, ...]:
        found = await super().locate(containers)
        await self.gate.wait()
        return found


@define(kw_only=True, eq=False)
class Place:
    """A machine whose runtime says what a test wants, and its inventory."""

    discovery: FakePodDiscovery = field(factory=lambda: FakePodDiscovery(eventful=True))
    directory: SlowDirectory = field(factory=SlowDirectory)
    inventory: PodInventory = field(init=False)
    changes: list[InventoryChange] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.inventory = PodInventory(
            discovery=self.discovery, directory=self.directory, clock=RealPauses()
        )
        self.inventory.subscribe(self._told)

    async def _told(self, change: InventoryChange) -> None:
        self.changes.append(change)

    def run(self, letter: str, *, listed: bool = True) -> Container:
        """Have a container run, which the runtime lists, or knows by its id only."""
        one = Container(name=letter, pod="shop", container_id=letter * 64, parents=(ord(letter),))
        tid = ord(letter)
        self.directory.tasks[one.key] = (Task(tid=tid, pid=tid, command="x"),)
        if listed:
            self.have_listed(one)
        else:
            self.discovery.described[one.container_id] = one
        return one

    def have_listed(self, one: Container) -> None:
        pods = {pod.name: pod for pod in self.discovery.pods}
        pod = pods.get(one.pod, Pod(name=one.pod))
        pods[one.pod] = evolve(pod, containers=(*pod.containers, one))
        self.discovery.pods[:] = pods.values()

    def have_none_listed(self) -> None:
        self.discovery.pods[:] = [evolve(pod, containers=()) for pod in self.discovery.pods]

    async def names(self) -> set[str]:
        return {one.name for pod in await self.inventory.pods() for one in pod.containers}

    async def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not true():
            assert time.monotonic() < deadline, "waited in vain"
            await asyncio.sleep(0.001)

    @property
    def told(self) -> list[tuple[list[str], list[str]]]:
        return [
            ([one.name for one in change.begun], [one.name for one in change.ended])
            for change in self.changes
        ]


@pytest.fixture
def place() -> Place:
    return Place()


@pytest.fixture
async def live(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A place whose inventory is kept fresh, by reasons only."""
    monkeypatch.setattr(module, "LOOK_SECONDS", 1000.0)
    running = asyncio.create_task(place.inventory.run(), name="run")
    await place.until(lambda: place.inventory.numbers().looks)
    yield place
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_questions_are_answered_from_memory(live: Place) -> None:
    live.run("a")
    await live.inventory.refresh()
    looks = live.inventory.numbers().looks
    for _ in range(5):
        assert await live.names() == {"a"}
        await live.inventory.select(ContainerSelector(container="a"))
    assert live.inventory.numbers().looks == looks


async def test_before_nothing_matches_it_looks(live: Place) -> None:
    live.run("a")
    (one,) = await live.inventory.select(ContainerSelector(container="a"))
    assert one.tasks == (ord("a"),)
    with pytest.raises(NoMatchingContainer):
        await live.inventory.select(ContainerSelector(container="b"))


async def test_what_the_runtime_tells_is_looked_at(live: Place) -> None:
    live.run("a")
    live.discovery.news.put_nowait(None)
    await live.until(lambda: live.told == [(["a"], [])])
    live.have_none_listed()
    live.discovery.news.put_nowait(None)
    await live.until(lambda: live.told == [(["a"], []), ([], ["a"])])
    assert [pod.name for pod in live.changes[-1].pods] == ["shop"]


async def test_without_a_reason_it_looks_from_time_to_time(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    running = asyncio.create_task(place.inventory.run(), name="run")
    place.run("a")
    await place.until(lambda: place.told == [(["a"], [])])
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_a_container_that_is_being_made_is_there_and_stays_when_it_is_listed(
    live: Place,
) -> None:
    live.have_listed(live.run("b"))
    await live.inventory.refresh()
    one = live.run("a", listed=False)
    learnt = await live.inventory.learn(one.container_id, {0: "/x"})
    assert learnt is not None
    assert learnt.cgroups == {0: "/x"}
    assert live.told[1:] == [(["a"], [])]
    assert await live.names() == {"a", "b"}
    await live.inventory.refresh()
    assert await live.names() == {"a", "b"}
    live.have_listed(one)
    await live.inventory.refresh()
    assert live.told[1:] == [(["a"], [])]
    assert live.inventory._learnt == {}


async def test_learning_again_waits_for_those_who_are_being_told(live: Place) -> None:
    gate, told = asyncio.Event(), []

    async def slow(change: InventoryChange) -> None:
        await gate.wait()
        told.append(change)

    live.inventory.subscribe(slow)
    one = live.run("a", listed=False)
    learning = [
        asyncio.create_task(live.inventory.learn(one.container_id, {}), name="learn")
        for _ in range(2)
    ]
    await live.until(lambda: live.told)
    done, _ = await asyncio.wait(learning, timeout=0.02)
    assert not done
    gate.set()
    await asyncio.gather(*learning)
    assert len(told) == 1


async def test_one_that_was_made_and_ended_without_being_listed_is_told_to_have_ended(
    live: Place,
) -> None:
    one = live.run("a", listed=False)
    await live.inventory.learn(one.container_id, {})
    del live.directory.tasks[one.key]
    await live.inventory.refresh()
    assert live.told == [(["a"], []), ([], ["a"])]


async def test_what_is_none_one_can_select_is_not_learnt(live: Place) -> None:
    assert await live.inventory.learn("f" * 64, {}) is None
    assert live.changes == []


async def test_who_has_no_task_is_not_there_whatever_the_runtime_says(live: Place) -> None:
    one = live.run("a")
    await live.inventory.refresh()
    del live.directory.tasks[one.key]
    await live.inventory.recheck([one.container_id])
    assert live.told == [(["a"], []), ([], ["a"])]
    await live.inventory.refresh()
    assert await live.names() == set()
    assert len(live.changes) == 2


async def test_a_pod_outlives_its_only_container_that_was_learnt_of_until_a_look(
    place: Place,
) -> None:
    await place.inventory.pods()
    one = place.run("a", listed=False)
    await place.inventory.learn(one.container_id, {})
    del place.directory.tasks[one.key]
    await place.inventory.recheck([one.container_id])
    assert place.told == [(["a"], []), ([], ["a"])]
    await place.inventory.refresh()
    assert [change.pods for change in place.changes[1:]] == [(Pod(name="shop"),), ()]


async def test_a_look_that_began_before_an_end_does_not_bring_the_container_back(
    live: Place,
) -> None:
    one = live.run("a")
    await live.inventory.refresh()
    gate = live.directory.gate
    gate.clear()
    looking = asyncio.create_task(live.inventory.refresh(), name="look")
    looks = live.inventory.numbers().looks
    await live.until(lambda: live.inventory.numbers().looks > looks)
    await asyncio.sleep(0)
    del live.directory.tasks[one.key]
    await live.inventory.recheck([one.container_id])
    gate.set()
    await looking
    assert live.told == [(["a"], []), ([], ["a"])]


async def test_many_reasons_are_one_look(live: Place) -> None:
    looks = live.inventory.numbers().looks
    for _ in range(1000):
        live.inventory.poke()
    await live.until(lambda: live.inventory.numbers().looks > looks)
    assert live.inventory.numbers().looks <= looks + 2
    assert live.inventory.numbers().pokes >= 1000


async def test_a_look_that_fails_keeps_what_is_known_and_says_so_once(live: Place) -> None:
    live.run("a")
    await live.inventory.refresh()
    live.discovery.failure = DiscoveryFailed("The runtime is away.")
    with capture_logs() as logs:
        for _ in range(3):
            failures = live.inventory.numbers().failures
            live.inventory.poke()
            await live.until(lambda: live.inventory.numbers().failures > failures)  # noqa: B023
        assert await live.names() == {"a"}
        assert live.inventory.failure == "The runtime is away."
        with pytest.raises(DiscoveryFailed):
            await live.inventory.refresh()
        live.discovery.failure = None
        live.inventory.poke()
        await live.until(lambda: not live.inventory.failure)
    assert [one["event"] for one in logs] == ["discovery.failed", "discovery.works_again"]
    assert len(live.changes) == 1


async def test_a_subscriber_that_fails_keeps_no_other_from_being_told(place: Place) -> None:
    async def fails(_: InventoryChange) -> None:
        raise ValueError("A bug.")

    end = place.inventory.subscribe(fails)
    place.run("a")
    with capture_logs() as logs:
        await place.inventory.refresh()
        end()
        place.run("b")
        await place.inventory.refresh()
    assert place.told == [(["a"], []), (["b"], [])]
    assert [one["event"] for one in logs] == ["inventory.subscriber_failed"]


async def test_only_those_who_may_have_changed_are_located_again_while_it_is_watched(
    live: Place,
) -> None:
    one, other = live.run("a"), live.run("b")
    await live.inventory.refresh()
    live.inventory.watched = True
    live.inventory._afresh_due_ns = time.monotonic_ns() + 10**12
    for each in (one, other):
        live.directory.tasks[each.key] += (Task(tid=7, pid=7, command="x"),)
    live.inventory.poke([one.container_id])
    looks = live.inventory.numbers().looks
    await live.until(lambda: live.inventory.numbers().looks > looks)
    await live.until(lambda: not live.inventory._lock.locked())
    tasks = {x.name: x.tasks for pod in await live.inventory.pods() for x in pod.containers}
    assert tasks == {"a": (ord("a"), 7), "b": (ord("b"),)}


async def test_one_that_ended_is_not_taken_for_known_when_the_runtime_lists_it_still(
    live: Place,
) -> None:
    one = live.run("a")
    await live.inventory.refresh()
    live.inventory.watched = True
    live.inventory._afresh_due_ns = time.monotonic_ns() + 10**12
    del live.directory.tasks[one.key]
    await live.inventory.recheck([one.container_id])
    looks = live.inventory.numbers().looks
    live.inventory.poke()
    await live.until(lambda: live.inventory.numbers().looks > looks)
    await live.until(lambda: not live.inventory._lock.locked())
    assert live.told == [(["a"], []), ([], ["a"])]
